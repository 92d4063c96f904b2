import { beforeEach, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useSetting, type Issued } from '../support/setting.js'

const { flush, getUsage, settle, updateApiKey, verifyApiKey } = addon

const setting = useSetting({ flushIntervalMs: 100 })

type Query = Parameters<typeof getUsage>[0]
type Row = Awaited<ReturnType<typeof getUsage>>[number]

const HOUR = 3_600_000
const at = (text: string): Date => new Date(text)

/** From an hour ago until the next one begins. */
const around = (): Pick<Query, 'from' | 'to' | 'bucket'> => ({
  from: new Date(Date.now() - HOUR),
  to: new Date(Date.now() + 1),
  bucket: 'hour',
})

/** The usage of the key in all buckets, without zeros: by tag and outcome. */
async function usageOf(keyId: string): Promise<Pick<Row, 'tag' | 'outcome' | 'count' | 'cost'>[]> {
  const sums = new Map<
    string,
    { tag: Row['tag']; outcome: Row['outcome']; count: number; cost: number }
  >()
  for (const { tag, outcome, count, cost } of await getUsage({
    ...around(),
    keyId,
    groupBy: ['tag', 'outcome'],
  })) {
    const id = JSON.stringify([tag, outcome])
    const sum = sums.get(id) ?? { tag, outcome, count: 0, cost: 0 }
    sums.set(id, { ...sum, count: sum.count + count, cost: sum.cost + cost })
  }
  return [...sums.values()]
}

const one = async (fields = {}): Promise<Issued> => (await setting.coldKeys(1, fields))[0]!

