import { createServer, type AddressInfo } from 'node:net'
import { Client } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { faultOf } from '../support/faults.js'
import { startPeer } from '../support/peer.js'
import { Server } from '../support/postgres-server.js'
import { stats } from '../support/stats.js'

const {
  close,
  configure,
  createApiKey,
  getApiKey,
  metrics,
  migrate,
  onEvent,
  patchApiKey,
  verifyApiKey,
} = addon

type Event = Parameters<Parameters<typeof onEvent>[0]>[0]

let server: Server
let told: Event[]
let stop: () => void
beforeEach(async () => {
  server = await Server.start()
  told = []
  stop = onEvent((event) => void told.push(event))
  configure({ databaseUrl: server.url, ...cheapHashing })
})
afterEach(async () => {
  stop()
  await close().catch(() => {})
  await server.remove()
})

const create = (): ReturnType<typeof createApiKey> => createApiKey({ name: 'n', clientId: 'c' })

/** Alerts and all-clears, in their order. */
const alertEvents = (): Event[] => told.filter(({ type }) => type.startsWith('database.'))
const alerts = (): string[] => alertEvents().map(({ type }) => type)

const unavailable = async (call: () => unknown): Promise<void> =>
  expect(await faultOf(call)).toMatchObject({ code: 'DATABASE_UNAVAILABLE', status: 503 })

/** So many calls that they would take hours if each waited for its deadline. */
async function expectAnsweredAtOnce(id: string): Promise<void> {
  for (let call = 0; call < 20_000; call++) await unavailable(() => getApiKey(id))
}

test('in an outage calls fail at once, and there is one alert', async () => {
  const { id, key } = await create()
  const maker = await startPeer({ databaseUrl: server.url, ...cheapHashing })
  const cold = await maker.run(({ api }) => api.createApiKey({ name: 'n', clientId: 'c' }))
  await maker.stop()
  // Warm, and its creation, which is a change too, has been heard of.
  await eventually(async () => {
    const { selects } = stats()
    await verifyApiKey(key)
    expect(stats().selects).toBe(selects)
  })
  for (const outage of [1, 2]) {
    await server.stop()
    await unavailable(() => getApiKey(id))
    await eventually(() => expect(alerts()).toHaveLength(2 * outage - 1))
    expect(alerts().at(-1)).toBe('database.unavailable')
    await expectAnsweredAtOnce(id)
    // Keys that were cached before the first outage are accepted; after a restart of the server they are read again.
    if (outage === 1) expect((await verifyApiKey(key)).valid).toBe(true)
    await unavailable(() => verifyApiKey(cold.key))
    await server.restart()
    await eventually(async () => expect(await getApiKey(id)).toMatchObject({ id }))
    await eventually(() => expect(alerts()).toHaveLength(2 * outage))
    expect(alerts().at(-1)).toBe('database.recovered')
  }
  expect((await verifyApiKey(cold.key)).valid).toBe(true)
  const [{ severity }, recovered] = alertEvents() as [Event, Event]
  expect(severity).toBe('critical')
  expect(recovered).toMatchObject({ severity: 'info', downForMs: expect.any(Number) })
})

test('a database that is not there at the start: one alert, one all-clear', async () => {
  await server.stop()
  for (let time = 0; time < 3; time++) await unavailable(() => create())
  expect(alerts()).toEqual(['database.unavailable'])
  await server.restart()
  await eventually(async () => expect(await create()).toMatchObject({ name: 'n' }))
  await eventually(() => expect(alerts()).toEqual(['database.unavailable', 'database.recovered']))
})

test('a database that is frozen at the start: one call at a time waits for it', async () => {
  await create()
  await close()
  configure({ databaseUrl: server.url, ...cheapHashing })
  const frozen = await server.freeze()
  try {
    await unavailable(() => create())
    await expectAnsweredAtOnce('any')
  } finally {
    frozen.thaw()
  }
  await eventually(async () => expect(await create()).toMatchObject({ name: 'n' }))
})

test('an outage at the start is over where the database answers, even if the start fails then', async () => {
  await close()
  configure({ databaseUrl: server.url, migrate: 'manual', ...cheapHashing })
  await server.stop()
  await unavailable(create)
  await eventually(() => expect(alerts()).toEqual(['database.unavailable']))
  await server.restart()
  await eventually(() => expect(alerts()).toEqual(['database.unavailable', 'database.recovered']))
  expect(await faultOf(create)).toMatchObject({ code: 'CONFIGURATION' })
  await migrate()
  await create()
  expect(alerts()).toHaveLength(2)
})

test('a start that waits for a server that is not the one of the calls holds up only the first', async () => {
  await close()
  const silent = createServer((socket) => void socket.on('error', () => {}))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const direct = new URL(server.url)
  direct.port = String((silent.address() as AddressInfo).port)
  configure({
    databaseUrl: server.url,
    directDatabaseUrl: direct.href,
    statementTimeoutMs: 2_000,
    ...cheapHashing,
  })
  await unavailable(create)
  await expectAnsweredAtOnce('any')
  expect(metrics()).toMatch(/^sophra_api_key_database_up 0$/m)
  expect(alerts()).toEqual(['database.unavailable'])
  silent.close()
})

test('one statement that takes too long is no outage', async () => {
  const { id, key } = await create()
  const locker = new Client({ connectionString: server.url })
  await locker.connect()
  await locker.query(`BEGIN; SELECT FROM "ApiKey" WHERE "id" = '${id}' FOR UPDATE`)
  await unavailable(() => patchApiKey({ id, name: 'locked' }))
  expect(await getApiKey(id)).toMatchObject({ name: 'n' })
  expect((await verifyApiKey(key)).valid).toBe(true)
  expect(alerts()).toEqual([])
  await locker.end()
})

test('connections that are killed while idle cause no error', async () => {
  const { id } = await create()
  for (let time = 0; time < 200; time++) {
    await server.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'`,
    )
    expect(await getApiKey(id)).toMatchObject({ id })
  }
  expect(alerts()).toEqual([])
})

async function setReadOnly(value: 'on' | 'off'): Promise<void> {
  await server.sql(`ALTER SYSTEM SET default_transaction_read_only = ${value}`)
  await server.sql('SELECT pg_reload_conf()')
  await eventually(async () => {
    const [row] = await server.sql('SHOW default_transaction_read_only')
    expect(row).toEqual({ default_transaction_read_only: value })
  })
}

test('a primary that becomes read-only: writes wait, verifies go on, and it recovers by itself', async () => {
  const { id, key } = await create()
  await setReadOnly('on')
  await unavailable(() => patchApiKey({ id, name: 'changed' }))
  expect((await verifyApiKey(key)).valid).toBe(true)
  expect(await getApiKey(id)).toMatchObject({ name: 'n' })
  // A process that starts meanwhile does the same.
  await close().catch(() => {})
  configure({ databaseUrl: server.url, ...cheapHashing })
  expect((await verifyApiKey(key)).valid).toBe(true)
  await unavailable(() => patchApiKey({ id, name: 'changed' }))
  await setReadOnly('off')
  await eventually(async () => {
    expect(await patchApiKey({ id, name: 'changed' })).toMatchObject({ name: 'changed' })
  })
  expect(alerts()).toEqual([])
})
