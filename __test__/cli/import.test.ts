import { createHash } from 'node:crypto'
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { neutralEnvironment } from '../support/child.js'
import { freshDatabase, type Database } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { bin, cli, json } from './cli.js'

// Keys move in from other libraries, and from one database to another.

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'import-'))))
afterAll(() => rm(folder, { recursive: true }))

const SECRETS = { JWT_SECRET: 'the JWT secret of this test, of 32 bytes or more' }
let database: Database
const env = (of = database) => ({ DATABASE_URL: of.url, ...SECRETS })
const use = (of: Database) =>
  addon.configure({ databaseUrl: of.url, jwtSecret: SECRETS.JWT_SECRET, ...cheapHashing })
beforeEach(async () => {
  database = await freshDatabase()
  use(database)
  await addon.migrate()
})
afterEach(async () => {
  await addon.close()
  await database.drop()
})

const digest = (key: string, encoding: 'hex' | 'base64url' = 'hex') =>
  createHash('sha256').update(key).digest(encoding)
const oldKey = (number: number) => `an-old-key-of-number-${number}`
const lines = (count: number) =>
  Array.from({ length: count }, (_, number) =>
    JSON.stringify({
      name: `Key ${number}`,
      clientId: 'acme',
      hash: { algorithm: 'sha256', encoding: 'hex', value: digest(oldKey(number)) },
    }),
  )

test('lines are imported once, and the bad ones are named', async () => {
  const input = [...lines(3), 'no JSON', '{"name":"x"}', 'null'].join('\n')
  const { code, stdout, stderr } = await cli(['import'], { env: env(), input })
  expect(stdout).toBe('Imported: 3\nSkipped: 0\nFailed: 3\n')
  expect(stderr.split('\n').slice(0, 3)).toEqual([
    'error: 4: is not JSON',
    expect.stringMatching(/^error: 5: clientId is required/),
    'error: 6: must be an object',
  ])
  expect(code).toBe(1)
  const again = await cli(['import', '-'], { env: env(), input: lines(3).join('\r\n') })
  expect(again).toMatchObject({ code: 0, stdout: 'Imported: 0\nSkipped: 3\nFailed: 0\n' })
  const tried = await json(['import', '--dry-run'], { env: env(), input: lines(4).join('\n') })
  expect(tried).toEqual({ imported: 1, skipped: 3, failedCount: 0, failed: [] })
})

test('an import that is killed again and again loses and doubles nothing', async () => {
  const count = 3_000
  const file = join(folder, 'many.ndjson')
  await writeFile(file, lines(count).join('\n'))
  const stored = async () =>
    Number((await database.sql(`SELECT count(*) AS count FROM "ApiKey"`))[0]!.count)
  for (let kill = 0; kill < 3; kill += 1) {
    const before = await stored()
    const child = spawn(process.execPath, [bin, 'import', file], {
      env: { ...neutralEnvironment(), ...env() },
    })
    await eventually(async () => expect((await stored()) > before || before === count).toBe(true))
    child.kill('SIGKILL')
  }
  expect(await cli(['import', file], { env: env() })).toMatchObject({ code: 0 })
  expect(await stored()).toBe(count)
  expect(await addon.verifyApiKey(oldKey(count - 1))).toMatchObject({ valid: true })
})

test('what is exported answers the same in another database', async () => {
  const other = await freshDatabase()
  try {
    const settings = {
      scopes: ['docs:read'],
      metadata: { plan: { name: 'pro', none: null } },
      limits: [{ name: 'tokens', limit: 10, windowSeconds: 60 }],
      quotas: [{ name: 'calls', amount: 5, period: 'month' as const }],
      allowedIps: ['10.0.0.0/8'],
    }
    const issued = await addon.createApiKey({ name: 'Issued', clientId: 'acme', ...settings })
    const disabled = await addon.createApiKey({ name: 'D', clientId: 'acme', isActive: false })
    const revoked = await addon.createApiKey({ name: 'R', clientId: 'acme' })
    await addon.revokeApiKey({ id: revoked.id, reason: 'superseded' })
    const rotated = await addon.updateApiKey({
      id: (await addon.createApiKey({ name: 'Before', clientId: 'acme' })).id,
      regenerateKey: true,
      gracePeriodSeconds: 3_600,
    })
    const hmac = {
      prefix: 'hm',
      hash: {
        algorithm: 'hmac-sha256',
        encoding: 'hex',
        value: createHash('sha256').digest('hex'),
        salt: '6b6579',
        part: { separator: '.', hashed: 'after', before: 'row' },
      },
    } as const
    await addon.importApiKeys([
      { name: 'I', clientId: 'acme', key: oldKey(1) },
      { name: 'H', clientId: 'acme', ...hmac },
    ])
    await database.sql(
      `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "rateLimit", "updatedAt")
       VALUES ('legacy', $1, 'acme', 'L', 0, now())`,
      [oldKey(2)],
    )
    await database.sql(`UPDATE sophra_api_keys.signing_keys SET fingerprint = fingerprint`)
    const [signing] = await database.sql(`SELECT * FROM sophra_api_keys.signing_keys`)
    const keys = [issued.key, disabled.key, revoked.key, rotated.key!, oldKey(1), oldKey(2)]
    const answersOf = () =>
      Promise.all(keys.map((key) => addon.verifyApiKey(key, { ip: '10.1.2.3', peek: true })))
    const expected = await answersOf()
    expect(expected.filter(({ valid }) => valid)).toHaveLength(4)

    const { stdout } = await cli(['export', '--hashes'], { env: env() })
    expect(stdout.trimEnd().split('\n')).toHaveLength(7)
    for (const key of keys) expect(stdout).not.toContain(key)
    expect((await cli(['export'], { env: env() })).stdout).not.toContain('$')
    await addon.close()
    use(other)
    await addon.migrate()
    const names = Object.keys(signing!).map((name) => `"${name}"`)
    await other.sql(
      `INSERT INTO sophra_api_keys.signing_keys (${names.join()}) VALUES (${names.map((_, at) => `$${at + 1}`).join()})`,
      Object.values(signing!),
    )
    const imported = await cli(['import'], { env: env(other), input: stdout })
    expect(imported).toMatchObject({ code: 0, stdout: 'Imported: 7\nSkipped: 0\nFailed: 0\n' })
    expect(await answersOf()).toEqual(expected)
    const again = await cli(['import'], { env: env(other), input: stdout })
    expect(again).toMatchObject({ code: 0, stdout: 'Imported: 0\nSkipped: 7\nFailed: 0\n' })
  } finally {
    await addon.close()
    await other.drop()
  }
})

