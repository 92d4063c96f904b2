import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { freshDatabase } from '../support/database.js'
import { digestOf, useImporting } from '../support/importing.js'

// What becomes of the rows of each library. Those of better-auth and of djangorestframework-api-key are made by the libraries in
// other tests; here they are as other databases write them.

const importing = useImporting()
const { counts, run } = importing
const { getApiKey, getQuota, verifyApiKey } = addon

const oldKey = (number: number | string) => `an-old-key-of-number-${number}`
const lines = (...rows: unknown[]) => rows.map((row) => JSON.stringify(row)).join('\n')
const imported = (count: number) => ({ imported: count, skipped: 0, failedCount: 0, failed: [] })
const from = (name: string) => ['--from', name, '-']

test('better-auth: what has no place here fails, and what databases without booleans write is understood', async () => {
  const row = (number: number, fields: object) => ({
    ...{ id: `b${number}`, referenceId: 'u1', key: digestOf(oldKey(number), 'base64url') },
    ...{ createdAt: 1_735_689_600_000, ...fields },
  })
  const { failed, ...rest } = await counts(
    from('better-auth'),
    lines(
      row(1, { enabled: 0, rateLimitEnabled: 1, rateLimitMax: 5, rateLimitTimeWindow: 60_000 }),
      row(2, { enabled: 1, rateLimitEnabled: 0, rateLimitMax: 5, rateLimitTimeWindow: 60_000 }),
      row(3, { remaining: 0 }),
      row(4, { remaining: 2, refillAmount: 9, refillInterval: 86_400_000 }),
      row(5, { remaining: 2, refillAmount: 9, refillInterval: 604_800_000 }),
      // No quota there, whatever the refill.
      row(6, { remaining: null, refillAmount: 9, refillInterval: 86_400_000 }),
      row(7, { remaining: 2, refillAmount: 9, refillInterval: 3_600_000 }),
      row(8, { rateLimitMax: 5, rateLimitTimeWindow: 1_500 }),
      row(9, { rateLimitMax: 0, rateLimitTimeWindow: 1_000 }),
      row(10, { rateLimitMax: 2_000_000, rateLimitTimeWindow: 1_000 }),
      row(11, { permissions: '{"files":"read"}' }),
      row(12, { permissions: '{"fil' }),
      row(13, { metadata: '"{\\"plan\\":\\"pro\\"}"' }),
      row(14, { enabled: 'no' }),
      row(15, { expiresAt: 'soon' }),
      row(16, { key: null }),
      row(17, { referenceId: null }),
      null,
      'text',
    ),
  )
  expect(rest).toEqual({ imported: 7, skipped: 0, failedCount: 12 })
  const told = failed.map(({ line, message }: any) => `${line}: ${message}`)
  expect(told).toEqual([
    '7: refillInterval must be a day or a week, as the periods of quotas are',
    '11: permissions must have a list for each resource',
    '12: has JSON that cannot be read',
    '14: has neither true nor false where one of them must be',
    '15: has an instant that cannot be read',
    '16: key must be a text',
    '17: names no client: give --client',
    '18: must be an object',
    '19: must be an object',
    expect.stringMatching(/^8: rateLimitWindowSeconds must be/),
    expect.stringMatching(/^9: rateLimit must be/),
    expect.stringMatching(/^10: rateLimit must be/),
  ])
  expect(await verifyApiKey(oldKey(1))).toMatchObject({ code: 'DISABLED' })
  expect(await verifyApiKey(oldKey(2))).toMatchObject({ valid: true, rateLimit: null })
  expect(await verifyApiKey(oldKey(3))).toMatchObject({ code: 'QUOTA_EXCEEDED' })
  const quota = (keyId: string) => getQuota({ keyId, name: 'remaining' })
  expect(await quota('b4')).toMatchObject({ amount: 9, period: 'day' })
  expect(await quota('b5')).toMatchObject({ amount: 9, period: 'week' })
  expect(await getApiKey('b6')).toMatchObject({ quotas: [] })
  expect(await getApiKey('b13')).toMatchObject({ metadata: { plan: 'pro' } })
})

