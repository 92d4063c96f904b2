import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { useDatabaseEach } from '../support/database-each.js'
import { eventually } from '../support/eventually.js'
import { startPeer, type Peer } from '../support/peer.js'
import { pgbouncerVersion, startPgbouncer, type Pgbouncer } from '../support/pgbouncer.js'
import { expectSigned, startReceiver, type Receiver } from '../support/receiver.js'

const { createApiKey, listDeliveries, migrate, onEvent, patchApiKey, setWebhook } = addon

const database = useDatabaseEach()

let receiver: Receiver
let peer: Peer | undefined
beforeEach(async () => {
  receiver = await startReceiver()
})
afterEach(async () => {
  await peer?.stop()
  peer = undefined
  await addon.close()
  await receiver.close()
})

const options = () => ({
  databaseUrl: database.url,
  ...cheapHashing,
  webhookAllowedNetworks: ['127.0.0.0/8'],
})
const sql: typeof database.sql = (text, params) => database.sql(text, params)

const names = (): unknown[] =>
  receiver.arrived.map(({ notice }) => notice.data['changes'].name?.after)

/** What arrived, without what arrived again. */
const once = (seen: unknown[]): unknown[] => [...new Set(seen)]

test('another process takes the place of one that is stopped in its tracks', async () => {
  peer = await startPeer(options())
  const { id } = await peer.run(async ({ api }, url) => {
    await api.setWebhook({ url })
    return api.createApiKey({ name: 'n', clientId: 'c' })
  }, receiver.url)
  await eventually(() => expect(receiver.of('key.issued')).toHaveLength(1))
  peer.signal('SIGSTOP')
  addon.configure(options())
  for (const name of ['a', 'b', 'c']) await patchApiKey({ id, name })
  await eventually(() => expect(once(names()).slice(1)).toEqual(['a', 'b', 'c']), 60_000)
  // It goes on as if nothing had been, and finds that it is not its turn.
  peer.signal('SIGCONT')
  for (const name of ['d', 'e', 'f']) await patchApiKey({ id, name })
  await eventually(() => expect(once(names()).slice(1)).toEqual(['a', 'b', 'c', 'd', 'e', 'f']))
  await eventually(async () =>
    expect((await listDeliveries({ state: 'pending' })).deliveries).toEqual([]),
  )
})

test('a change by a role with few rights is told, and one that cannot be told is counted', async () => {
  addon.configure(options())
  const lost: unknown[] = []
  const stop = onEvent((event) => {
    if (event.type === 'notices.lost') lost.push(event.sqlstate)
  })
  await setWebhook({ url: receiver.url, types: ['key.changed'] })
  const { id } = await createApiKey({ name: 'n', clientId: 'c' })
  const role = `few_${database.url.slice(-16)}`
  await sql(`CREATE ROLE ${role}; GRANT SELECT, UPDATE ON "ApiKey" TO ${role}`)
  const client = new Client({ connectionString: database.url })
  await client.connect()
  const rename = (name: string): Promise<unknown> =>
    client.query(`UPDATE "ApiKey" SET "name" = $2 WHERE "id" = $1`, [id, name])
  try {
    await client.query(`SET ROLE ${role}`)
    await rename('a')
    await eventually(() => expect(names()).toEqual(['a']))
    await sql(
      `ALTER TABLE sophra_api_keys.notices ADD CONSTRAINT broken CHECK (type = '') NOT VALID`,
    )
    await rename('b')
    await eventually(() => expect(lost).toEqual(['23514']))
    await sql(`ALTER TABLE sophra_api_keys.notices DROP CONSTRAINT broken`)
    await rename('c')
    await eventually(() => expect(names()).toEqual(['a', 'c']))
  } finally {
    stop()
    await client.end()
    await sql(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
  }
})

const version = pgbouncerVersion()
if (!version) console.warn('pgbouncer is not on the PATH: its tests are skipped')

describe.skipIf(!version)('behind PgBouncer in transaction mode', () => {
  let pooler: Pgbouncer
  beforeEach(async () => {
    addon.configure(options())
    await migrate()
    await addon.close()
    pooler = await startPgbouncer(database.url)
  })
  afterEach(async () => {
    await peer?.stop()
    peer = undefined
    await addon.close()
    await pooler.stop()
  })

  test('notices arrive in order, and listeners hear each change once', async () => {
    const pooled = { ...options(), databaseUrl: pooler.url }
    addon.configure(pooled)
    peer = await startPeer(pooled)
    const { secret } = await setWebhook({ url: receiver.url })
    const heard: unknown[] = []
    const stop = onEvent(
      (event) => {
        if (event.type === 'key.changed') heard.push(event.changes?.name?.after)
      },
      { fleet: true },
    )
    const { id } = await createApiKey({ name: 'n', clientId: 'c' })
    // Up to where others' changes were read, once there is somebody who hears of them.
    await eventually(async () =>
      expect(await sql('SELECT FROM sophra_api_keys.notice_readers')).not.toEqual([]),
    )
    const expected: string[] = []
    for (let i = 0; i < 10; i++) {
      expected.push(`own ${i}`, `other ${i}`)
      await patchApiKey({ id, name: `own ${i}` }, { actor: 'ann' })
      await peer.run(({ api }, id, name) => api.patchApiKey({ id, name }), id, `other ${i}`)
    }
    await eventually(() => expect(once(names()).slice(1)).toEqual(expected))
    await eventually(() => expect(heard.toSorted()).toEqual(expected.toSorted()))
    const told = receiver.of('key.changed')
    expect(told.filter(({ actor }) => actor === 'ann')).toHaveLength(10)
    expect(told.filter(({ actor }) => actor === null)).toHaveLength(10)
    for (const arrived of receiver.arrived) expectSigned(arrived, String(secret))
    stop()
  })
})