describe('what is counted', () => {
  test('accepted verifies, by tag, with what they cost', async () => {
    const { id, key } = await one()
    for (let time = 0; time < 3; time++) await verifyApiKey(key)
    for (const cost of [5, 0]) await verifyApiKey(key, { tag: '/files/[id]', cost })
    await verifyApiKey(key, { tag: 'größer 🎈' })
    await flush()
    expect(await usageOf(id)).toEqual([
      { tag: null, outcome: 'VALID', count: 3, cost: 3 },
      { tag: '/files/[id]', outcome: 'VALID', count: 2, cost: 5 },
      { tag: 'größer 🎈', outcome: 'VALID', count: 1, cost: 1 },
    ])
  })

  test('refused ones of a known key, which cost nothing', async () => {
    const limited = await one({
      rateLimit: 2,
      rateLimitWindowSeconds: 86_400,
      scopes: ['a'],
      quotas: [{ name: 'calls', amount: 1, period: 'total' }],
    })
    const { id, key } = limited
    await verifyApiKey(key, { tag: 't', scopes: ['b'] })
    await verifyApiKey(key, { tag: 't', cost: { calls: 1, default: 1 } })
    await verifyApiKey(key, { tag: 't', cost: { calls: 1, default: 1 } })
    await verifyApiKey(key, { tag: 't', cost: { calls: 0, default: 2 } })
    await verifyApiKey(key, { tag: 't', cost: { calls: 0, default: 2 } })
    await updateApiKey({ id, isActive: false })
    await setting.caughtUp()
    await verifyApiKey(key, { tag: 't' })
    await verifyApiKey('sk_unknown')
    await flush()
    expect(await usageOf(id)).toEqual([
      { tag: 't', outcome: 'DISABLED', count: 1, cost: 0 },
      { tag: 't', outcome: 'INSUFFICIENT_SCOPE', count: 1, cost: 0 },
      { tag: 't', outcome: 'QUOTA_EXCEEDED', count: 1, cost: 0 },
      { tag: 't', outcome: 'RATE_LIMITED', count: 2, cost: 0 },
      { tag: 't', outcome: 'VALID', count: 1, cost: 2 },
    ])
    const row = await setting.sql(
      `SELECT "usageCount"::int AS uses FROM "ApiKey" WHERE "id" = $1`,
      [id],
    )
    expect(row).toEqual([{ uses: 1 }])
  })

  test.each([
    [{ tag: '' }, 'tag'],
    [{ tag: 'a\nread' }, 'tag'],
    [{ tag: '\ta' }, 'tag'],
    [{ tag: 'a\u0000' }, 'tag'],
    [{ tag: '\ud800' }, 'tag'],
    [{ tag: 'x'.repeat(65) }, 'tag'],
    [{ tag: 7 }, 'tag'],
    [{ tag: ['a'] }, 'tag'],
    // What a tag is passed as to the warm path is no scope.
    [{ scopes: ['\tread'] }, 'scopes[0]'],
    [{ scopes: ['\tread', 'read'] }, 'scopes[0]'],
    [{ tag: 'a', scopes: ['\tread'] }, 'scopes[0]'],
    [{ tag: 'a', scopes: ['read\nwrite'] }, 'scopes[0]'],
  ])('nothing for %j, which is refused, whether or not the key is warm', async (context, path) => {
    const { key } = await one({ scopes: ['read'] })
    for (let time = 0; time < 2; time++) {
      await expect(verifyApiKey(key, context as never)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        issues: [{ path }],
      })
      expect((await verifyApiKey(key)).valid).toBe(true)
    }
  })

  test('a tag beside scopes, both of which hold', async () => {
    const { id, key } = await one({ scopes: ['read'] })
    const tag = 'é'.repeat(64)
    for (let time = 0; time < 2; time++) {
      expect((await verifyApiKey(key, { tag, scopes: ['read'] })).code).toBe('VALID')
      expect((await verifyApiKey(key, { tag, scopes: ['read', 'write'] })).code).toBe(
        'INSUFFICIENT_SCOPE',
      )
    }
    await flush()
    expect(await usageOf(id)).toEqual([
      { tag, outcome: 'INSUFFICIENT_SCOPE', count: 2, cost: 0 },
      { tag, outcome: 'VALID', count: 2, cost: 2 },
    ])
  })

  test('nothing that only peeks', async () => {
    const { id, key } = await one()
    await verifyApiKey(key, { peek: true, tag: 't' })
    await updateApiKey({ id, isActive: false })
    await setting.caughtUp()
    await verifyApiKey(key, { peek: true, tag: 't' })
    await flush()
    expect(await usageOf(id)).toEqual([])
  })

  test('what settling moves, under the tag of the request', async () => {
    const quotas = [{ name: 'tokens', amount: 1_000_000, period: 'month' as const }]
    const { id, key } = await one({ quotas })
    const charge = async (context: object): Promise<string> => {
      const answer = await verifyApiKey(key, context)
      if (!answer.valid) throw new Error(answer.code)
      return answer.charge!
    }
    await settle(await charge({ tag: 'number', cost: 100 }), 30)
    await settle(await charge({ tag: 'map', cost: { tokens: 10 } }), { tokens: 250 })
    await settle(await charge({ tag: 'mixed', cost: 5 }), { tokens: 4 })
    const once = await charge({ tag: 'once', cost: 7 })
    expect(await settle(once, 8)).toBe(true)
    expect(await settle(once, 9)).toBe(false)
    await settle(await charge({ cost: 2 }), 3)
    await settle(await charge({ tag: 'default' }), { tokens: 100 })
    await flush()
    expect(await usageOf(id)).toEqual([
      { tag: null, outcome: 'VALID', count: 1, cost: 3 },
      { tag: 'default', outcome: 'VALID', count: 1, cost: 100 },
      { tag: 'map', outcome: 'VALID', count: 1, cost: 250 },
      { tag: 'mixed', outcome: 'VALID', count: 1, cost: 4 },
      { tag: 'number', outcome: 'VALID', count: 1, cost: 30 },
      { tag: 'once', outcome: 'VALID', count: 1, cost: 8 },
    ])
  })

  test.each([
    [10, { a: 3, b: 4 }, 7],
    [10, { a: 0, b: 0 }, 0],
    [10, { b: 4 }, 4],
    [undefined, { a: 100, b: 50 }, 150],
    [{ a: 5 }, { b: 10 }, 15],
    [{ a: 5, b: 1 }, { b: 10 }, 15],
    [{ a: 5, b: 6 }, { a: 1, b: 2 }, 3],
    [{ a: 5, b: 6 }, 4, 4],
  ])('of %j settled at %j: %i', async (cost, actual, sum) => {
    const { id, key } = await one({
      limits: [{ name: 'a', limit: 1_000, windowSeconds: 60 }],
      quotas: [
        { name: 'a', amount: 1_000, period: 'month' },
        { name: 'b', amount: 1_000, period: 'month' },
      ],
    })
    const answer = await verifyApiKey(key, cost === undefined ? {} : { cost })
    expect(await settle((answer as { charge: string }).charge, actual)).toBe(true)
    await flush()
    expect(await usageOf(id)).toEqual([{ tag: null, outcome: 'VALID', count: 1, cost: sum }])
  })

  test('of a map, what is said of limits and quotas that the key has', async () => {
    const { id, key } = await one({
      rateLimit: 1_000,
      limits: [{ name: 'bytes', limit: 1_000_000, windowSeconds: 60 }],
      quotas: [{ name: 'bytes', amount: 1_000_000, period: 'month' }],
    })
    await verifyApiKey(key, { cost: { bytes: 700 } })
    await verifyApiKey(key, { cost: { bytes: 20, default: 3 } })
    await flush()
    expect(await usageOf(id)).toEqual([{ tag: null, outcome: 'VALID', count: 2, cost: 723 }])
  })

  test('a key that is deleted, and the client that it had when it was used', async () => {
    const { id, key } = await one({ clientId: 'before' })
    await verifyApiKey(key)
    await updateApiKey({ id, clientId: 'after' })
    await setting.caughtUp()
    await verifyApiKey(key)
    await verifyApiKey(key)
    await addon.deleteApiKey(id)
    await flush()
    const rows = await getUsage({ ...around(), bucket: 'day', keyId: id, groupBy: ['clientId'] })
    const used = rows.filter(({ count }) => count > 0)
    expect(used.map(({ clientId, count }) => ({ clientId, count }))).toEqual([
      { clientId: 'after', count: 2 },
      { clientId: 'before', count: 1 },
    ])
    const [before] = (
      await getUsage({ ...around(), clientId: 'before', groupBy: ['keyId'] })
    ).filter(({ count }) => count > 0)
    expect(before).toMatchObject({ keyId: id, count: 1, cost: 1 })
  })

  test('tags beyond 500 at a time as one', async () => {
    const { id, key } = await one()
    await verifyApiKey(key)
    await flush()
    // In one turn of the event loop, so that few flushes come between.
    for (let tag = 0; tag < 3_000; tag++) void verifyApiKey(key, { tag: `/${tag}` })
    await flush()
    const used = await usageOf(id)
    const other = used.find(({ tag }) => tag === 'other')
    expect(other?.count).toBeGreaterThan(0)
    expect(used.reduce((sum, { count }) => sum + count, 0)).toBe(3_001)
    expect(used.length).toBeLessThanOrEqual(1_002)
  })

  test('keys whose rows are locked, at once', async () => {
    const { id, key } = await one()
    const { Client } = await import('pg')
    const client = new Client({ connectionString: setting.database.url })
    await client.connect()
    await client.query('BEGIN')
    await client.query(`SELECT FROM "ApiKey" WHERE "id" = $1 FOR UPDATE`, [id])
    await verifyApiKey(key)
    await expect(flush()).rejects.toThrow(/locked/)
    expect(await usageOf(id)).toEqual([{ tag: null, outcome: 'VALID', count: 1, cost: 1 }])
    await client.query('ROLLBACK')
    await client.end()
    await flush()
    expect(await usageOf(id)).toEqual([{ tag: null, outcome: 'VALID', count: 1, cost: 1 }])
  })
})

