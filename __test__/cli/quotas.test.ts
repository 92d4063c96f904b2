import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshDatabase, type Database } from '../support/database.js'
import { cli, json } from './cli.js'

let database: Database
let env: Record<string, string>
beforeAll(async () => {
  database = await freshDatabase()
  env = {
    DATABASE_URL: database.url,
    // The tests are about the commands, also on a machine that is overloaded.
    API_KEYS_STATEMENT_TIMEOUT_MS: '10000',
  }
})
afterAll(() => database.drop())

const run = (args: string[]) => cli(['quotas', ...args], { env })
const program = (args: string[]) => json(['quotas', ...args], { env })
const MONTHLY = { name: 'tokens', amount: 1_000, period: 'month' }

/** Makes a client with these quotas. */
const client = (id: string, ...quotas: object[]) =>
  json(['clients', 'set', id, '--quotas', JSON.stringify(quotas)], { env })
const createKey = (...options: string[]) =>
  json(['keys', 'create', '--name', 'Search', '--client', 'acme', ...options], { env })

const UNUSED = { used: 0, granted: 0, withheld: 0 }

describe('--quotas', () => {
  test('sets and clears the quotas of a client', async () => {
    const { quotas } = await client('set', { ...MONTHLY, anchorDay: 15 })
    expect(quotas).toEqual([{ ...MONTHLY, timeZone: 'UTC', anchorDay: 15 }])
    const kept = await json(['clients', 'set', 'set', '--name', 'n'], { env })
    expect(kept.quotas).toEqual(quotas)
    const cleared = await json(['clients', 'set', 'set', '--clear', 'quotas'], { env })
    expect(cleared.quotas).toEqual([])
  })

  test('sets and clears those of a key', async () => {
    const made = await createKey('--quotas', JSON.stringify([MONTHLY]))
    expect(made.quotas).toEqual([{ ...MONTHLY, timeZone: 'UTC', anchorDay: 1 }])
    const daily = { name: 'calls', amount: 5, period: 'day', timeZone: 'Europe/Oslo' }
    const update = ['keys', 'update', made.id]
    const changed = await json([...update, '--quotas', JSON.stringify([daily])], { env })
    expect(changed.quotas).toEqual([daily])
    expect((await json([...update, '--clear', 'quotas'], { env })).quotas).toEqual([])
  })

  test('shows people what was set', async () => {
    const quotas = [
      { ...MONTHLY, anchorDay: 15, timeZone: 'Europe/Oslo' },
      { name: 'images', amount: 5, period: 'week' },
      { name: 'exports', amount: 9, period: 'total' },
    ]
    const text =
      /^quotas +tokens: 1000 per month from day 15 \(Europe\/Oslo\), images: 5 per week \(UTC\), exports: 9 in total$/m
    await client('shown', ...quotas)
    expect((await cli(['clients', 'get', 'shown'], { env })).stdout).toMatch(text)
    const { id } = await createKey('--quotas', JSON.stringify(quotas))
    expect((await cli(['keys', 'show', id], { env })).stdout).toMatch(text)
    const { id: other } = await createKey()
    expect((await cli(['keys', 'show', other], { env })).stdout).toMatch(/^quotas +none$/m)
  })

  test.each([
    ['{}', '--quotas must be a JSON array, like [{"name": "tokens", "amount"'],
    ['[{"name":"a","amount":-1,"period":"day"}]', '--quotas (amount of value 1) must be'],
    ['[{"name":"a","amount":1,"period":"year"}]', '--quotas (period of value 1) must be'],
    ['[{"name":"a","amount":1,"period":"day","limit":1}]', '--quotas (limit of value 1) is not'],
  ])('refuses %s', async (quotas, message) => {
    for (const command of [
      ['clients', 'set', 'refused'],
      ['keys', 'create', '--name', 'n', '--client', 'c'],
    ]) {
      const { code, stdout, stderr } = await cli([...command, '--quotas', quotas], { env })
      expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(message)])
    }
  })
})

