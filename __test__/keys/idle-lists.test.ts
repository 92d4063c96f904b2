import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { sorted, SORTS, walk, type Key, type Query } from '../support/key-lists.js'
import { randomFrom } from '../support/random.js'
import { useAddon } from '../support/use-addon.js'

const { close, configure } = addon

const CONFIGURED = 10
const DAY = 86_400_000
const now = Date.now()
const database = useAddon({ maxIdleDays: CONFIGURED })

/** Only this session copies, when a test says so. */
let copier: Client
beforeAll(async () => {
  await addon.migrate()
  copier = new Client({ connectionString: database.url() })
  await copier.connect()
  await copier.query(`SELECT pg_advisory_lock(hashtextextended('sophra_api_keys.used_keys', 0))`)
  await insert(Array.from({ length: 300 }, (_, n) => row(`key-${(n * 97) % 300}`)))
})
afterAll(() => copier.end())

async function copy(): Promise<void> {
  const more = `SELECT sophra_api_keys.copy_key_usage() AS more`
  while ((await copier.query(more)).rows[0].more);
}

const random = randomFrom(7)
const pick = <T>(values: readonly T[]): T => values[random(values.length)]!

const time = (ms: number): string => new Date(ms).toISOString().slice(0, -1)
/** Half a day from any moment at which a key becomes idle. */
const ago = (days: number | null): string | null =>
  days === null ? null : time(now - (days + 0.5) * DAY)

function row(id: string): Record<string, unknown> {
  const isRevoked = pick([false, false, false, true])
  return {
    id,
    key: `hash of ${id}`,
    lookup: `lookup of ${id}`,
    clientId: pick(['acme', 'other']),
    createdBy: pick([null, 'ann']),
    name: pick(['alpha', 'Beta', 'ALPHA two', 'Ωmega']),
    isActive: !isRevoked && pick([true, true, true, false]),
    revokedAt: isRevoked ? time(now - DAY) : null,
    createdAt: ago(pick([1, 3, 9, 20, 50, 90])),
    updatedAt: time(now),
    expiresAt: pick([null, null, ago(40), ago(1), time(now + DAY), time(now + 9 * DAY)]),
    // Some were used before they were created here, as imported ones.
    lastUsedAt: ago(pick([null, null, 0, 4, 6, 9, 10, 11, 30, 61])),
    usageCount: pick([0, 0, 1, 5, 1_000]),
    rotatedAt: ago(pick([null, null, null, 0, 5, 12, 70])),
    maxIdleDays: pick([null, null, null, 2, 5, 60]),
    suspendedUntil: pick([null, null, null, time(now + DAY)]),
  }
}

const COLUMNS = `"id" text, "key" text, "lookup" text, "clientId" text, "createdBy" text, "name" text, "isActive" boolean,
  "revokedAt" timestamp, "createdAt" timestamp, "updatedAt" timestamp, "expiresAt" timestamp, "lastUsedAt" timestamp,
  "usageCount" bigint, "rotatedAt" timestamp, "maxIdleDays" integer, "suspendedUntil" timestamp`
const NAMES = COLUMNS.match(/"\w+"/g)!.join(', ')

const insert = (rows: Record<string, unknown>[]): Promise<unknown> =>
  database.sql(
    `INSERT INTO "ApiKey" (${NAMES}) SELECT * FROM jsonb_to_recordset($1::jsonb) AS row (${COLUMNS})`,
    [JSON.stringify(rows)],
  )

interface Facts {
  id: string
  rotated: Date | null
  used: Date | null
  count: number
}

/** What lists do not show: the last rotations, and the uses by which keys are sorted. */
async function facts(): Promise<Map<string, Facts>> {
  const rows = (await database.sql(
    `SELECT "id", "rotatedAt" AT TIME ZONE 'UTC' AS rotated, last_used_at AT TIME ZONE 'UTC' AS used,
       usage_count::float8 AS count
     FROM "ApiKey" JOIN sophra_api_keys.key_usage ON key_id = "id"`,
  )) as unknown as Facts[]
  return new Map(rows.map((row) => [row.id, row]))
}

function isIdle(key: Key, rotated: Date | null, days: number | null): boolean {
  const used = Math.max((key.lastUsedAt ?? key.createdAt).getTime(), rotated?.getTime() ?? 0)
  const most = Math.min(key.maxIdleDays ?? Infinity, days ?? Infinity)
  return now - used >= most * DAY
}

