import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { cli, json } from './cli.js'

const HOUR = 3_600_000
/** The beginning of the hour so many hours from now. */
const floorHour = (hours: number): Date =>
  new Date(Math.floor(Date.now() / HOUR) * HOUR + hours * HOUR)

let database: Database
let env: Record<string, string>
let id: string
beforeAll(async () => {
  database = await freshDatabase()
  env = {
    DATABASE_URL: database.url,
    // The tests are about the commands, also on a machine that is overloaded.
    API_KEYS_STATEMENT_TIMEOUT_MS: '10000',
  }
  addon.configure({ databaseUrl: database.url, ...cheapHashing })
  const made = await addon.createApiKey({ name: 'n', clientId: 'acme' })
  id = made.id
  await addon.verifyApiKey(made.key)
  for (const cost of [5, 7]) await addon.verifyApiKey(made.key, { cost, tag: '/search' })
  await addon.close()
  await database.sql(
    `UPDATE sophra_api_keys.usage_state SET closed_until = $1, closes_until = $1`,
    [floorHour(-72)],
  )
  for (const hours of [-50, -49])
    await database.sql(
      `INSERT INTO sophra_api_keys.usage_log
         (stored_at, shift, key_ids, client_ids, tags, outcomes, quarters, counts, costs)
       VALUES ($1, 0, '{gone}', '{initech}', ARRAY[$2], '{EXPIRED}', ARRAY[$3::bigint], '{9}', '{0}')`,
      [floorHour(hours), '\u001b[31m', floorHour(hours).getTime() / (HOUR / 4)],
    )
})
afterAll(() => database.drop())

const run = (args: string[]) => cli(['usage', ...args], { env })
const program = (args: string[]) => json(['usage', ...args], { env })

describe('usage show', () => {
  test('shows the last day by hour, of all keys', async () => {
    const rows = await program(['show'])
    expect([24, 25]).toContain(rows.length)
    const [first, next] = rows.map(({ start }: any) => Date.parse(start))
    expect(next - first).toBe(HOUR)
    const last = rows.filter(({ count }: any) => count > 0)
    expect(last).toEqual([{ start: expect.any(String), count: 3, cost: 13 }])
    const { code, stdout, stderr } = await run(['show'])
    expect([code, stderr]).toEqual([0, ''])
    const lines = stdout.trimEnd().split('\n')
    expect(lines).toHaveLength(rows.length + 2)
    expect(lines[0]).toMatch(/^START +COUNT +COST$/)
    expect(lines[1]).toMatch(/^\d{4}-\d\d-\d\d \d\d:00 GMT\+00:00 +0 +0$/)
    expect(lines.at(-1)).toMatch(/^TOTAL +3 +13$/)
  })

  test('counts apart what it is told to, in the time zone of the buckets', async () => {
    const groups = ['--group-by', 'tag,outcome']
    const zone = ['--time-zone', 'America/New_York']
    const query = ['show', '--client', 'acme', '--from', '30d', '--bucket', 'day']
    const { code, stdout, stderr } = await run([...query, ...groups, ...zone])
    expect([code, stderr]).toEqual([0, ''])
    const start = new Intl.DateTimeFormat('sv-SE', { timeZone: zone[1] }).format()
    expect(stdout.replaceAll(/ +/g, ' ')).toBe(
      [
        'START TAG OUTCOME COUNT COST',
        `${start} - VALID 1 1`,
        `${start} /search VALID 2 12`,
        'TOTAL - - 3 13\n',
      ].join('\n'),
    )
    const months = await run(['show', '--from', '30d', '--bucket', 'month', '--group-by', 'keyId'])
    expect(months.stdout).toMatch(/^START +KEY +COUNT +COST\n\d{4}-\d\d +\S+ +\d+ +\d+\n/)
  })

  test.each([() => id, () => id.slice(0, 30)])(
    'of one key, by its id or its beginning',
    async (key) => {
      const rows = await program(['show', '--key', key(), '--group-by', 'clientId'])
      expect(rows.filter(({ count }: any) => count > 0)).toMatchObject([
        { clientId: 'acme', count: 3 },
      ])
    },
  )

  test('of a deleted key, whose texts do not steer the terminal', async () => {
    const args = ['show', '--key', 'gone', '--from', '60h', '--group-by', 'tag']
    const { code, stdout } = await run(args)
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/ \\u001b\[31m +9 +0\nTOTAL +- +18 +0\n$/),
    ])
    expect(JSON.stringify(await program(args))).toContain('\\u001b[31m')
  })

  test('says that there was none', async () => {
    for (const args of [
      ['--key', 'nobody'],
      ['--client', 'nobody', '--group-by', 'tag'],
    ])
      expect(await run(['show', ...args])).toMatchObject({
        code: 0,
        stdout: '',
        stderr: 'There was no usage in this time.\n',
      })
  })

  test.each([
    [['--client', 'c', '--key', 'k'], '--client and --key exclude each other'],
    [['--bucket', 'week'], '--bucket must be'],
    [['--group-by', 'tag,name'], '--group-by (value 2) must be'],
    [['--time-zone', 'Europe/Nowhere'], '--time-zone must be'],
    [['--from', '2026-01-31'], '--from must be a time ago like 24h'],
    [['--from', '1h', '--to', '2h'], '--to must be after from'],
    [['--from', '3650d'], '--to must be nearer to from'],
  ])('refuses %j', async (options, message) => {
    const { code, stdout, stderr } = await run(['show', ...options])
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(message)])
  })
})

describe('usage export', () => {
  test('lists closed hours, once each', async () => {
    const rows = await program(['export', '--limit', '1'])
    const row = { keyId: 'gone', clientId: 'initech', outcome: 'EXPIRED', count: 9, cost: 0 }
    const at = (hours: number) => floorHour(hours).toISOString()
    expect(rows).toMatchObject([{ ...row, hour: at(-50) }])
    const rest = await program(['export', '--after', rows[0].id])
    expect(rest.slice(0, 1)).toMatchObject([{ ...row, hour: at(-49) }])
    const part = await run(['export', '--limit', '1'])
    expect([part.code, part.stderr]).toEqual([
      0,
      `There may be more rows: use --after ${rows[0].id}\n`,
    ])
    expect(part.stdout.replaceAll(/ +/g, ' ')).toBe(
      `ID HOUR KEY CLIENT TAG OUTCOME COUNT COST\n${rows[0].id} ${at(-50)} gone initech \\u001b[31m EXPIRED 9 0\n`,
    )
    const nothing = await run(['export', '--after', '999999999'])
    expect(nothing).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'There is nothing to export yet: an hour is exported 10 minutes after its end.\n',
    })
  })

  test.each([
    [['--after', 'x'], '--after must be the id of an exported hour'],
    [['--limit', '0'], '--limit must be'],
    [['--limit', 'all'], '--limit must be a whole number'],
    [['--since', '1'], 'There is no option'],
  ])('refuses %j', async (options, message) => {
    const { code, stdout, stderr } = await run(['export', ...options])
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(message)])
  })
})
