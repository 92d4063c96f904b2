import { createHash, randomBytes } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { jwt } from '../support/jwt.js'
import { dump } from '../support/leaks.js'
import { prismaTables } from '../support/prisma-tables.js'
import { cli, json } from './cli.js'

const JWT_SECRET = 'a secret of the tests, of 32 bytes or more'
const KEYS = 450

let database: Database
let env: Record<string, string>
let keys: string[]
let token: string
beforeEach(async () => {
  database = await freshDatabase()
  env = { DATABASE_URL: database.url, JWT_SECRET }
  await database.sql(prismaTables)
  keys = Array.from({ length: KEYS }, () => randomBytes(32).toString('base64url'))
  await database.sql(
    `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "updatedAt")
     SELECT 'id' || n, key, 'c', 'n', now() FROM unnest($1::text[]) WITH ORDINALITY AS old (key, n)`,
    [keys],
  )
  const now = Math.floor(Date.now() / 1000)
  const claims = { type: 'admin', name: 'prod-api-1', iat: now, exp: now + 3600 }
  token = jwt({ alg: 'HS256', typ: 'JWT' }, claims, JWT_SECRET)
  await database.sql(
    `INSERT INTO "AdminToken" ("id", "token", "name", "updatedAt") VALUES ('t', $1, 'prod-api-1', now())`,
    [token],
  )
})
afterEach(async () => {
  await addon.close()
  await database.drop()
})

test('migrate alone says what is left, migrate --adopt shows how far it is, and leaves nothing', async () => {
  const first = await cli(['migrate'], { env })
  expect([first.code, first.stderr]).toEqual([0, expect.stringContaining(`${KEYS + 1} rows`)])
  expect(await cli(['keys', 'verify'], { env, input: keys[0] })).toMatchObject({ code: 0 })

  const { code, stdout, stderr } = await cli(['migrate', '--adopt'], { env })
  expect(code, stderr).toBe(0)
  expect(stdout).toBe(`The schema is up to date.\nAdopted: ${KEYS + 1}\n`)
  expect(stderr).toMatch(new RegExp(`^\\d+ of ${KEYS + 1} adopted, \\d+ left$`, 'm'))
  expect(stderr).toContain('prod-api-1 (t) got every permission (*) because of its name')
  expect(await json(['migrate', '--adopt'], { env })).toMatchObject({ adopted: 0, remaining: 0 })

  const stored = await dump(database.sql)
  for (const secret of [...keys, token]) expect(stored.includes(secret)).toBe(false)
  addon.configure({ databaseUrl: database.url, jwtSecret: JWT_SECRET, ...cheapHashing })
  for (const key of keys) expect(await addon.verifyApiKey(key)).toMatchObject({ valid: true })
  expect(await addon.verifyAdminToken(token, { permission: 'keys:write' })).toMatchObject({
    valid: true,
  })
  // All that is left to do is what no migration does to an existing table.
  const findings = (await json(['doctor'], { env })) as Record<string, string>[]
  const open = findings.filter(({ status }) => status !== 'ok')
  expect(open.map(({ check }) => check)).toEqual(['usage-count'])
  await database.sql(open[0]!.sql!)
  const doctor = await cli(['doctor', '--quiet'], { env })
  expect([doctor.code, doctor.stdout]).toEqual([0, ''])
})

test('what cannot be adopted is left, and said', async () => {
  await cli(['migrate'], { env })
  // The hash of this key is in another row already.
  const lookup = `sha256:${createHash('sha256').update(keys[0]!).digest('hex')}`
  await database.sql(
    `INSERT INTO "ApiKey" ("id", "key", "lookup", "clientId", "name", "updatedAt")
    VALUES ('twin', '$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA', $1, 'c', 'n', now())`,
    [lookup],
  )
  const { code, stdout, stderr } = await cli(['migrate', '--adopt'], { env })
  expect([code, stdout]).toEqual([1, expect.stringContaining(`Adopted: ${KEYS}`)])
  expect(stderr).toContain('1 row is still plaintext')
  const findings = await json(['doctor'], { env })
  expect(findings).toContainEqual(
    expect.objectContaining({
      check: 'plaintext',
      status: 'warning',
      message: expect.stringContaining('1 key '),
    }),
  )
})