test('keys of better-auth move in from its table', async () => {
  // As better-auth 1.3 creates it.
  await database.sql(`CREATE TABLE "apikey" (
    "id" text PRIMARY KEY, "name" text, "start" text, "prefix" text, "key" text NOT NULL, "userId" text NOT NULL,
    "refillInterval" integer, "refillAmount" integer, "lastRefillAt" timestamp, "enabled" boolean,
    "rateLimitEnabled" boolean, "rateLimitTimeWindow" integer, "rateLimitMax" integer, "requestCount" integer,
    "remaining" integer, "lastRequest" timestamp, "expiresAt" timestamp, "createdAt" timestamp NOT NULL,
    "updatedAt" timestamp NOT NULL, "permissions" text, "metadata" text)`)
  const insert = (id: string, fields: Record<string, unknown>) => {
    const row = {
      ...{ id, key: digest(oldKey(Number(id)), 'base64url'), userId: 'u1', enabled: true },
      ...{ createdAt: '2025-01-01', updatedAt: '2025-01-01' },
      ...fields,
    }
    const names = Object.keys(row).map((name) => `"${name}"`)
    return database.sql(
      `INSERT INTO "apikey" (${names.join()}) VALUES (${names.map((_, at) => `$${at + 1}`).join()})`,
      Object.values(row),
    )
  }
  await insert('1', {
    name: 'First',
    rateLimitEnabled: true,
    rateLimitTimeWindow: 86_400_000,
    rateLimitMax: 10,
    remaining: 3,
    permissions: '{"files":["read","write"]}',
    metadata: '{"plan":"pro"}',
  })
  await insert('2', { enabled: false })
  await insert('3', { expiresAt: '2020-01-01' })
  await insert('4', { rateLimitEnabled: true, rateLimitTimeWindow: 1_500, rateLimitMax: 10 })
  await insert('5', { refillInterval: 1_000, refillAmount: 5, remaining: 1 })
  const from = ['import', '--from', 'better-auth']
  const answer = await json(from, { env: env() })
  expect(answer).toEqual({
    ...{ imported: 3, skipped: 0, failedCount: 2 },
    failed: [
      { line: 5, message: expect.stringContaining('refillInterval must be') },
      { line: 4, message: expect.stringContaining('rateLimitWindowSeconds must be') },
    ],
  })
  expect(await addon.verifyApiKey(oldKey(1))).toMatchObject({
    ...{ valid: true, keyId: '1', clientId: 'u1', scopes: ['files:read', 'files:write'] },
    metadata: { plan: 'pro' },
  })
  expect((await addon.getQuota({ keyId: '1', name: 'remaining' })).amount).toBe(3)
  expect(await addon.verifyApiKey(oldKey(2))).toMatchObject({ code: 'DISABLED' })
  expect(await addon.verifyApiKey(oldKey(3))).toMatchObject({ code: 'EXPIRED' })
  await database.sql(`DELETE FROM "apikey" WHERE "id" IN ('4', '5')`)
  const again = await cli(from, { env: env() })
  expect(again).toMatchObject({ code: 0, stdout: 'Imported: 0\nSkipped: 3\nFailed: 0\n' })
})

test('rows of Laravel Sanctum and djangorestframework-api-key move in from lines', async () => {
  const token = 'abcdefghijklmnopqrstuvwxyz'
  const sanctum = {
    id: 7,
    name: 'Phone',
    tokenable_id: 3,
    token: digest(token),
    abilities: '["*"]',
  }
  const key = 'Ab3dEf9h.0123456789abcdefghijklmnopqrstuv'
  const django = {
    ...{
      id: 'x',
      prefix: 'Ab3dEf9h',
      name: 'Shop',
      revoked: false,
      created: '2025-01-01T00:00:00Z',
    },
    hashed_key: `sha512$$${createHash('sha512').update(key).digest('hex')}`,
  }
  const run = (from: string, row: object) =>
    cli(['import', '--from', from, '-'], { env: env(), input: JSON.stringify(row) })
  expect(await run('laravel-sanctum', sanctum)).toMatchObject({ code: 0 })
  expect(await run('djangorestframework-api-key', django)).toMatchObject({ code: 0 })
  expect(await addon.verifyApiKey(`7|${token}`)).toMatchObject({ valid: true, clientId: '3' })
  expect(await addon.verifyApiKey(`8|${token}`)).toMatchObject({ valid: false })
  expect(await addon.verifyApiKey(token)).toMatchObject({ valid: false })
  expect(await addon.verifyApiKey(key)).toMatchObject({ valid: true, clientId: 'Shop' })
})

test('the command line is checked', async () => {
  for (const args of [['--from', 'elsewhere'], ['--source', 'postgres://x/y'], ['no-such-file']]) {
    expect(await cli(['import', ...args], { env: env() })).toMatchObject({ code: 2 })
  }
})
