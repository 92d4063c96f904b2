import { beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { invalidFields } from '../support/faults.js'
import { sorted, SORTS, walk, type Key, type Query } from '../support/key-lists.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, deleteApiKey, flush, getApiKey, listApiKeys, verifyApiKey } = addon

const database = useAddon()

const DAY = 86_400_000
const MINUTE = 60_000
/** No row is so close to it that it matters when a test runs. */
const now = Date.now()

/** Of more segments than can be tried one by one. */
const LONG = 'a:b.c:d:e:f:g:h:i:j:k'
const SCOPES = [
  [],
  ['*'],
  ['docs:*'],
  ['docs:read'],
  ['docs:read', 'mail:send'],
  ['docs:write:all'],
  ['docs:*:all'],
  [LONG],
  [LONG.replace('b.c', '*')],
  [LONG.slice(0, 9) + '*'],
]
const NAMES = ['alpha', 'Beta', 'ALPHA two', 'gamma', 'Ωmega', 'delta needle']

/** Every combination of what the filters ask for occurs. */
beforeAll(async () => {
  await addon.migrate()
  await database.sql(
    `INSERT INTO "ApiKey" (
       "id", "key", "lookup", "clientId", "name", "description", "createdBy", "isActive", "createdAt", "updatedAt",
       "expiresAt", "lastUsedAt", "usageCount", "suspendedUntil", "revokedAt", "revokedReason", "scopes", "metadata"
     )
     SELECT * FROM jsonb_to_recordset($1::jsonb) AS row (
       "id" text, "key" text, "lookup" text, "clientId" text, "name" text, "description" text, "createdBy" text,
       "isActive" boolean, "createdAt" timestamp, "updatedAt" timestamp, "expiresAt" timestamp, "lastUsedAt" timestamp,
       "usageCount" bigint, "suspendedUntil" timestamp, "revokedAt" timestamp, "revokedReason" text, "scopes" text[],
       "metadata" jsonb
     )`,
    [JSON.stringify(Array.from({ length: 240 }, (_, n) => row(n)))],
  )
})

const at = (ms: number): string => new Date(ms).toISOString().slice(0, -1)

function row(n: number): Record<string, unknown> {
  const pick = <T>(values: T[], salt: number): T =>
    values[(n * 7 + salt * 13 + (n >> salt)) % values.length]!
  const isRevoked = n % 11 === 0
  return {
    id: `id-${(n * 37) % 240}`,
    key: `hash ${n}`,
    lookup: `lookup ${n}`,
    clientId: pick(['acme', 'other'], 1),
    name: pick(NAMES, 2),
    description: pick([null, 'a Needle lies here', '100%_sure\\'], 3),
    createdBy: pick([null, 'ann', 'bob'], 4),
    isActive: !isRevoked && n % 7 !== 0,
    // Several were made at the same moment.
    createdAt: at(now - Math.floor(n / 3) * DAY),
    updatedAt: at(now),
    expiresAt: pick([null, at(now - DAY), at(now + DAY), at(now + 2 * DAY)], 1),
    lastUsedAt: pick([null, at(now - MINUTE), at(now - 30 * DAY)], 2),
    usageCount: pick([0, 1, 5, 1_000_000], 3),
    suspendedUntil: pick([null, null, at(now + DAY), at(now - DAY)], 4),
    revokedAt: isRevoked ? at(now - DAY) : null,
    revokedReason: isRevoked ? 'unused' : null,
    scopes: pick(SCOPES, 5),
    metadata: pick([null, { plan: 'pro', seats: 3 }, { plan: 'free', tags: ['a', 'b'] }], 6),
  }
}

let all: Key[]
beforeAll(async () => {
  all = await walk({ limit: 1_000 })
  expect(all).toHaveLength(240)
})

function statusOf(key: Key): string {
  if (key.revokedAt) return 'revoked'
  if (!key.isActive) return 'disabled'
  if (key.expiresAt && key.expiresAt.getTime() <= now) return 'expired'
  if (key.suspendedUntil && key.suspendedUntil.getTime() > now) return 'suspended'
  return 'active'
}

const holds = (scopes: string[], wanted: string): boolean =>
  scopes.some(
    (scope) =>
      scope === wanted ||
      scope === '*' ||
      (scope === 'docs:*:all' && /^docs:[^:]+:all$/.test(wanted)) ||
      (scope === LONG.replace('b.c', '*') && wanted === LONG) ||
      (scope.endsWith(':*') && wanted.startsWith(scope.slice(0, -1))),
  )

const lower = (key: Key): string => `${key.name}\n${key.description ?? ''}`.toLowerCase()
const unusedSince = (key: Key): Date => key.lastUsedAt ?? key.createdAt

const FILTERS: [Query, (key: Key) => boolean][] = [
  [{}, () => true],
  ...['active', 'expired', 'revoked', 'suspended', 'disabled'].map(
    (status) => [{ status }, (key) => statusOf(key) === status] as [Query, (key: Key) => boolean],
  ),
  [{ clientId: 'acme' }, (key) => key.clientId === 'acme'],
  [{ createdBy: 'ann' }, (key) => key.createdBy === 'ann'],
  [{ isActive: false }, (key) => !key.isActive],
  [{ createdAfter: new Date(now - 40 * DAY) }, (key) => key.createdAt.getTime() >= now - 40 * DAY],
  [{ createdBefore: new Date(now - 40 * DAY) }, (key) => key.createdAt.getTime() < now - 40 * DAY],
  [
    { expiresBefore: new Date(now + DAY) },
    (key) => key.expiresAt !== null && key.expiresAt.getTime() < now + DAY,
  ],
  [{ unusedSince: new Date(now - 10 * DAY) }, (key) => unusedSince(key).getTime() < now - 10 * DAY],
  [{ unusedSince: new Date(now - 30 * DAY) }, (key) => unusedSince(key).getTime() < now - 30 * DAY],
  [{ scope: 'docs:read' }, (key) => holds(key.scopes, 'docs:read')],
  [{ scope: 'docs:write:all' }, (key) => holds(key.scopes, 'docs:write:all')],
  [{ scope: 'docs:*' }, (key) => holds(key.scopes, 'docs:*')],
  [{ scope: 'docs::all' }, (key) => holds(key.scopes, 'docs::all')],
  [{ scope: LONG }, (key) => holds(key.scopes, LONG)],
  [{ scope: LONG.replace('b.c', '*') }, (key) => holds(key.scopes, LONG.replace('b.c', '*'))],
  [{ metadata: { plan: 'pro' } }, (key) => key.metadata?.plan === 'pro'],
  [{ metadata: { tags: ['b'] } }, (key) => key.metadata?.plan === 'free'],
  [{ metadata: { seats: '3' } }, () => false],
  [{ metadata: {} }, (key) => key.metadata !== null],
  [{ search: 'NEEDLE' }, (key) => lower(key).includes('needle')],
  [{ search: '100%_' }, (key) => lower(key).includes('100%_')],
  [{ search: 'sure\\' }, (key) => lower(key).includes('sure\\')],
  [
    {
      status: 'active',
      clientId: 'acme',
      scope: 'docs:read',
      search: 'needle',
      metadata: { plan: 'free' },
    },
    (key) =>
      statusOf(key) === 'active' &&
      key.clientId === 'acme' &&
      holds(key.scopes, 'docs:read') &&
      lower(key).includes('needle') &&
      key.metadata?.plan === 'free',
  ],
]

describe.each(FILTERS)('%j', (filter, matches) => {
  test.each(SORTS)('by %s, both ways, in pages', async (sort, valueOf) => {
    const expected = all.filter(matches)
    if (Object.keys(filter).length > 0) expect(expected.length).toBeLessThan(all.length)
    for (const [order, direction] of [
      ['asc', 1],
      ['desc', -1],
    ] as const) {
      for (const limit of [7, 1_000]) {
        const found = await walk({ ...filter, sort, order, limit })
        expect(found.map(({ id }) => id)).toEqual(sorted(expected, valueOf, direction))
      }
    }
  })
})

test('the default is the newest first', async () => {
  expect(await walk({ limit: 50 })).toEqual(
    await walk({ sort: 'createdAt', order: 'desc', limit: 50 }),
  )
})

test('every answer has the status of the key', async () => {
  for (const key of all) expect(key.status).toBe(statusOf(key))
  const { id } = await createApiKey({ name: 'Status', clientId: 'status' })
  expect(await getApiKey(id)).toMatchObject({ status: 'active' })
  expect(await addon.patchApiKey({ id, isActive: false })).toMatchObject({ status: 'disabled' })
  expect(await addon.updateApiKey({ id, isActive: true, expiresAt: '2001-01-01' })).toMatchObject({
    status: 'expired',
  })
  expect(await addon.revokeApiKey({ id })).toMatchObject({ status: 'revoked' })
  expect(await addon.restoreApiKey(id)).toMatchObject({ status: 'expired' })
  await deleteApiKey(id)
})

test('a use is in the copy that lists are sorted by within a minute', async () => {
  const { id, key } = await createApiKey({ name: 'Used', clientId: 'copy' })
  const unused = await createApiKey({ name: 'Unused', clientId: 'copy' })
  const order = async (): Promise<string[]> =>
    (await listApiKeys({ clientId: 'copy', sort: 'usageCount' })).keys.map((key) => key.id)
  for (let use = 0; use < 3; use++) await verifyApiKey(key)
  await flush()
  // As if a minute had passed.
  await database.sql(`UPDATE sophra_api_keys.used_keys SET round = 0`)
  await eventually(async () => {
    const rows = await database.sql(
      `SELECT usage_count FROM sophra_api_keys.key_usage WHERE key_id = $1`,
      [id],
    )
    expect(rows).toEqual([{ usage_count: '3' }])
  }, 60_000)
  expect(await order()).toEqual([id, unused.id])
  const used = await listApiKeys({
    clientId: 'copy',
    unusedSince: new Date(Date.now() + MINUTE),
    sort: 'lastUsedAt',
  })
  expect(used.keys.map((key) => key.id)).toEqual([id, unused.id])
  expect(await database.sql(`SELECT FROM sophra_api_keys.used_keys WHERE round = 0`)).toEqual([])
  for (const key of [id, unused.id]) await deleteApiKey(key)
  expect(
    await database.sql(`SELECT FROM sophra_api_keys.key_usage WHERE key_id = $1`, [id]),
  ).toEqual([])
}, 120_000)

describe('cursors', () => {
  test.each([
    [{ sort: 'name' }, { sort: 'createdAt' }],
    [
      { sort: 'name', order: 'asc' },
      { sort: 'name', order: 'desc' },
    ],
    [{}, { order: 'asc' }],
  ] as [Query, Query][])('of %j are refused for %j', async (first, second) => {
    const { nextCursor } = await listApiKeys({ ...first, limit: 1 })
    expect(await invalidFields(() => listApiKeys({ ...second, cursor: nextCursor }))).toEqual([
      'cursor',
    ])
  })

  const encoded = (...parts: unknown[]): string =>
    Buffer.from(JSON.stringify(parts)).toString('base64url')

  test.each([
    encoded('createdAt', true, null, 'x'),
    encoded('createdAt', true, 'x', 'x'),
    encoded('createdAt', true, '1e3', 'x'),
    encoded('createdAt', true, '9223372036854775808', 'x'),
    encoded('createdAt', true, '-210866803200000001', 'x'),
    encoded('createdAt', true, '0', 'a\0b'),
    encoded('createdAt', true, '0'),
    encoded('createdAt', 'desc', '0', 'x'),
    encoded('updatedAt', true, '0', 'x'),
  ])('made up are refused: %#', async (cursor) => {
    expect(await invalidFields(() => listApiKeys({ cursor }))).toEqual(['cursor'])
  })

  test('that a page could end with are taken, whatever they hold', async () => {
    const cursors: [Query, string][] = [
      [{ sort: 'name' }, encoded('name', true, `'; DROP TABLE "ApiKey" --`, `'; SELECT \\`)],
      [{ sort: 'name' }, encoded('name', true, '%L %s %1$s', '%s')],
      [{ sort: 'usageCount' }, encoded('usageCount', true, '9223372036854775807', '')],
      [{ sort: 'expiresAt' }, encoded('expiresAt', true, null, '\\')],
      [{}, encoded('createdAt', true, '9223372036854775807', 'x')],
      [{}, encoded('createdAt', true, '-210866803200000000', 'x')],
      [{ sort: 'expiresAt' }, encoded('expiresAt', true, '-infinity', 'x')],
    ]
    for (const [query, cursor] of cursors)
      expect((await listApiKeys({ ...query, cursor, limit: 1 })).keys.length).toBeLessThanOrEqual(1)
    expect(await walk({})).toHaveLength(240)
  })
})

test('wrong values are refused by name', async () => {
  const wrong: [Query, string][] = [
    [{ status: 'on' as never }, 'status'],
    [{ sort: 'id' as never }, 'sort'],
    [{ order: 'up' as never }, 'order'],
    [{ createdAfter: 'yesterday' }, 'createdAfter'],
    [{ createdBefore: new Date(NaN) }, 'createdBefore'],
    [{ expiresBefore: 7 as never }, 'expiresBefore'],
    [{ unusedSince: '' }, 'unusedSince'],
    [{ scope: 'a b' }, 'scope'],
    [{ metadata: [] as never }, 'metadata'],
    [{ metadata: { a: 'x\0' } }, 'metadata.a'],
  ]
  for (const [query, field] of wrong)
    expect(await invalidFields(() => listApiKeys(query))).toEqual([field])
})

test('what a filter holds is never part of the statement', async () => {
  const texts = [
    `'`,
    `\\'`,
    `%L`,
    `%s %1$s`,
    `$1`,
    `"; --`,
    `E'\\''`,
    `\n'); DROP TABLE "ApiKey"; --`,
  ]
  for (const text of texts) {
    const searches: Query[] = [
      { clientId: text.trim() },
      { createdBy: text.trim() },
      { search: `${text.trim()}xx` },
      { metadata: { [text]: text } },
    ]
    for (const query of searches) expect((await listApiKeys(query)).keys).toEqual([])
  }
  expect(await walk({})).toHaveLength(240)
})

test('times that only the database can hold neither end a list nor keep it from ending', async () => {
  await database.sql(
    `INSERT INTO "ApiKey" ("id", "key", "lookup", "clientId", "name", "createdAt", "updatedAt", "expiresAt")
     SELECT 'odd-' || n, 'odd ' || n, 'odd ' || n, 'odd', 'Odd', now(), now(),
       CASE n % 4 WHEN 0 THEN timestamp 'infinity' WHEN 1 THEN timestamp '0044-03-15 BC' WHEN 2 THEN timestamp '20000-01-01' END
     FROM generate_series(1, 20) AS n`,
  )
  for (const order of ['asc', 'desc'] as const) {
    const found = await walk({ clientId: 'odd', sort: 'expiresAt', order, limit: 3 })
    expect(new Set(found.map(({ id }) => id)).size).toBe(20)
    expect(found).toHaveLength(20)
  }
  await database.sql(`DELETE FROM "ApiKey" WHERE "clientId" = 'odd'`)
})

test('keys and uses that no trigger has seen are listed in time', async () => {
  const { id } = await createApiKey({ name: 'Swept', clientId: 'swept' })
  await database.sql(`DELETE FROM sophra_api_keys.key_usage WHERE key_id = $1`, [id])
  await database.sql(`UPDATE "ApiKey" SET "usageCount" = 7, "lastUsedAt" = now() WHERE "id" = $1`, [
    id,
  ])
  await eventually(async () => {
    const { keys } = await listApiKeys({ clientId: 'swept', sort: 'usageCount' })
    expect(keys.map((key) => key.id)).toEqual([id])
  }, 60_000)
  await deleteApiKey(id)
}, 120_000)
