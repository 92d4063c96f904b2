import { Client } from 'pg'
import { Temporal } from 'temporal-polyfill'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'

let database: Database
let client: Client
beforeAll(async () => {
  database = await freshDatabase()
  addon.configure({ databaseUrl: database.url, ...cheapHashing })
  await addon.migrate()
  // The time zone of the session must not matter, so it has one whose days have 23 and 25 hours, too.
  client = new Client({ connectionString: database.url, options: '-c TimeZone=America/Havana' })
  await client.connect()
})
afterAll(async () => {
  await client.end()
  await addon.close()
  await database.drop()
})

interface Period {
  period: string
  anchor: number | null
  /** The first day of the next period. */
  after(day: Temporal.PlainDate): Temporal.PlainDate
}

const PERIODS: Period[] = [
  { period: 'day', anchor: null, after: (day) => day.add({ days: 1 }) },
  ...[1, 6].map((anchor) => ({ period: 'week', anchor, after: nextWeekday(anchor) })),
  ...[1, 15, 29, 30, 31].map((anchor) => ({
    period: 'month',
    anchor,
    after: nextMonthday(anchor),
  })),
]

function nextWeekday(anchor: number): Period['after'] {
  return (day) => {
    let next = day.add({ days: 1 })
    while (next.dayOfWeek !== anchor) next = next.add({ days: 1 })
    return next
  }
}

function nextMonthday(anchor: number): Period['after'] {
  // A day that the month does not have becomes its last one.
  const anchored = (month: Temporal.PlainYearMonth) => month.toPlainDate({ day: anchor })
  return (day) => {
    const month = day.toPlainYearMonth()
    const inMonth = anchored(month)
    return Temporal.PlainDate.compare(inMonth, day) > 0
      ? inMonth
      : anchored(month.add({ months: 1 }))
  }
}

function daysOf(from: string, to: string): Temporal.PlainDate[] {
  const days = []
  const last = Temporal.PlainDate.from(to)
  let day = Temporal.PlainDate.from(from)
  for (; Temporal.PlainDate.compare(day, last) <= 0; day = day.add({ days: 1 })) days.push(day)
  return days
}

/** The first instant of a day in a time zone, in milliseconds. */
function startsIn(timeZone: string): (day: Temporal.PlainDate) => number {
  const known = new Map<string, number>()
  return (day) => {
    const name = day.toString()
    let start = known.get(name)
    if (start === undefined) {
      start = day.toZonedDateTime(timeZone).epochMilliseconds
      known.set(name, start)
    }
    return start
  }
}

const noonIn = (timeZone: string, day: Temporal.PlainDate): number =>
  day.toZonedDateTime({ timeZone, plainTime: '12:00' }).epochMilliseconds

/** What the function answers for each of the instants, all in milliseconds. */
async function endsOf(timeZone: string, { period, anchor }: Period, instants: number[]) {
  const { rows } = await client.query(
    `SELECT array_agg(
       extract(epoch FROM sophra_api_keys.quota_period_end(
         $1, $2, $3, 'epoch'::timestamptz + milliseconds * interval '1 millisecond'
       ))::float8 * 1000 ORDER BY position
     ) AS ends
     FROM unnest($4::float8[]) WITH ORDINALITY AS instants (milliseconds, position)`,
    [period, timeZone, anchor, instants],
  )
  return rows[0].ends as number[]
}

const iso = (milliseconds: number | undefined): string =>
  milliseconds !== undefined && Number.isFinite(milliseconds)
    ? new Date(milliseconds).toISOString()
    : `${milliseconds}`

const EVERY_DAY = daysOf('2024-01-01', '2030-12-31')

test.each<[string, Temporal.PlainDate[]]>([
  ['UTC', EVERY_DAY],
  ['Europe/Berlin', EVERY_DAY],
  ['America/New_York', EVERY_DAY],
  // In autumn there are two midnights.
  ['America/Havana', EVERY_DAY],
  // In spring there is no midnight.
  ['Africa/Cairo', EVERY_DAY],
  ['Asia/Beirut', EVERY_DAY],
  // The clocks change by half an hour.
  ['Australia/Lord_Howe', EVERY_DAY],
  ['Asia/Kathmandu', EVERY_DAY],
  // In autumn midnight comes an hour after the clocks were turned back from it.
  ['America/Nuuk', EVERY_DAY],
  // So it did here, once and for good.
  ['Asia/Almaty', EVERY_DAY],
  // A minute after midnight the clocks were turned back into the day before.
  ['America/St_Johns', daysOf('2006-01-01', '2011-12-31')],
])('periods in %s end where Temporal says, whatever the day', async (timeZone, days) => {
  const startOf = startsIn(timeZone)
  const noons = days.map((day) => noonIn(timeZone, day))
  let compared = 0
  let first: string | undefined
  for (const { period, anchor, after } of PERIODS) {
    const cases = days.flatMap((day, index) => {
      const end = startOf(after(day))
      return [
        { at: startOf(day) - 1, end: startOf(after(day.subtract({ days: 1 }))) },
        { at: startOf(day), end },
        { at: noons[index]!, end },
      ]
    })
    const ends = await endsOf(
      timeZone,
      { period, anchor, after },
      cases.map(({ at }) => at),
    )
    for (const [index, { at, end }] of cases.entries()) {
      compared += 1
      if (ends[index] === end) continue
      first ??= `${period} ${anchor} at ${iso(at)}: ${iso(ends[index])} instead of ${iso(end)}`
    }
  }
  expect(first ?? 'no difference').toBe('no difference')
  expect(compared).toBe(days.length * 3 * PERIODS.length)
})

