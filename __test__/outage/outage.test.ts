import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startPostgres } from '../../scripts/postgres.mjs'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { faultOf } from '../support/faults.js'
import { startProxy, type Proxy } from '../support/proxy.js'

const { close, configure, createApiKey, deleteApiKey, flush, getApiKey, health } = addon
const { createAdminToken, listApiKeys, patchApiKey, updateApiKey, verifyAdminToken, verifyApiKey } =
  addon

const jwtSecret = 'a secret that is long enough to be one'
const configureWith = (databaseUrl: string): void =>
  configure({ databaseUrl, jwtSecret, ...cheapHashing })
const create = (name = 'Outage'): ReturnType<typeof createApiKey> =>
  createApiKey({ name, clientId: 'c' })

/** A folder for a server that is stopped and started again. */
const folders: string[] = []
async function dataDir(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'outage-'))
  await chmod(folder, 0o755)
  folders.push(folder)
  return join(folder, 'data')
}
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))))

/** The first process of a server and those that serve connections. */
async function serverProcesses(postgres: { url: string; pid: number }): Promise<number[]> {
  const client = new Client({ connectionString: postgres.url })
  await client.connect()
  const { rows } = await client.query<{ pid: number }>(
    'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()',
  )
  await client.end()
  return [postgres.pid, ...rows.map(({ pid }) => pid)]
}

/** Longer than any deadline of the addon: a call that takes it hangs. */
const HANGS_MS = 10_000

async function expectUnavailable(call: () => unknown): Promise<void> {
  const before = Date.now()
  const fault = await faultOf(call)
  expect(fault).toMatchObject({ code: 'DATABASE_UNAVAILABLE', status: 503 })
  expect(fault.retryAfterMs).toBeGreaterThan(0)
  // Host and port are named, and nothing else of the URL.
  expect(fault.message).not.toMatch(/postgres:|@|user|password/)
  expect(Date.now() - before).toBeLessThan(HANGS_MS)
}

afterEach(async () => {
  // Usage that could not be stored is said to be lost; that is not this test's matter.
  await close().catch(() => {})
})