function statusOf(key: Key, rotated: Date | null, days: number | null): string {
  if (key.revokedAt) return 'revoked'
  if (!key.isActive) return 'disabled'
  if (key.expiresAt && key.expiresAt.getTime() <= now) return 'expired'
  if (isIdle(key, rotated, days)) return 'expired'
  if (key.suspendedUntil && key.suspendedUntil.getTime() > now) return 'suspended'
  return 'active'
}

const FILTERS: [Query, (key: Key) => boolean][] = [
  [{}, () => true],
  [{ clientId: 'acme' }, (key) => key.clientId === 'acme'],
  [{ createdBy: 'ann' }, (key) => key.createdBy === 'ann'],
  [{ search: 'beta' }, (key) => key.name === 'Beta'],
]
const STATUSES = ['active', 'expired', 'suspended', 'disabled', 'revoked', undefined] as const

/** Compares every list with what follows from the rows. */
async function compare(days: number | null): Promise<void> {
  const [all, known] = [await walk({ limit: 1_000 }), await facts()]
  expect(all).toHaveLength(known.size)
  const copied = {
    lastUsedAt: (key: Key) => known.get(key.id)!.used?.getTime() ?? null,
    usageCount: (key: Key) => known.get(key.id)!.count,
  }
  const status = (key: Key): string => statusOf(key, known.get(key.id)!.rotated, days)
  for (const key of all) expect(key.status).toBe(status(key))
  for (const wanted of STATUSES) {
    const found = all.filter((key) => !wanted || status(key) === wanted)
    expect(found.length).toBeGreaterThan(5)
    for (const [filter, matches] of FILTERS) {
      for (const [sort, valueOf] of SORTS) {
        const { [sort]: value = valueOf } = copied as Record<string, typeof valueOf>
        for (const order of ['asc', 'desc'] as const) {
          const query = { ...filter, status: wanted, sort, order, limit: 17 }
          const ids = (await walk(query)).map(({ id }) => id)
          const expected = sorted(found.filter(matches), value, order === 'asc' ? 1 : -1)
          expect([query, ids]).toEqual([query, expected])
        }
      }
    }
  }
}

const reconfigure = async (maxIdleDays: number | undefined): Promise<void> => {
  await close()
  configure({
    databaseUrl: database.url(),
    maxIdleDays,
    suspensionSeconds: 0,
    ...cheapHashing,
  })
}

describe('lists of each status, in each order, are those that follow from the rows', () => {
  test('as they were written', () => compare(CONFIGURED))

  test('after changes that were not copied', async () => {
    const changes = [
      `"rotatedAt" = now()`,
      `"maxIdleDays" = 3650`,
      `"maxIdleDays" = 1`,
      `"maxIdleDays" = NULL`,
      `"name" = 'Gamma ray'`,
      `"expiresAt" = now() + interval '2 days'`,
      `"expiresAt" = now() - interval '2 days'`,
      `"lastUsedAt" = now()`,
      `"lastUsedAt" = now(), "usageCount" = 7, "name" = 'Used and named'`,
      `"isActive" = true, "revokedAt" = NULL`,
      `"isActive" = false`,
      `"id" = 'moved-' || "id"`,
    ]
    const ids = [...(await facts()).keys()]
    for (const change of changes) {
      for (let n = 0; n < 12; n++) {
        const id = pick(ids)
        await database.sql(`UPDATE "ApiKey" SET ${change} WHERE "id" = $1`, [id])
      }
    }
    await insert(Array.from({ length: 40 }, (_, n) => row(`later-${n}`)))
    await database.sql(`DELETE FROM "ApiKey" WHERE "id" LIKE '%3'`)
    await compare(CONFIGURED)
  })

  test('when those are copied, too', async () => {
    await copy()
    await compare(CONFIGURED)
  })

  test.each([40, 3, undefined])('for a process that has %s configured', async (days) => {
    await reconfigure(days)
    await compare(days ?? null)
    await reconfigure(CONFIGURED)
  })

  test('after all rows were replaced by older ones', async () => {
    const rows = Array.from({ length: 300 }, (_, n) => row(`old-${n}`))
    await database.sql(`TRUNCATE "ApiKey"`)
    await insert(rows)
    await compare(CONFIGURED)
    await copy()
    await compare(CONFIGURED)
  })
}, 300_000)