test('better-auth without hashes: the key is in the row, and is not taken for a hash', async () => {
  const plain = 'p'.repeat(20) + 'A0_-'.repeat(5) + 'xyz'
  expect(plain).toHaveLength(43)
  const row = { id: 'p', name: 'n', referenceId: 'u1', key: plain, start: 'pppppp' }
  expect(await counts(from('better-auth'), lines(row))).toEqual(imported(1))
  expect(await verifyApiKey(plain)).toMatchObject({ valid: true, keyId: 'p' })
})

test('a star that only stood for itself there gives nothing more here', async () => {
  const row = (number: number, permissions: object) => ({
    ...{ id: `s${number}`, referenceId: 'u1', key: digestOf(oldKey(number), 'base64url') },
    permissions: JSON.stringify(permissions),
  })
  const { imported, failed } = await counts(
    from('better-auth'),
    lines(row(1, { files: ['read', '*'] }), row(2, { '*': ['read'] }), row(3, { files: ['read'] })),
  )
  expect(imported).toBe(1)
  const message = 'a permission must not have *, which stands for more here'
  expect(failed).toEqual([1, 2].map((line) => ({ line, message })))

  const token = (id: number, abilities: string[]) => ({
    ...{ id, name: 'n', tokenable_id: 3, token: digestOf(oldKey(id)) },
    abilities: JSON.stringify(abilities),
  })
  // Alone it stands for all abilities there, too.
  const answer = await counts(
    from('laravel-sanctum'),
    lines(token(11, ['server:*']), token(12, ['*'])),
  )
  expect(answer).toMatchObject({ imported: 1, failed: [{ line: 1, message }] })
})

test('better-auth with hashes of another kind: a hash is not taken for a key', async () => {
  const [hash, upper] = [digestOf(oldKey(1)), digestOf(oldKey(2)).toUpperCase()]
  const row = (id: string, key: string, start: string | null) => ({
    ...{ id, name: 'n', referenceId: 'u1', key, start },
  })
  const { failed, ...rest } = await counts(
    from('better-auth'),
    lines(
      row('h1', hash, 'an-old'),
      row('h2', upper, null),
      row('h3', digestOf(oldKey(3), 'base64'), 'an-old'),
      row('p', oldKey(4), null),
    ),
  )
  expect(rest).toEqual({ imported: 1, skipped: 0, failedCount: 3 })
  const message = 'key must be a SHA-256 in base64url, or a key that begins as start says'
  expect(failed).toEqual([1, 2, 3].map((line) => ({ line, message })))
  for (const presented of [hash, upper, digestOf(oldKey(3), 'base64')])
    expect(await verifyApiKey(presented)).toMatchObject({ code: 'INVALID_KEY' })
  expect(await verifyApiKey(oldKey(4))).toMatchObject({ valid: true, keyId: 'p' })
})