const HISTORY: [string, string, string, string][] = [
  // The second midnight of 2 November comes an hour later.
  ['America/Havana', 'day', '2025-11-01T12:00:00Z', '2025-11-02T04:00:00.000Z'],
  ['America/Havana', 'day', '2025-11-02T04:59:59Z', '2025-11-03T05:00:00.000Z'],
  // 24 April began at 01:00.
  ['Africa/Cairo', 'day', '2026-04-23T12:00:00Z', '2026-04-23T22:00:00.000Z'],
  // At the end of February midnight came an hour late.
  ['Asia/Almaty', 'month', '2024-02-29T18:30:00Z', '2024-02-29T19:00:00.000Z'],
  // After midnight, and again on the evening before: the day has begun.
  ['America/St_Johns', 'day', '2010-11-07T02:30:00Z', '2010-11-08T03:30:00.000Z'],
  ['America/St_Johns', 'day', '2010-11-07T02:31:00Z', '2010-11-08T03:30:00.000Z'],
  // The clocks went from 23:30 to 00:30.
  ['America/Toronto', 'day', '1919-03-30T12:00:00Z', '1919-03-31T04:30:00.000Z'],
  // There was no 30 December.
  ['Pacific/Apia', 'day', '2011-12-29T12:00:00Z', '2011-12-30T10:00:00.000Z'],
  ['Pacific/Apia', 'day', '2011-12-30T10:00:00Z', '2011-12-31T10:00:00.000Z'],
]
test.each(HISTORY)('in %s the %s of %s ended at %s', async (timeZone, period, at, expected) => {
  const [end] = await endsOf(timeZone, { period, anchor: 1, after: (day) => day }, [Date.parse(at)])
  expect(iso(end)).toBe(expected)
})

async function quotaPeriodEnd(...values: unknown[]): Promise<string> {
  const { rows } = await client.query(
    'SELECT sophra_api_keys.quota_period_end($1, $2, $3, $4)::text AS "end"',
    values,
  )
  return rows[0].end
}
const NOW = '2026-05-04T12:00:00Z'

test('a total never ends, and needs no anchor', async () => {
  await expect(quotaPeriodEnd('total', 'Asia/Tokyo', null, NOW)).resolves.toBe('infinity')
})

test('the time zones of Node.js are known, however unusual the name', async () => {
  const { rows } = await client.query(
    `SELECT name, extract(epoch FROM sophra_api_keys.quota_period_end('day', name, NULL, $2))::float8 * 1000 AS "end"
     FROM unnest($1::text[]) AS name WHERE name IN (SELECT name FROM pg_timezone_names)`,
    [Intl.supportedValuesOf('timeZone'), NOW],
  )
  expect(rows.length).toBeGreaterThan(400)
  const differences = rows.filter(({ name, end }) => {
    const local = Temporal.Instant.from(NOW).toZonedDateTimeISO(name)
    return local.add({ days: 1 }).startOfDay().epochMilliseconds !== end
  })
  expect(differences).toEqual([])
})

test.each([
  ['year', 'UTC', 1, NOW, 'Not a period: year'],
  ['Day', 'UTC', 1, NOW, 'Not a period: Day'],
  [null, 'UTC', 1, NOW, 'Not a period: NULL'],
  ['week', 'UTC', 0, NOW, 'Not a day of the week: 0'],
  ['week', 'UTC', 8, NOW, 'Not a day of the week: 8'],
  ['week', 'UTC', null, NOW, 'Not a day of the week: NULL'],
  ['month', 'UTC', 0, NOW, 'Not a day of the month: 0'],
  ['month', 'UTC', 32, NOW, 'Not a day of the month: 32'],
  ['month', 'UTC', null, NOW, 'Not a day of the month: NULL'],
  ['day', 'UTC', 1, null, 'Not an instant: NULL'],
  ['day', 'UTC', 1, 'infinity', 'Not an instant: infinity'],
  ['day', null, 1, NOW, 'Not the name of a time zone: NULL'],
  ['day', '', 1, NOW, 'Not the name of a time zone: '],
  ['day', 'Europe/Berlln', 1, NOW, 'time zone "Europe/Berlln" not recognized'],
  ['total', 'Europe/Berlln', 1, NOW, 'time zone "Europe/Berlln" not recognized'],
  // Postgres by itself would take these for an abbreviation or an offset.
  ['day', 'CET', 1, NOW, 'Not the name of a time zone: CET'],
  ['day', '+02', 1, NOW, 'Not the name of a time zone: +02'],
  ['day', 'Europe/Berlin2', 1, NOW, 'Not the name of a time zone: Europe/Berlin2'],
  ['day', 'Etc/GMT+15', 1, NOW, 'Not the name of a time zone: Etc/GMT+15'],
])('%s, %s, %s, %s is an error', async (period, timeZone, anchor, at, message) => {
  await expect(quotaPeriodEnd(period, timeZone, anchor, at)).rejects.toMatchObject({
    code: '22023',
    message,
  })
})
