import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { startPeer, type Peer } from '../support/peer.js'
import { useAddon } from '../support/use-addon.js'

const { deleteClient, getClient, setClient } = addon

const { sql, url } = useAddon({ statementTimeoutMs: 6_000 })

let peer: Peer
beforeAll(async () => {
  await addon.migrate()
  peer = await startPeer({ databaseUrl: url(), ...cheapHashing })
})
afterAll(() => peer.stop())

const there = (input: Parameters<typeof setClient>[0]): Promise<unknown> =>
  peer.run(({ api }, set) => api.setClient(set), input)

test('calls for one new client in two processes all succeed, and keep what the others set', async () => {
  for (let round = 0; round < 20; round++) {
    const clientId = `new${round}`
    await Promise.all([
      setClient({ clientId, name: 'Name' }),
      there({ clientId, maxKeys: 5 }),
      setClient({ clientId, allowedIps: ['10.0.0.1'] }),
      there({ clientId, isActive: false }),
      there({ clientId, metadata: { a: 1 } }),
    ])
    expect(await getClient(clientId)).toMatchObject({
      name: 'Name',
      maxKeys: 5,
      allowedIps: ['10.0.0.1'],
      isActive: false,
      metadata: { a: 1 },
    })
  }
})

test('calls for a client that is deleted meanwhile end with all or nothing', async () => {
  for (let round = 0; round < 20; round++) {
    const clientId = `gone${round}`
    await setClient({ clientId, name: 'Old' })
    const [set] = await Promise.all([there({ clientId, maxKeys: 5 }), deleteClient(clientId)])
    expect(set).toMatchObject({ clientId, maxKeys: 5 })
    const left = await getClient(clientId)
    // Deleted last, or set anew after that.
    if (left) expect(left).toMatchObject({ name: null, maxKeys: 5 })
  }
})

test('a client whose row another session has locked is set when it is free, within the time', async () => {
  await setClient({ clientId: 'locked' })
  const holder = new Client({ connectionString: url() })
  await holder.connect()
  await holder.query('BEGIN')
  await holder.query(
    `SELECT FROM sophra_api_keys.clients WHERE client_id = 'locked' FOR NO KEY UPDATE`,
  )
  const set = setClient({ clientId: 'locked', name: 'Free' })
  const tries = new Set<string>()
  await eventually(async () => {
    const waiting = await sql(
      `SELECT query_start::text AS since FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )
    for (const { since } of waiting) tries.add(since as string)
    // It has given up once, and tries again.
    expect(tries.size).toBeGreaterThan(1)
  })
  await holder.query('ROLLBACK')
  await holder.end()
  expect(await set).toMatchObject({ name: 'Free' })
})