test('unkey: limits, refills, and what was deleted', async () => {
  const row = (number: number, fields: object) => ({
    ...{ id: `key_${number}`, hash: digestOf(oldKey(number), 'base64'), start: 'sk_1234' },
    ...{ identity_id: 'id_1', name: null, enabled: 1, created_at_m: 1_735_689_600_000, ...fields },
  })
  const { failed, ...rest } = await counts(
    from('unkey'),
    lines(
      row(1, { remaining_requests: 3, meta: '{"plan":"pro"}' }),
      row(2, { remaining_requests: 3, refill_amount: 9 }),
      row(3, { remaining_requests: 3, refill_amount: 9, refill_day: 15 }),
      row(4, { ratelimit_limit: 7, ratelimit_duration: 60_000 }),
      row(5, { deleted_at_m: 1_740_000_000_000 }),
      row(6, { expires: '2020-01-01 00:00:00.000' }),
      row(7, { enabled: 0, identity_id: null, owner_id: 'acme' }),
      row(8, { pending_migration_id: 'm' }),
    ),
  )
  expect(rest).toEqual({ imported: 7, skipped: 0, failedCount: 1 })
  expect(failed).toEqual([
    { line: 8, message: expect.stringContaining('pending_migration_id must be empty') },
  ])
  expect(await verifyApiKey(oldKey(1))).toMatchObject({
    ...{ valid: true, keyId: 'key_1', clientId: 'id_1', name: 'sk_1234' },
    metadata: { plan: 'pro' },
  })
  const [total, day, month, none] = await Promise.all(
    [1, 2, 3, 4].map(async (number) => (await getApiKey(`key_${number}`))!.quotas),
  )
  expect(total).toMatchObject([{ name: 'remaining', amount: 3, period: 'total' }])
  expect(day).toMatchObject([{ amount: 9, period: 'day' }])
  expect(month).toMatchObject([{ amount: 9, period: 'month', anchorDay: 15 }])
  expect(none).toEqual([])
  expect(await verifyApiKey(oldKey(4))).toMatchObject({ valid: true, rateLimit: { limit: 7 } })
  expect(await verifyApiKey(oldKey(5))).toMatchObject({ code: 'REVOKED' })
  expect(await verifyApiKey(oldKey(6))).toMatchObject({ code: 'EXPIRED' })
  expect(await verifyApiKey(oldKey(7))).toMatchObject({ code: 'DISABLED' })
  expect(await getApiKey('key_7')).toMatchObject({ clientId: 'acme' })
})

test('laravel-sanctum: a token is found by the id before it', async () => {
  const token = (number: number) => `abcdefghijklmnopqrstuvwxyz${number}`
  const row = (id: number, fields: object) => ({
    ...{ id, name: 'Phone', tokenable_id: 3, token: digestOf(token(id)), abilities: '["*"]' },
    ...fields,
  })
  const rows = lines(
    row(7, { last_used_at: '2025-01-02 03:04:05', created_at: '2025-01-01 00:00:00' }),
    row(8, { expires_at: '2020-01-01 00:00:00' }),
  )
  expect(await counts(from('laravel-sanctum'), rows)).toEqual(imported(2))
  const verified = await verifyApiKey(`7|${token(7)}`)
  expect(verified).toMatchObject({ valid: true, clientId: '3', scopes: ['*'] })
  const keyId = verified.valid ? verified.keyId : ''
  expect((await getApiKey(keyId))!.createdAt).toEqual(new Date('2025-01-01T00:00:00Z'))
  expect(await verifyApiKey(`8|${token(8)}`)).toMatchObject({ code: 'EXPIRED' })
  for (const wrong of [`8|${token(7)}`, `9|${token(7)}`, token(7)])
    expect(await verifyApiKey(wrong)).toMatchObject({ code: 'INVALID_KEY' })
})

test('djangorestframework-api-key: the hash of the first versions is in the id', async () => {
  const key = 'Ab3dEf9h.0123456789abcdefghijklmnopqrstuv'
  const hash = `sha512$$${digestOf(key, 'hex', 'sha512')}`
  const row = { id: `Ab3dEf9h.${hash}`, prefix: 'Ab3dEf9h', name: 'Shop', revoked: 0 }
  const foreign = { id: 'x', prefix: 'y', name: 'n', hashed_key: 'md5$salt$hash' }
  const { failed, ...rest } = await counts(
    from('djangorestframework-api-key'),
    lines(row, foreign, { ...row, id: 5, prefix: 'z' }),
  )
  expect(rest).toEqual({ imported: 1, skipped: 0, failedCount: 2 })
  expect(failed).toEqual([
    { line: 2, message: 'hashed_key must be of pbkdf2_sha256 or sha512' },
    { line: 3, message: 'id must be a text' },
  ])
  expect(await verifyApiKey(key)).toMatchObject({ valid: true, clientId: 'Shop' })
})