describe('quotas get', () => {
  test('answers what is left, as getQuota does', async () => {
    await client('read', MONTHLY)
    const state = await program(['get', '--client', 'read', '--name', 'tokens'])
    const resetsAt = expect.stringMatching(/^\d{4}-\d\d-01T00:00:00\.000Z$/)
    expect(state).toEqual({ ...MONTHLY, ...UNUSED, remaining: 1_000, resetsAt })
    const { id } = await createKey('--quotas', '[{"name":"calls","amount":3,"period":"total"}]')
    for (const key of [id, id.slice(0, 30)]) {
      const quota = { name: 'calls', amount: 3, period: 'total' }
      expect(await program(['get', '--key', key, '--name', 'calls'])).toEqual({
        ...quota,
        ...UNUSED,
        remaining: 3,
        resetsAt: null,
      })
    }
  })

  test('is a record for people', async () => {
    await client('people', MONTHLY, { name: 'exports', amount: 9, period: 'total' })
    const monthly = await run(['get', '--client', 'people', '--name', 'tokens'])
    expect([monthly.code, monthly.stderr]).toEqual([0, ''])
    expect(monthly.stdout).toMatch(/^name +tokens\namount +1000 per month\nused +0\nleft +1000\n/)
    expect(monthly.stdout).toMatch(/^refilled at +\d{4}-\d\d-01T00:00:00\.000Z$/m)
    const { stdout } = await run(['get', '--client', 'people', '--name', 'exports'])
    expect(stdout).toMatch(/^amount +9 in total\n(.*\n)*refilled at +never$/m)
  })

  test('says that there is none', async () => {
    await client('none', MONTHLY)
    const { id } = await createKey()
    for (const args of [
      ['--client', 'none', '--name', 'other'],
      ['--client', 'nobody', '--name', 'tokens'],
      ['--key', id, '--name', 'tokens'],
    ]) {
      const { code, stdout, stderr } = await run(['get', ...args])
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toContain('Quota not found')
    }
    const { code, stderr } = await run(['get', '--key', 'nobody', '--name', 'tokens', '--json'])
    expect([code, JSON.parse(stderr).error.code]).toEqual([1, 'NOT_FOUND'])
  })
})

describe('quotas grant', () => {
  test('adds units, for good or for a time', async () => {
    await client('granted', MONTHLY)
    const grant = ['grant', '--client', 'granted', '--name', 'tokens']
    const first = await program([...grant, '--amount', '500'])
    expect(first).toMatchObject({ ...UNUSED, granted: 500, remaining: 1_500 })
    const second = await program([...grant, '--amount', '50', '--expires', '30d'])
    expect(second).toMatchObject({ granted: 550, remaining: 1_550 })
    const shown = await run([...grant, '--amount', '5', '--expires', '2099-01-31T12:00:00Z'])
    expect([shown.code, shown.stderr]).toEqual([0, ''])
    expect(shown.stdout).toMatch(/^left +1555\nof it granted +555\n/m)
    expect(await program(['get', '--client', 'granted', '--name', 'tokens'])).toMatchObject({
      amount: 1_000,
      granted: 555,
    })
  })

  test('takes effect: a key goes on', async () => {
    const none = JSON.stringify([{ name: 'calls', amount: 0, period: 'day' }])
    const { id, key } = await createKey('--quotas', none)
    const verify = () => cli(['keys', 'verify'], { env, input: key })
    const refused = await verify()
    expect([refused.code, refused.stdout]).toEqual([
      1,
      expect.stringMatching(/^result +QUOTA_EXCEEDED\n(.*\n)*limited by +key\/calls$/m),
    ])
    await program(['grant', '--key', id, '--name', 'calls', '--amount', '1'])
    expect((await verify()).code).toBe(0)
  })

  test('is in the audit log, with the account', async () => {
    await client('audited', MONTHLY)
    await run(['grant', '--client', 'audited', '--name', 'tokens', '--amount', '7'])
    const [event, ...rest] = (
      await json(['audit', '--type', 'quota.granted'], { env })
    ).events.filter(({ clientId }: any) => clientId === 'audited')
    expect(event).toMatchObject({ quota: 'tokens', amount: 7 })
    expect(event.actor).toMatch(/^command line/)
    expect(rest).toEqual([])
  })

  test.each([
    [['--client', 'c', '--name', 'tokens'], '--amount is missing'],
    [['--client', 'c', '--amount', '1'], '--name is missing'],
    [['--name', 'tokens', '--amount', '1'], '--client or --key is missing'],
    [
      ['--client', 'c', '--key', 'k', '--name', 'tokens', '--amount', '1'],
      '--client and --key exclude each other',
    ],
    [['--client', 'c', '--name', 'tokens', '--amount', 'many'], '--amount must be a whole number'],
    [
      ['--client', 'c', '--name', 'tokens', '--amount', '0'],
      '--amount must be a whole number from 1',
    ],
    [['--client', 'c', '--name', 'a/b', '--amount', '1'], '--name must have 1 to 64'],
    [['--client', '', '--name', 'tokens', '--amount', '1'], '--client must have'],
    [
      ['--client', 'c', '--name', 'tokens', '--amount', '1', '--expires', '2027-01-31'],
      '--expires must be a time from now like 30d',
    ],
    [['--client', 'c', '--name', 'tokens', '--amount', '1', '--quota', 'a'], 'There is no option'],
  ])('refuses %j', async (options, message) => {
    const { code, stdout, stderr } = await run(['grant', ...options])
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(message)])
  })
})
