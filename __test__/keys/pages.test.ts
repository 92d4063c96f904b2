import { beforeAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { sorted, SORTS, walk, type Key, type Query } from '../support/key-lists.js'
import { HOST, next } from '../support/next.js'
import { useAddon } from '../support/use-addon.js'

// Of so many keys, a page is found in three ways: by a walk in order, by an index, and by sorting all that pass.

const KEYS = 46_000
/** Too many for an index, and beyond the end of a walk in most of the orders. */
const DISABLED = 25_000

const { configure, close } = addon
const database = useAddon({})

beforeAll(async () => {
  await addon.migrate()
  const { sql } = database
  await sql(
    `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET track_functions = pl', current_database()); END $$`,
  )
  await sql(`ALTER TABLE "ApiKey" DISABLE TRIGGER USER`)
  await sql(
    `INSERT INTO "ApiKey" (
       "id", "key", "lookup", "clientId", "name", "createdBy", "isActive", "createdAt", "updatedAt", "expiresAt", "lastUsedAt",
       "usageCount", "scopes", "metadata", "suspendedUntil"
     )
     SELECT
       'key-' || n, 'hash of ' || n, 'lookup of ' || n, CASE WHEN n % 900 = 1 THEN 'acme' ELSE 'other' END,
       CASE WHEN n % 900 = 2 THEN 'rare word ' ELSE 'name ' END || lpad((n / 3)::text, 6, '0'),
       CASE WHEN n % 900 = 3 THEN 'ann' END, n <= $1::integer - $2::integer, made, made,
       CASE WHEN n % 4 > 0 THEN made + n % 5 * interval '1 year' + interval '1000 years' END,
       CASE WHEN n % 3 > 0 THEN made + interval '1 day' END,
       ($1 - n) / 7,
       CASE WHEN n % 900 = 4 THEN '{rare}' ELSE '{docs:read}' END::text[],
       jsonb_build_object('late', n > $1 - $2, 'rare', n % 900 = 5),
       CASE WHEN n % 900 = 6 THEN timestamp '2100-01-01' END
     FROM (
       SELECT n, timestamp '2026-01-01' - n / 2 * interval '1 second' AS made FROM generate_series(1, $1::integer) AS n
     ) AS numbered`,
    [KEYS, DISABLED],
  )
  await sql(
    `INSERT INTO sophra_api_keys.key_usage (key_id, last_used_at, usage_count, unused_since)
     SELECT "id", "lastUsedAt", "usageCount", coalesce("lastUsedAt", "createdAt") FROM "ApiKey"`,
  )
  await sql(`ALTER TABLE "ApiKey" ENABLE TRIGGER USER`)
  await sql(`VACUUM ANALYZE "ApiKey", sophra_api_keys.key_usage`)
  // For connections with the setting above.
  await close()
  configure({ databaseUrl: database.url() })
}, 300_000)

const late = (key: Key): boolean => (key.metadata as { late: boolean }).late
const unused = new Date('2025-12-31T20:00:00Z')
const FILTERS: [string, Query, (key: Key) => boolean][] = [
  ['none', {}, () => true],
  ['a client', { clientId: 'acme' }, (key) => key.clientId === 'acme'],
  ['a creator', { createdBy: 'ann' }, (key) => key.createdBy === 'ann'],
  ['a rare word', { search: 'rare w' }, (key) => key.name.startsWith('rare')],
  ['a rare scope', { scope: 'rare' }, (key) => key.scopes.includes('rare')],
  [
    'rare metadata',
    { metadata: { rare: true } },
    (key) => (key.metadata as { rare: boolean }).rare,
  ],
  ['suspended', { status: 'suspended' }, (key) => key.status === 'suspended'],
  ['active', { status: 'active' }, (key) => key.status === 'active'],
  ['disabled', { status: 'disabled' }, late],
  ['not active', { isActive: false }, late],
  ['frequent metadata', { metadata: { late: true } }, late],
  ['long unused', { unusedSince: unused }, (key) => (key.lastUsedAt ?? key.createdAt) < unused],
  [
    'long unused, of a creator',
    { createdBy: 'ann', unusedSince: unused },
    (key) => key.createdBy === 'ann' && (key.lastUsedAt ?? key.createdAt) < unused,
  ],
]

test('the first pages of each filter, in each order, are those that follow from the rows', async () => {
  const all = await walk({ limit: 1_000 })
  expect(all).toHaveLength(KEYS)
  for (const [name, filter, matches] of FILTERS) {
    const found = all.filter(matches)
    for (const [sort, valueOf] of SORTS) {
      for (const order of ['asc', 'desc'] as const) {
        const expected = sorted(found, valueOf, order === 'asc' ? 1 : -1).slice(0, 300)
        const ids: string[] = []
        let cursor: string | null = null
        do {
          const page = await addon.listApiKeys({ ...filter, sort, order, limit: 100, cursor })
          ids.push(...page.keys.map(({ id }) => id))
          cursor = page.nextCursor
        } while (cursor && ids.length < 300)
        expect([name, sort, order, ids]).toEqual([name, sort, order, expected])
      }
    }
  }
  await eventually(async () => {
    const calls = await database.sql(
      `SELECT funcname FROM pg_stat_user_functions WHERE funcname LIKE 'find\\_%' AND calls > 0 ORDER BY funcname`,
    )
    const names = calls.map(({ funcname }) => funcname)
    expect(names).toEqual(['find_by_index', 'find_by_sorting', 'find_guessed', 'find_keys'])
  })
}, 300_000)

test('the route finds as many keys whose time has come as it can list, and as many idle ones', async () => {
  const past = `"expiresAt" = timestamp '2026-01-02' WHERE "isActive" AND substr("id", 5)::integer % 2 = 0`
  await database.sql(`UPDATE "ApiKey" SET ${past}`)
  await close()
  configure({ databaseUrl: database.url(), jwtSecret: 'x'.repeat(32), maxIdleDays: 30 })
  const { token } = await addon.createAdminToken({ name: 'Reader', permissions: ['keys:read'] })
  for (const order of ['asc', 'desc']) {
    const url = `${HOST}/api/keys?status=expired&sort=name&order=${order}`
    const request = new Request(url, { headers: { 'x-admin-token': token } })
    const response = await next.apiKeyRoutes().GET(request)
    expect(response.headers.get('link')).toContain('rel="next"')
    const keys = (await response.json()) as { id: string }[]
    expect(new Set(keys.map(({ id }) => id)).size).toBe(10_000)
  }
}, 300_000)
