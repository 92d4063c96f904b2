import { beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { alien } from '../support/bad-values.js'
import { faultOf, invalidFields } from '../support/faults.js'
import { insertOldToken } from '../support/old-rows.js'
import { useAddon } from '../support/use-addon.js'

const { createAdminToken, flush, listAdminTokens, revokeAdminToken, verifyAdminToken } = addon

const secret = 'the JWT secret of this test, of 32 bytes or more'
const database = useAddon({ jwtSecret: secret, adopt: 'verify' })

type Query = NonNullable<Parameters<typeof listAdminTokens>[0]>
const namesOf = async (query?: Query): Promise<string[]> =>
  (await listAdminTokens(query)).map(({ name }) => name)

/** From the newest to the oldest: each is a day older than the one before. */
const NAMES = [
  'Ops',
  'Deploy 50%',
  'deploy_ÄRGER',
  'Gone',
  'Past',
  'prod-monitoring-1',
  'prod-api-2',
]

beforeAll(async () => {
  await createAdminToken({ name: 'Ops', permissions: ['keys:read', 'keys:write'] })
  await createAdminToken({ name: 'Deploy 50%', permissions: ['*'] })
  await createAdminToken({ name: 'deploy_ÄRGER', expiresInSeconds: 600 })
  const gone = await createAdminToken({ name: 'Gone', permissions: ['keys:read'] })
  await revokeAdminToken(gone.id)
  await createAdminToken({ name: 'Past', permissions: ['metrics:read'] })
  await insertOldToken(database.sql, secret, { name: 'prod-monitoring-1' })
  await insertOldToken(database.sql, secret, { name: 'prod-api-2' })
  for (const [days, name] of NAMES.entries())
    await database.sql(
      `UPDATE "AdminToken" SET "createdAt" = now() AT TIME ZONE 'UTC' - $2 * interval '1 day' WHERE "name" = $1`,
      [name, days],
    )
  await database.sql(
    `UPDATE "AdminToken" SET "expiresAt" = now() AT TIME ZONE 'UTC' - interval '1 ms' WHERE "name" = 'Past'`,
  )
})

const ago = (days: number): Date => new Date(Date.now() - days * 86_400_000)

test('a list has all tokens with their status, the newest first', async () => {
  expect(await namesOf()).toEqual(NAMES)
  for (const query of [undefined, null, {}]) expect(await namesOf(query as never)).toEqual(NAMES)
  const tokens = await listAdminTokens()
  expect(Array.isArray(tokens)).toBe(true)
  expect(tokens.map(({ status }) => status)).toEqual([
    'active',
    'active',
    'active',
    'revoked',
    'expired',
    'active',
    'active',
  ])
})

test.each<[string, Query, string[]]>([
  ['a status', { status: 'active' }, [...NAMES.slice(0, 3), ...NAMES.slice(5)]],
  ['expired', { status: 'expired' }, ['Past']],
  ['revoked', { status: 'revoked' }, ['Gone']],
  ['a part of the name in any case', { search: 'DEPLOY' }, ['Deploy 50%', 'deploy_ÄRGER']],
  ['letters beyond ASCII', { search: 'ärger' }, ['deploy_ÄRGER']],
  ['what means something to LIKE', { search: '50%' }, ['Deploy 50%']],
  ['the same', { search: 'y_Ä' }, ['deploy_ÄRGER']],
  ['nothing', { search: '___' }, []],
  [
    'an expiry that is near or past',
    { expiresBefore: new Date(Date.now() + 3_600_000) },
    ['deploy_ÄRGER', 'Past'],
  ],
  ['an expiry as text', { expiresBefore: '2020-01-01' }, []],
  ['a permission', { permission: 'keys:read' }, ['Ops', 'Deploy 50%', 'Gone', 'prod-api-2']],
  [
    'one that a name implies',
    { permission: 'monitoring' },
    ['Deploy 50%', 'prod-monitoring-1', 'prod-api-2'],
  ],
  ['all permissions', { permission: '*' }, ['Deploy 50%', 'prod-api-2']],
  ['one that only * has', { permission: ".*') OR true --" }, ['Deploy 50%', 'prod-api-2']],
  ['several', { permission: 'keys:read', status: 'active', search: 'ops' }, ['Ops']],
  [
    'null in all',
    { status: null, search: null, permission: null, limit: null, cursor: null },
    NAMES,
  ],
])('tokens are found by %s: %j', async (_what, query, names) => {
  expect(await namesOf(query)).toEqual(names)
})

test('tokens are found by how long nobody has used them', async () => {
  expect(await namesOf({ unusedSince: ago(4.5) })).toEqual(['prod-monitoring-1', 'prod-api-2'])
  const { id, token } = await createAdminToken({ name: 'Used' })
  await database.sql(
    `UPDATE "AdminToken" SET "createdAt" = '2020-01-01', "lastUsedAt" = '2021-01-01' WHERE "id" = $1`,
    [id],
  )
  expect(await namesOf({ unusedSince: '2021-01-02' })).toEqual(['Used'])
  expect(await namesOf({ unusedSince: '2020-06-01' })).toEqual([])
  await verifyAdminToken(token)
  await flush()
  expect(await namesOf({ unusedSince: '2021-01-02' })).toEqual([])
  await database.sql(`DELETE FROM "AdminToken" WHERE "id" = $1`, [id])
})

test('many uses of a token are one write', async () => {
  const { id, token } = await createAdminToken({ name: 'Busy' })
  await flush()
  const version = async () =>
    (await database.sql(`SELECT xmin::text FROM "AdminToken" WHERE "id" = $1`, [id]))[0]!.xmin
  const before = await version()
  for (let use = 0; use < 100; use++) expect((await verifyAdminToken(token)).valid).toBe(true)
  expect(await version()).toBe(before)
  await flush()
  const after = await version()
  expect(after).not.toBe(before)
  await flush()
  expect(await version()).toBe(after)
  await database.sql(`DELETE FROM "AdminToken" WHERE "id" = $1`, [id])
})

describe('pages', () => {
  test('go on behind the last token, also where several were made at once', async () => {
    await database.sql(
      `INSERT INTO "AdminToken" ("id", "token", "lookup", "name", "permissions", "createdAt", "updatedAt")
       SELECT 'm' || n, 'sha256:' || n, 'sha256:' || n, 'Many', '{}', '2010-01-01', '2010-01-01'
       FROM generate_series(1, 2345) AS n`,
    )
    expect(await listAdminTokens()).toHaveLength(1_000)
    for (const limit of [undefined, 1_000, 789]) {
      const ids: string[] = []
      for (let cursor: string | undefined; ; cursor = ids.at(-1)) {
        const page = await listAdminTokens({ limit, cursor })
        ids.push(...page.map(({ id }) => id))
        if (page.length < (limit ?? 1_000)) break
      }
      expect(ids).toHaveLength(NAMES.length + 2_345)
      expect(new Set(ids).size).toBe(ids.length)
    }
    const last = (await listAdminTokens({ search: 'Many', limit: 1 }))[0]!
    await database.sql(`DELETE FROM "AdminToken" WHERE "name" = 'Many'`)
    // A page behind a token that is gone would look like the end.
    expect(await faultOf(() => listAdminTokens({ cursor: last.id }))).toMatchObject({
      code: 'NOT_FOUND',
    })
    const end = (await listAdminTokens()).at(-1)!.id
    expect(await listAdminTokens({ cursor: end })).toEqual([])
  })
})

describe('a query', () => {
  test.each<[object, string]>([
    [{ status: 'gone' }, 'status'],
    [{ status: ['active'] }, 'status'],
    [{ search: 'ab' }, 'search'],
    [{ search: 'x'.repeat(256) }, 'search'],
    [{ search: 'a\0b' }, 'search'],
    [{ expiresBefore: 'tomorrow' }, 'expiresBefore'],
    [{ unusedSince: new Date(NaN) }, 'unusedSince'],
    [{ permission: '' }, 'permission'],
    [{ permission: 'x'.repeat(101) }, 'permission'],
    [{ limit: 0 }, 'limit'],
    [{ limit: 1_001 }, 'limit'],
    [{ cursor: '' }, 'cursor'],
    [{ id: 'x' }, 'id'],
    [{ after: 'x' }, 'after'],
  ])('with %j is refused', async (query, path) => {
    expect(await invalidFields(() => listAdminTokens(query as never))).toEqual([path])
  })

  test.each(alien)('with %s in its fields is refused', async (_what, value) => {
    const fields = [
      'cursor',
      'expiresBefore',
      'limit',
      'permission',
      'search',
      'status',
      'unusedSince',
    ]
    const query = Object.fromEntries(fields.map((field) => [field, value]))
    expect(await invalidFields(() => listAdminTokens(query as never))).toEqual(fields)
  })

  test('reads no inherited field', async () => {
    expect(await namesOf(Object.create({ status: 'revoked' }) as Query)).toEqual(NAMES)
  })
})
