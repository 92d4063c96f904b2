import { createRequire } from 'node:module'
import { Pool } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { useImporting } from '../support/importing.js'

// Keys that better-auth itself has issued and used move in by the command, from the tables that it has made.

const packages = createRequire(import.meta.url)
// Installed for this test alone, so it has no types here.
type Library = Record<string, any>

const importing = useImporting()
const { getApiKey, getQuota, verifyApiKey } = addon

let pool: Pool
beforeEach(() => void (pool = new Pool({ connectionString: importing.database.url })))
afterEach(() => pool.end())

/** An app with better-auth and its plugin of API keys, on the database of the test. */
async function app(options: object = {}): Promise<Library> {
  try {
    packages.resolve('better-auth')
  } catch {
    throw new Error(
      'better-auth is not installed here yet: `npm test` does it, or `npm ci` in __test__/better-auth',
    )
  }
  const { betterAuth } = (await import('better-auth' as string)) as Library
  const { apiKey } = (await import('@better-auth/api-key' as string)) as Library
  const { getMigrations } = (await import('better-auth/db/migration' as string)) as Library
  const auth = betterAuth({
    baseURL: 'http://localhost',
    secret: 'the secret of this test, which signs nothing',
    database: pool,
    plugins: [apiKey({ enableMetadata: true, ...options })],
    telemetry: { enabled: false },
    logger: { disabled: true },
  })
  const { runMigrations } = await getMigrations(auth.options)
  await runMigrations()
  return auth.api
}

const DAY = 86_400
const from = ['--from', 'better-auth']
const imported = (count: number) => ({ imported: count, skipped: 0, failedCount: 0, failed: [] })

test('its keys verify here, with their limits, quotas, permissions, metadata and expiry', async () => {
  const api = await app()
  const create = (userId: string, fields: object = {}): Promise<Library> =>
    api.createApiKey({ body: { userId, name: `Key of ${userId}`, ...fields } })
  const accepts = async (key: string) => (await api.verifyApiKey({ body: { key } })).valid

  const plain = await create('plain')
  const limited = await create('limited', {
    prefix: 'shop_',
    rateLimitMax: 3,
    rateLimitTimeWindow: 3_600_000,
    permissions: { files: ['read', 'write'], orders: ['read'] },
    metadata: { plan: 'pro', seats: 5 },
  })
  const unlimited = await create('unlimited', { rateLimitEnabled: false })
  const counted = await create('counted', { remaining: 5 })
  const daily = await create('daily', {
    remaining: 4,
    refillAmount: 4,
    refillInterval: DAY * 1_000,
  })
  const weekly = await create('weekly', {
    remaining: 9,
    refillAmount: 9,
    refillInterval: 7 * DAY * 1_000,
  })
  const expiring = await create('expiring', { expiresIn: 2 * DAY })
  const disabled = await create('disabled')
  const used = [plain, limited, unlimited, counted, daily, weekly, expiring, disabled]
  for (const { key } of used) expect(await accepts(key)).toBe(true)
  await api.updateApiKey({ body: { keyId: disabled.id, userId: 'disabled', enabled: false } })
  expect(await accepts(disabled.key)).toBe(false)

  expect(await importing.counts([...from, '--dry-run'])).toEqual(imported(used.length))
  expect(await importing.counts(from)).toEqual(imported(used.length))
  for (const { key, id } of used.filter((key) => key !== disabled))
    expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
  expect(await verifyApiKey(disabled.key)).toMatchObject({ code: 'DISABLED' })

  const now = async ({ id }: Library) => (await getApiKey(id))!
  // Its default is ten requests a day.
  expect(await now(plain)).toMatchObject({
    ...{ name: 'Key of plain', clientId: 'plain', rateLimit: 10, rateLimitWindowSeconds: DAY },
    ...{ scopes: [], metadata: null, quotas: [], expiresAt: null },
    createdAt: plain.createdAt,
    isActive: true,
  })
  expect(await now(limited)).toMatchObject({
    ...{ clientId: 'limited', rateLimit: 3, rateLimitWindowSeconds: 3_600 },
    scopes: ['files:read', 'files:write', 'orders:read'],
    metadata: { plan: 'pro', seats: 5 },
  })
  expect((await now(unlimited)).rateLimit).toBeNull()
  expect((await now(expiring)).expiresAt).toEqual(expiring.expiresAt)
  expect((await now(plain)).lastUsedAt).toBeInstanceOf(Date)
  const quota = ({ id }: Library) => getQuota({ keyId: id, name: 'remaining' })
  // One of five was used there.
  expect(await quota(counted)).toMatchObject({ amount: 4, period: 'total' })
  expect(await quota(daily)).toMatchObject({ amount: 4, period: 'day' })
  expect(await quota(weekly)).toMatchObject({ amount: 9, period: 'week' })
  const codes = async (key: string, uses: number) => {
    const answers = []
    for (let use = 0; use < uses; use += 1) answers.push((await verifyApiKey(key)).code)
    return answers
  }
  expect(await codes(limited.key, 3)).toEqual(['VALID', 'VALID', 'RATE_LIMITED'])
  expect(await codes(counted.key, 4)).toEqual(['VALID', 'VALID', 'VALID', 'QUOTA_EXCEEDED'])

  await eventually(async () => {
    const rows = await importing.database.sql(`SELECT "id", "key" FROM "ApiKey"`)
    for (const { key } of rows) expect(key).toMatch(/^\$argon2id\$/)
  })
  expect(await importing.counts(from)).toMatchObject({ imported: 0, skipped: used.length })
  // The old app goes on beside it.
  expect(await accepts(unlimited.key)).toBe(true)
})

test('its keys verify here if it does not hash them, and nothing of them is stored', async () => {
  const api = await app({ disableKeyHashing: true, defaultKeyLength: 43 })
  const { key, id } = await api.createApiKey({ body: { userId: 'u', name: 'Plain' } })
  expect(await importing.counts(from)).toEqual(imported(1))
  const [row] = await importing.database.sql(`SELECT "key" FROM "ApiKey"`)
  expect(row!.key).not.toContain(key.slice(0, 42))
  expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
})
