import { afterAll, beforeAll, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { startPeer, type Peer } from '../support/peer.js'
import { useAddon } from '../support/use-addon.js'

const { deleteClient, getClient, setClient } = addon

const { sql, url } = useAddon()

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
  // Its own transaction holds the row for as long as one statement takes.
  const hold = sql(`
    DO $$ BEGIN
      PERFORM FROM sophra_api_keys.clients WHERE client_id = 'locked' FOR UPDATE;
      PERFORM pg_sleep(0.6);
    END $$`)
  const set = setClient({ clientId: 'locked', name: 'Free' })
  await hold
  expect(await set).toMatchObject({ name: 'Free' })
})