describe('the buckets', () => {
  const starts = async (
    query: Omit<Query, 'bucket'> & Pick<Query, 'bucket'>,
  ): Promise<string[]> => {
    const rows = await getUsage({ keyId: 'none', ...query })
    for (const row of rows) expect(row).toEqual({ start: row.start, count: 0, cost: 0 })
    return rows.map(({ start }) => start.toISOString())
  }

  test('overlap the range, and are there without usage', async () => {
    const from = at('2026-03-01T10:59:59.999Z')
    expect(await starts({ from, to: at('2026-03-01T13:00:00Z'), bucket: 'hour' })).toEqual([
      '2026-03-01T10:00:00.000Z',
      '2026-03-01T11:00:00.000Z',
      '2026-03-01T12:00:00.000Z',
    ])
    expect(await starts({ from, to: at('2026-03-02T00:00:00.001Z'), bucket: 'day' })).toEqual([
      '2026-03-01T00:00:00.000Z',
      '2026-03-02T00:00:00.000Z',
    ])
    expect(await starts({ from, to: at('2026-05-01T00:00:00Z'), bucket: 'month' })).toEqual([
      '2026-03-01T00:00:00.000Z',
      '2026-04-01T00:00:00.000Z',
    ])
  })

  test('begin with the day of the time zone, if only a day is given', async () => {
    const month = { from: '2026-11-01', to: '2026-12-01', bucket: 'month' as const }
    for (const [timeZone, start] of [
      ['UTC', '2026-11-01T00:00:00.000Z'],
      ['America/New_York', '2026-11-01T04:00:00.000Z'],
      ['Europe/Berlin', '2026-10-31T23:00:00.000Z'],
    ] as const) {
      expect(await starts({ ...month, timeZone })).toEqual([start])
    }
    const same = {
      from: '2026-11-01',
      to: '2026-11-01',
      bucket: 'day',
      timeZone: 'Europe/Berlin',
    } as const
    await expect(starts(same)).rejects.toMatchObject({ issues: [{ path: 'to' }] })
  })

  test('are up to 10,000', async () => {
    const year = { from: at('2025-03-01T00:00:00Z'), to: at('2026-03-01T00:00:00Z') }
    expect(await starts({ ...year, bucket: 'hour' })).toHaveLength(8_760)
    const days = { from: at('2000-01-01T00:00:00Z'), to: at('2027-01-01T00:00:00Z') }
    expect(await starts({ ...days, bucket: 'day', timeZone: 'Europe/Berlin' })).toHaveLength(9_863)
  })

  test.each([
    ['UTC', '2026-03-28T00:00:00Z', '2026-03-31T00:00:00Z'],
    ['Europe/Berlin', '2026-03-28T00:00:00Z', '2026-03-31T00:00:00Z'],
    ['Europe/Berlin', '2026-10-24T00:00:00Z', '2026-10-26T00:00:00Z'],
    ['Asia/Kolkata', '2026-03-28T00:00:00Z', '2026-03-29T00:00:00Z'],
    ['Asia/Kathmandu', '2026-03-28T00:00:00Z', '2026-03-29T00:00:00Z'],
    ['Australia/Lord_Howe', '2026-04-04T00:00:00Z', '2026-04-05T12:00:00Z'],
    ['Australia/Lord_Howe', '2026-10-03T00:00:00Z', '2026-10-04T12:00:00Z'],
    ['America/Sao_Paulo', '2018-11-03T00:00:00Z', '2018-11-05T12:00:00Z'],
  ])('of %s from %s are those of its calendar', async (timeZone, first, last) => {
    const from = at(first)
    const to = at(last)
    for (const bucket of ['hour', 'day', 'month'] as const) {
      expect(await starts({ from, to, bucket, timeZone })).toEqual(
        boundsOf(from, to, bucket, timeZone),
      )
    }
  })

  test.each([
    [{ timeZone: 'Europe/Nowhere' }, 'timeZone'],
    [{ timeZone: '+01:00' }, 'timeZone'],
    [{ to: at('2026-03-01T00:00:00Z') }, 'to'],
    [{ to: at('2027-06-01T00:00:00Z') }, 'to'],
    [{ bucket: 'week' }, 'bucket'],
    [{ groupBy: ['name'] }, 'groupBy[0]'],
    [{ keyId: 'k', clientId: 'c' }, 'clientId'],
    [{ key: 'k' }, 'key'],
  ])('%j is refused', async (wrong, path) => {
    const query = {
      from: at('2026-03-01T00:00:00Z'),
      to: at('2026-03-02T00:00:00Z'),
      bucket: 'hour',
    }
    await expect(getUsage({ ...query, ...wrong } as Query)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      issues: [{ path }],
    })
  })
})