describe('a database that goes away and comes back', () => {
  let database: Database
  let proxy: Proxy
  beforeAll(async () => {
    database = await freshDatabase()
  })
  afterAll(() => database.drop())
  beforeEach(async () => {
    proxy = await startProxy(database.url)
    configureWith(proxy.url)
  })
  afterEach(() => proxy.close())

  test('fails every function alike, and none with a refusal', async () => {
    const { id, key } = await create()
    const { token } = await createAdminToken({ name: 'Ops' })
    const unseen = await create()
    proxy.cut()
    const calls: (() => unknown)[] = [
      () => verifyApiKey(unseen.key),
      () => getApiKey(id),
      () => listApiKeys(),
      () => create(),
      () => patchApiKey({ id, name: 'x' }),
      () => updateApiKey({ id, regenerateKey: true }),
      () => deleteApiKey(id),
      () => createAdminToken({ name: 'x' }),
      () => verifyAdminToken(token),
      () => addon.listAdminTokens(),
      () => addon.revokeAdminToken(id),
    ]
    await Promise.all(calls.map(expectUnavailable))
    expect((await health()).status).not.toBe('ok')

    proxy.mend()
    await eventually(async () => expect((await verifyApiKey(key)).valid).toBe(true))
    expect((await verifyApiKey(unseen.key)).valid).toBe(true)
    expect(await getApiKey(id)).toMatchObject({ id, name: 'Outage' })
    await eventually(async () => expect((await health()).status).toBe('ok'))
  })

  test('is not asked about what is no key at all', async () => {
    await create()
    proxy.cut()
    expect(await verifyApiKey('nonsense')).toMatchObject({ code: 'INVALID_KEY' })
  })

  test('survives connections that break, without anybody noticing', async () => {
    const { key } = await create()
    for (let round = 0; round < 5; round++) {
      proxy.cut()
      proxy.mend()
      expect((await verifyApiKey(key)).valid).toBe(true)
      expect((await listApiKeys({ limit: 1 })).keys).toHaveLength(1)
    }
  })

  test('loses no usage', async () => {
    const { id, key } = await create()
    for (let time = 0; time < 7; time++) await verifyApiKey(key)
    proxy.cut()
    await expectUnavailable(() => flush())
    proxy.mend()
    await eventually(() => flush())
    expect((await getApiKey(id))!.usageCount).toBe(7)
  })

  test('makes close() reject, with the number of lost counts', async () => {
    const { key } = await create()
    await flush()
    for (let time = 0; time < 3; time++) await verifyApiKey(key)
    proxy.cut()
    const fault = await faultOf(() => close())
    expect(fault).toMatchObject({ code: 'DATABASE_UNAVAILABLE', status: 503 })
    expect(fault.message).toMatch(/\b3\b.*lost/)
    // It is closed all the same.
    configureWith(database.url)
    expect((await verifyApiKey(key)).valid).toBe(true)
  })

  describe('in the middle of a creation', () => {
    const rows = (name: string): ReturnType<Database['sql']> =>
      database.sql(`SELECT "id" FROM "ApiKey" WHERE "name" = $1`, [name])
    const stored = (name: string): Promise<unknown> =>
      eventually(async () => expect(await rows(name)).toHaveLength(1))

    test('leaves one key when the answer was lost and the next try gets through', async () => {
      await create()
      const swallowed = proxy.swallowAnswerTo('Answer lost')
      const creation = create('Answer lost')
      await swallowed
      await stored('Answer lost')
      proxy.cut()
      proxy.mend()
      const { id, key } = await creation
      expect(await rows('Answer lost')).toEqual([{ id }])
      expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
    })

    test('leaves no key whose creation was not confirmed', async () => {
      await create()
      const swallowed = proxy.swallowAnswerTo('Orphan')
      const creation = faultOf(() => create('Orphan'))
      await swallowed
      await stored('Orphan')
      proxy.cut()
      const fault = await creation
      expect(fault).toMatchObject({ code: 'DATABASE_UNAVAILABLE', status: 503 })
      expect(fault.message).toMatch(/not confirm.*deleted/)
      expect(await rows('Orphan')).toHaveLength(1)
      proxy.mend()
      await eventually(async () => expect(await rows('Orphan')).toEqual([]), 20_000)
    })

    test('leaves no such key behind at close', async () => {
      await close()
      configure({ databaseUrl: proxy.url, flushIntervalMs: 3_600_000, ...cheapHashing })
      await create()
      const swallowed = proxy.swallowAnswerTo('Left behind')
      const creation = faultOf(() => create('Left behind'))
      await swallowed
      await stored('Left behind')
      proxy.cut()
      expect(await creation).toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
      proxy.mend()
      await eventually(async () => expect((await health()).status).not.toBe('down'))
      await close()
      expect(await rows('Left behind')).toEqual([])
    })
  })
})

test('a database that is not there at the start is unavailable, until it is there', async () => {
  const postgres = await startPostgres({ dataDir: await dataDir(), durable: false })
  await postgres.stop()
  configureWith(postgres.url)
  await expectUnavailable(() => listApiKeys())
  await expectUnavailable(() => create())
  await expectUnavailable(() => verifyApiKey('an-old-key-that-nobody-issued-0123456789abc'))
  expect((await health()).status).toBe('down')

  const { dataDir: kept, port } = postgres
  const again = await startPostgres({ dataDir: kept, port, durable: false })
  const { key } = await eventually(() => create())
  expect((await verifyApiKey(key)).valid).toBe(true)
  expect((await health()).status).toBe('ok')
  await close()
  await again.stop()
})

test('a frozen database is unavailable, and no call hangs or is refused', async () => {
  const postgres = await startPostgres()
  configureWith(postgres.url)
  const { id, key } = await create()
  await verifyApiKey(key)
  const fresh = await create()
  const processes = await serverProcesses(postgres)
  for (const pid of processes) process.kill(pid, 'SIGSTOP')
  try {
    const calls = [() => verifyApiKey(fresh.key), () => getApiKey(id), () => create()]
    await Promise.all(calls.map(expectUnavailable))
    expect((await health()).status).not.toBe('ok')
  } finally {
    for (const pid of processes) process.kill(pid, 'SIGCONT')
  }
  await eventually(async () => expect((await verifyApiKey(fresh.key)).valid).toBe(true))
  await close()
  await postgres.stop()
})

test('something that accepts connections and is no database is unavailable', async () => {
  const mute = createServer(() => {}).listen(0, '127.0.0.1')
  await once(mute, 'listening')
  const { port } = mute.address() as { port: number }
  configureWith(`postgres://user:password@127.0.0.1:${port}/none`)
  await expectUnavailable(() => listApiKeys())
  await close().catch(() => {})
  mute.close()
})
