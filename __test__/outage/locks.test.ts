import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { afterEach, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { faultOf } from '../support/faults.js'
import { startPeer } from '../support/peer.js'
import { useSetting } from '../support/setting.js'

// Rows and tables that another transaction has locked. The calls that wait for them leave connections for verifies.

const POOL = 4
const setting = useSetting({
  poolMax: POOL,
  // Enough for the keys of a test to be made on a slow machine.
  statementTimeoutMs: 6_000,
  flushIntervalMs: 50,
  jwtSecret: 'x'.repeat(32),
  signingKeys: [randomBytes(32).toString('base64')],
})

let holder: Client | undefined
afterEach(async () => {
  await holder?.end()
  holder = undefined
})

/** Another session, in a transaction that has run the statement. */
async function hold(statement: string, params: unknown[] = []): Promise<void> {
  holder = new Client({ connectionString: setting.database.url })
  await holder.connect()
  await holder.query('BEGIN')
  await holder.query(statement, params)
}

const release = async (): Promise<void> => void (await holder!.query('ROLLBACK'))

/** Sessions that wait for a lock. */
async function waiting(): Promise<number> {
  const [row] = await setting.sql(
    `SELECT count(*)::integer AS count FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  )
  return row!.count as number
}

const lockRow = (id: string): Promise<void> =>
  hold(`SELECT FROM "ApiKey" WHERE "id" = $1 FOR UPDATE`, [id])

type Key = { id: string; key: string }

const edits: [string, (key: Key) => Promise<unknown>][] = [
  ['patches', ({ id }) => addon.patchApiKey({ id, name: 'patched' })],
  ['updates', ({ id }) => addon.updateApiKey({ id, name: 'updated' })],
  ['rotations', ({ id }) => addon.updateApiKey({ id, regenerateKey: true })],
  ['deletions', ({ id }) => addon.deleteApiKey(id)],
]

test.each(edits)('%s of one locked row leave connections for verifies', async (_what, edit) => {
  const [locked, ...others] = await setting.coldKeys(12)
  await lockRow(locked!.id)
  const faults = Promise.all(Array.from({ length: 40 }, () => faultOf(() => edit(locked!))))
  await eventually(async () => expect(await waiting()).toBeGreaterThan(0))
  expect(await waiting()).toBeLessThanOrEqual(POOL / 2)
  for (const { key } of others) expect((await addon.verifyApiKey(key)).code).toBe('VALID')
  await addon.flush()
  for (const { code } of await faults)
    expect(['DATABASE_UNAVAILABLE', 'OVERLOADED']).toContain(code)
  await release()
  await edit(locked!)
})

test('an edit of a locked row says what is in its way, and changes nothing', async () => {
  const [locked] = await setting.coldKeys(1)
  await lockRow(locked!.id)
  expect(await faultOf(() => addon.patchApiKey({ id: locked!.id, name: 'late' }))).toMatchObject({
    code: 'DATABASE_UNAVAILABLE',
    message: 'The row is locked by another transaction: try again',
  })
  await release()
  expect(await addon.getApiKey(locked!.id)).toMatchObject({ name: 'Key' })
})

test('creations for a client whose row is locked say so, and are no outage for the others', async () => {
  await addon.setClient({ clientId: 'locked', maxKeys: 100 })
  const others = await setting.coldKeys(11)
  await hold(`SELECT FROM sophra_api_keys.clients WHERE client_id = 'locked' FOR NO KEY UPDATE`)
  const creations = Promise.all(
    Array.from({ length: 12 }, () =>
      faultOf(() => addon.createApiKey({ name: 'n', clientId: 'locked' })),
    ),
  )
  await eventually(async () => expect(await waiting()).toBeGreaterThan(0))
  for (const { key } of others) expect((await addon.verifyApiKey(key)).code).toBe('VALID')
  for (const { code } of await creations)
    expect(['DATABASE_UNAVAILABLE', 'OVERLOADED']).toContain(code)
  // The server has answered all the while.
  await addon.createApiKey({ name: 'n', clientId: 'free' })
  expect((await addon.health()).status).toBe('ok')
  await release()
  await addon.createApiKey({ name: 'n', clientId: 'locked' })
  expect(await addon.getClient('locked')).toMatchObject({ keyCount: 1 })
})

test('reads of a locked audit log leave connections for verifies', async () => {
  const others = await setting.coldKeys(11)
  await addon.flush()
  await hold('LOCK TABLE sophra_api_keys.audit IN ACCESS EXCLUSIVE MODE')
  const reads = Promise.all(
    Array.from({ length: 40 }, () => faultOf(() => addon.listAuditEvents({ limit: 1_000 }))),
  )
  await eventually(async () => expect(await waiting()).toBeGreaterThan(0))
  for (const { key } of others) expect((await addon.verifyApiKey(key)).code).toBe('VALID')
  for (const { code } of await reads) expect(['DATABASE_UNAVAILABLE', 'OVERLOADED']).toContain(code)
  await release()
  await addon.listAuditEvents()
})

test('the renewal of a cold digest does not wait for a locked row', async () => {
  const keys = await setting.coldKeys(20)
  // Without one, it is stored after the first verify.
  await setting.sql(`UPDATE "ApiKey" SET "coldDigest" = NULL`)
  await hold(`SELECT FROM "ApiKey" FOR UPDATE`)
  for (const { key } of keys) await addon.verifyApiKey(key)
  expect(await waiting()).toBe(0)
  await release()
})

test('a flush does not wait for the locked row of an admin token', async () => {
  const { token, id } = await addon.createAdminToken({ name: 'Admin', permissions: ['*'] })
  await hold(`SELECT FROM "AdminToken" WHERE "id" = $1 FOR UPDATE`, [id])
  expect((await addon.verifyAdminToken(token)).valid).toBe(true)
  await addon.flush()
  await release()
})

test.each([1, 2, POOL])(
  'a process with %i connections starts and verifies while changes of the table are locked out',
  async (poolMax) => {
    const keys = await setting.coldKeys(3)
    await addon.flush()
    await hold(`LOCK TABLE "ApiKey" IN SHARE MODE`)
    const peer = await startPeer({
      ...setting.options,
      databaseUrl: setting.database.url,
      flushIntervalMs: 60_000,
      poolMax,
    })
    try {
      const texts = keys.map(({ key }) => key)
      const codes = await peer.run(async ({ api }, texts) => {
        const codes: string[] = []
        for (const text of texts) codes.push((await api.verifyApiKey(text)).code)
        return codes
      }, texts)
      expect(codes).toEqual(['VALID', 'VALID', 'VALID'])
      await release()
    } finally {
      await peer.stop()
    }
  },
)