/** The bounds by the calendar of Node.js, minute by minute. */
function boundsOf(from: Date, to: Date, bucket: string, timeZone: string): string[] {
  const format = new Intl.DateTimeFormat('en-CA', {
    timeZone,
    hourCycle: 'h23',
    dateStyle: 'short',
    timeStyle: 'medium',
  })
  const parts = { hour: 14, day: 10, month: 7 }[bucket]!
  const local = (millis: number): string => format.format(millis).replace(', ', 'T')
  const bucketOf = (millis: number): string => local(millis).slice(0, parts)
  const quarter = HOUR / 4
  const isBound = (millis: number): boolean => {
    if (bucketOf(millis) !== bucketOf(millis - quarter)) return true
    return bucket === 'hour' && local(millis) < local(millis - quarter)
  }
  const bounds: string[] = []
  let first = Math.floor(from.getTime() / quarter) * quarter
  while (!isBound(first)) first -= quarter
  for (let millis = first; millis < to.getTime(); millis += quarter)
    if (isBound(millis)) bounds.push(new Date(millis).toISOString())
  return bounds
}

describe('hours', () => {
  beforeEach(async () => {
    await flush()
    await fold()
    await setting.sql(
      `TRUNCATE sophra_api_keys.usage_quarters, sophra_api_keys.usage_hours, sophra_api_keys.usage_rollups,
         sophra_api_keys.usage_series`,
    )
    await setting.sql(
      `UPDATE sophra_api_keys.usage_state SET closed_until = $1, closes_until = $1`,
      [floorHour(-72)],
    )
  })

  const fold = async (): Promise<void> => {
    while ((await setting.sql(`SELECT sophra_api_keys.fold_usage(20000, true) AS more`))[0]!.more);
  }
  /** The beginning of the hour so many hours from now. */
  const floorHour = (hours: number): Date =>
    new Date(Math.floor(Date.now() / HOUR) * HOUR + hours * HOUR)

  /** Usage that a process counted so many hours ago, and that was stored then. */
  const used = (hours: number, keyId: string, count: number, tag = '', storedHours = hours) =>
    setting.sql(
      `INSERT INTO sophra_api_keys.usage_log
         (stored_at, shift, key_ids, client_ids, tags, outcomes, quarters, counts, costs)
       VALUES ($6, 0, ARRAY[$1], '{client}', ARRAY[$2], '{VALID}', ARRAY[$3::bigint], ARRAY[$4::bigint], ARRAY[$5::bigint])`,
      [
        keyId,
        tag,
        floorHour(hours).getTime() / (HOUR / 4),
        count,
        2 * count,
        floorHour(storedHours),
      ],
    )

  const byHour = async (keyId: string, fields = {}) => {
    const rows = await getUsage({
      keyId,
      from: floorHour(-72),
      to: floorHour(1),
      bucket: 'hour',
      ...fields,
    })
    return rows
      .filter(({ count }) => count > 0)
      .map(({ start, count }) => [
        Math.round((start.getTime() - floorHour(0).getTime()) / HOUR),
        count,
      ])
  }

  test('that are closed are exported once, in order', async () => {
    await used(-5, 'b', 1)
    await used(-5, 'a', 2, '/tag')
    await used(-5, 'a', 3, '/tag')
    await used(-3, 'a', 4)
    await used(0, 'a', 5)
    const first = await addon.exportUsage({ limit: 2 })
    expect(first).toHaveLength(2)
    const rest = await addon.exportUsage({ after: first[1]!.id })
    const rows = [...first, ...rest]
    const ids = rows.map(({ id }) => Number(id))
    expect(ids).toEqual([...ids].sort((one, next) => one - next))
    expect(rows.map(({ id: _, ...row }) => row)).toEqual([
      {
        hour: floorHour(-5),
        keyId: 'a',
        clientId: 'client',
        tag: '/tag',
        outcome: 'VALID',
        count: 5,
        cost: 10,
      },
      {
        hour: floorHour(-5),
        keyId: 'b',
        clientId: 'client',
        tag: null,
        outcome: 'VALID',
        count: 1,
        cost: 2,
      },
      {
        hour: floorHour(-3),
        keyId: 'a',
        clientId: 'client',
        tag: null,
        outcome: 'VALID',
        count: 4,
        cost: 8,
      },
    ])
    expect(await addon.exportUsage()).toEqual(rows)
    expect(await addon.exportUsage({ after: rows[2]!.id })).toEqual([])
    expect(await byHour('a')).toEqual([
      [-5, 5],
      [-3, 4],
      [0, 5],
    ])
  })

  test('that are closed stay as they are: what arrives later counts in the open one', async () => {
    await used(-5, 'a', 1)
    const [row] = await addon.exportUsage()
    await used(-5, 'a', 10)
    await used(-4, 'a', 20)
    await used(40, 'a', 40)
    await fold()
    expect(await addon.exportUsage()).toEqual([row])
    const rows = await byHour('a')
    expect(rows[0]).toEqual([-5, 1])
    // The hour before may be open, too.
    expect(
      rows.slice(1).reduce((sum, [hour, count]) => sum + (hour! >= -1 ? count! : NaN), 0),
    ).toBe(70)
  })

  test('are closed only once everything is folded that was stored by then', async () => {
    await setting.sql(
      `UPDATE sophra_api_keys.usage_state SET closed_until = $1, closes_until = $1`,
      [floorHour(-2)],
    )
    // More than is folded at a time.
    for (let batch = 0; batch < 1_100; batch++) await used(-2, 'a', 1)
    await setting.sql(`SELECT sophra_api_keys.fold_usage(20000, true)`)
    expect(await setting.sql(`SELECT sum(count) FROM sophra_api_keys.usage_hours`)).toEqual([
      { sum: null },
    ])
    await fold()
    expect((await addon.exportUsage()).map(({ count }) => count)).toEqual([1_100])
  })

  test('of a client are those of its keys, and of all keys those of all clients', async () => {
    const clients = ['', 'a', 'b']
    await setting.sql(
      `INSERT INTO sophra_api_keys.usage_log
         (stored_at, shift, key_ids, client_ids, tags, outcomes, quarters, counts, costs)
       SELECT $2, 0, array_agg(format('%s-%s', client, n)), array_agg(client), array_agg(n % 3 || ''),
         array_agg((ARRAY['VALID', 'EXPIRED'])[1 + n % 2]), array_agg($3::bigint + n % 9), array_agg(n::bigint), array_agg(3::bigint * n)
       FROM unnest($1::text[]) AS client, generate_series(1, 500) AS n`,
      [clients, floorHour(-3), floorHour(-5).getTime() / (HOUR / 4)],
    )
    const range = { from: floorHour(-6), to: floorHour(1), bucket: 'hour' as const }
    const groupBy = ['tag', 'outcome'] as const
    type Sums = Record<string, number[]>
    const sumsOf = (rows: Row[]): Sums => {
      const sums: Sums = {}
      for (const { start, tag, outcome, count, cost } of rows) {
        const sum = (sums[`${start.toISOString()} ${tag} ${outcome}`] ??= [0, 0])
        sum[0]! += count
        sum[1]! += cost
      }
      return sums
    }
    const all = await getUsage({ ...range, groupBy: [...groupBy] })
    expect(all.reduce((sum, { count }) => sum + count, 0)).toBe((3 * 500 * 501) / 2)
    const byClient = await getUsage({ ...range, groupBy: ['clientId', ...groupBy] })
    const byKey = await getUsage({ ...range, bucket: 'day', groupBy: ['keyId', ...groupBy] })
    expect(sumsOf(byClient)).toEqual(sumsOf(all))
    expect(sumsOf(byKey)).toEqual(
      sumsOf(await getUsage({ ...range, bucket: 'day', groupBy: [...groupBy] })),
    )
    for (const clientId of ['a', 'b']) {
      const own = byClient.filter((row) => row.clientId === clientId)
      const asked = await getUsage({ ...range, clientId, groupBy: [...groupBy] })
      expect(sumsOf(asked)).toEqual(sumsOf(own))
    }
    const byHour = (rows: Row[]): Record<string, number[]> => {
      const hours: Record<string, number[]> = {}
      for (const { start, count, cost } of rows) {
        const hour = (hours[start.toISOString()] ??= [0, 0])
        hour[0]! += count
        hour[1]! += cost
      }
      return hours
    }
    expect(byHour(await getUsage(range))).toEqual(byHour(all))
    expect(byHour(await getUsage({ ...range, clientId: 'a' }))).toEqual(
      byHour(byClient.filter(({ clientId }) => clientId === 'a')),
    )
    const key = await getUsage({ ...range, keyId: 'a-7' })
    expect(key.reduce((sum, { cost }) => sum + cost, 0)).toBe(21)
    const grouped = await getUsage({ ...range, keyId: 'a-7', groupBy: [...groupBy] })
    expect(byHour(grouped)).toEqual(byHour(key))
  })

  test('are not held up by what is no usage, and health says what is left', async () => {
    await setting.sql(
      `INSERT INTO sophra_api_keys.usage_log
         (stored_at, shift, key_ids, client_ids, tags, outcomes, quarters, counts, costs)
       VALUES
         (now() - interval '20 minutes', 1, ARRAY[repeat(md5('a'), 200), 'b'], ARRAY[repeat(md5('b'), 200), 'c'],
           ARRAY[repeat(md5('t'), 200), NULL], ARRAY[repeat(md5('o'), 200), 'VALID'], ARRAY[0, 9223372036854775807],
           '{1, 1}', '{1, 1}'),
         (now(), 9223372036854775807, '{b}', '{c}', '{}', '{VALID}', '{1}', '{1}', '{1}')`,
    )
    await used(0, 'a', 3)
    const { status, problems } = await addon.health()
    expect(status).toBe('degraded')
    expect(problems).toEqual([expect.stringContaining('Usage over time is not up to date')])
    await fold()
    expect((await addon.health()).problems).toEqual([])
    expect(await byHour('a')).toEqual([[0, 3]])
  })

  test('are closed in parts, however small these are', async () => {
    for (let key = 0; key < 10; key++) await used(-4, `key-${key}`, 1)
    await used(-3, 'key-0', 1)
    await fold()
    await setting.sql(
      `UPDATE sophra_api_keys.usage_state SET closed_until = $1, closes_until = $1`,
      [floorHour(-72)],
    )
    await setting.sql(`TRUNCATE sophra_api_keys.usage_hours, sophra_api_keys.usage_rollups`)
    const parts = async (): Promise<number> => {
      for (let parts = 1; ; parts++) {
        const [row] = await setting.sql(`SELECT sophra_api_keys.fold_usage(3, true) AS more`)
        if (!row!.more) return parts
      }
    }
    expect(await parts()).toBeGreaterThanOrEqual(4)
    const rows = await addon.exportUsage()
    expect(rows.map(({ keyId, count }) => [keyId, count])).toEqual([
      ...Array.from({ length: 10 }, (_, key) => [`key-${key}`, 1]),
      ['key-0', 1],
    ])
    const sums = await getUsage({
      clientId: 'client',
      from: floorHour(-4),
      to: floorHour(-2),
      bucket: 'hour',
    })
    expect(sums.map(({ count }) => count)).toEqual([10, 1])
  })

  test('of a zone with half hours are answered from quarters, as long as these are kept', async () => {
    await used(-30, 'a', 1)
    await used(-29, 'a', 2)
    await fold()
    const timeZone = 'Asia/Kolkata'
    const days = { timeZone, bucket: 'day', from: floorHour(-60), to: floorHour(1) }
    const sum = (rows: number[][]): number => rows.reduce((sum, [, count]) => sum + count!, 0)
    expect(sum(await byHour('a', { timeZone }))).toBe(3)
    expect(sum(await byHour('a', days))).toBe(3)
    // One of the two hours is left.
    await setting.sql(`DELETE FROM sophra_api_keys.usage_quarters WHERE quarter < $1`, [
      floorHour(-29),
    ])
    await expect(byHour('a', { timeZone })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      issues: [{ path: 'timeZone' }],
    })
    expect(sum(await byHour('a', { timeZone: 'Europe/Berlin' }))).toBe(3)
    expect(sum(await byHour('b', { timeZone }))).toBe(0)
  })

  test('are kept as long as configured', async () => {
    await setting.sql(
      `UPDATE sophra_api_keys.usage_state SET closed_until = $1, closes_until = $1`,
      [floorHour(-24 * 500)],
    )
    await used(-24 * 450, 'old', 1)
    await used(-24 * 300, 'a', 1)
    await used(-24 * 10, 'a', 1)
    await fold()
    await setting.sql(`SELECT sophra_api_keys.prune_usage_history(14, 400, 1000)`)
    const rows = (table: string) =>
      setting.sql(
        `SELECT key_id, count FROM sophra_api_keys.${table} AS kept
         JOIN sophra_api_keys.usage_series AS series ON series.id = kept.series_id ORDER BY 1, kept.series_id`,
      )
    expect(await rows('usage_hours')).toHaveLength(2)
    expect(await rows('usage_quarters')).toHaveLength(1)
    // Of the client and of all keys, and the sums of these and of the key.
    expect(await rows('usage_rollups')).toHaveLength(10)
    expect(
      await setting.sql(`SELECT level, key_id FROM sophra_api_keys.usage_series ORDER BY 1`),
    ).toEqual([
      { level: 'all', key_id: '' },
      { level: 'all_sum', key_id: '' },
      { level: 'client', key_id: '' },
      { level: 'client_sum', key_id: '' },
      { level: 'key', key_id: 'a' },
      { level: 'key_sum', key_id: 'a' },
    ])
  })
})