test('prisma-plaintext: keys come from the table of the same shape in another database', async () => {
  const source = await freshDatabase()
  try {
    await source.sql(`CREATE TABLE "ApiKey" (
      "id" text PRIMARY KEY, "key" text NOT NULL, "clientId" text NOT NULL, "name" text NOT NULL, "description" text,
      "isActive" boolean NOT NULL DEFAULT true, "expiresAt" timestamp(3), "createdAt" timestamp(3) NOT NULL DEFAULT now(),
      "lastUsedAt" timestamp(3), "allowedIps" text[], "rateLimit" integer NOT NULL DEFAULT 0, "usageCount" integer NOT NULL DEFAULT 0)`)
    await source.sql(
      `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "allowedIps", "rateLimit", "usageCount", "expiresAt", "isActive") VALUES
       ('a', $1, 'acme', 'A', '{10.0.0.0/8}', 5, 12, '2100-01-01', true), ('b', $2, 'acme', 'B', '{}', 0, 0, NULL, false)`,
      [oldKey('a'), oldKey('b')],
    )
    const args = ['--from', 'prisma-plaintext', '--source', source.url]
    expect(await counts(args)).toEqual(imported(2))
    expect(await verifyApiKey(oldKey('a'), { ip: '10.1.2.3' })).toMatchObject({
      ...{ valid: true, keyId: 'a', rateLimit: { limit: 5 }, expiresAt: new Date('2100-01-01Z') },
    })
    expect(await verifyApiKey(oldKey('b'))).toMatchObject({ code: 'DISABLED' })
    expect((await getApiKey('a'))!.usageCount).toBeGreaterThanOrEqual(12)
    expect(await counts(args)).toMatchObject({ imported: 0, skipped: 2 })
    const stored = await importing.database.sql(`SELECT "key" FROM "ApiKey"`)
    for (const { key } of stored) expect(key).toMatch(/^\$(import|argon2id)\$/)
  } finally {
    await source.drop()
  }
})

test('a table is read in parts, in the order of its ids, also by another name and with large numbers', async () => {
  const { sql } = importing.database
  await sql(`CREATE SCHEMA "of sanctum"`)
  // Ids that no number of JavaScript holds.
  await sql(
    `CREATE TABLE "of sanctum"."tokens" AS
     SELECT 9007199254740993 + n AS id, 'Token' AS name, 1 AS tokenable_id,
       encode(sha256(('token-of-number-' || n)::bytea), 'hex') AS token
     FROM generate_series(1, 2500) AS n`,
  )
  const args = ['--from', 'laravel-sanctum', '--table', 'of sanctum.tokens']
  expect(await counts(args)).toMatchObject({ imported: 2_500, failedCount: 0 })
  const token = { name: 'n', tokenable_id: 1, token: digestOf('x') }
  const line = JSON.stringify(token).replace('{', '{"id":9007199254740993,')
  expect(await counts(from('laravel-sanctum'), line)).toMatchObject({
    failed: [{ line: 1, message: 'has a number that is too large: it must be a text' }],
  })
  expect(await verifyApiKey('9007199254740994|token-of-number-1')).toMatchObject({ valid: true })
})

test('a table that is not there, or a database that does not answer, is told without its text', async () => {
  const { database } = importing
  const missing = await run(['--from', 'better-auth', '--table', 'no.such table'])
  expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('no such table') })
  const url = new URL(database.url)
  url.port = '1'
  const silent = await run(['--from', 'better-auth', '--source', url.href])
  expect(silent).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('The table cannot be read (ECONNREFUSED)'),
  })
  const unreadable = await run(['--from', 'better-auth', '--source', 'postgres://a b:c:d'])
  expect(unreadable.code).toBe(2)
})
