import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshDatabase, type Database } from '../support/database.js'
import { cli, json } from './cli.js'

let database: Database
let env: Record<string, string>
beforeAll(async () => {
  database = await freshDatabase()
  env = {
    DATABASE_URL: database.url,
    JWT_SECRET: 'a secret of the tests, of 32 bytes or more',
    // The tests are about the commands, also on a machine that is overloaded.
    API_KEYS_STATEMENT_TIMEOUT_MS: '10000',
  }
})
afterAll(() => database.drop())

const run = (args: string[], input?: string) => cli(args, { env, input })
const program = (args: string[], input?: string) => json(args, { env, input })

const create = (...options: string[]) =>
  program(['keys', 'create', '--name', 'Search', '--client', 'acme', ...options])

const limits = [
  { name: 'tokens', limit: 1000, windowSeconds: 60 },
  { name: 'images', limit: 5, windowSeconds: 86_400, suspends: true },
]

describe('keys create', () => {
  test('prints the key alone to standard output, and keeps nothing of it', async () => {
    const { code, stdout, stderr } = await run(['keys', 'create', '--name', 'n', '--client', 'c'])
    expect(code, stderr).toBe(0)
    expect(stdout).toMatch(/^sophra_live_[0-9A-Za-z]{12}_[0-9A-Za-z]{46}\n$/)
    expect(stderr).toContain('cannot be shown again')
    expect(stderr).not.toContain(stdout.trim())
    const rows = await database.sql(`SELECT t::text AS row FROM "ApiKey" AS t`)
    expect(rows.every(({ row }) => !row.includes(stdout.trim()))).toBe(true)
  })

  test('takes every field', async () => {
    const issued = await create(
      ...['--description', 'a note', '--expires', '2094-01-31T00:00:00Z', '--rate-limit', '100'],
      ...['--window', '15m', '--allow', '10.0.0.0/8, ::1', '--allow', '192.0.2.1'],
      ...['--scope', 'docs:read,docs:list', '--metadata', '{"plan":"free"}', '--disabled'],
      ...['--limits', JSON.stringify(limits)],
    )
    expect(issued).toMatchObject({
      limits,
      description: 'a note',
      expiresAt: '2094-01-31T00:00:00.000Z',
      rateLimit: 100,
      rateLimitWindowSeconds: 900,
      allowedIps: ['10.0.0.0/8', '::1', '192.0.2.1'],
      scopes: ['docs:read', 'docs:list'],
      metadata: { plan: 'free' },
      isActive: false,
    })
    expect(issued.key).toContain(issued.start)
  })

  test('takes a time from now', async () => {
    const before = Date.now()
    const { expiresAt } = await create('--expires', '30d')
    const ahead = new Date(expiresAt).getTime() - before
    expect(ahead).toBeGreaterThanOrEqual(30 * 86_400_000)
    expect(ahead).toBeLessThan(31 * 86_400_000)
  })

  test.each([
    [['--rate-limit', '0'], '--rate-limit must be a whole number from 1'],
    [['--rate-limit', 'many'], '--rate-limit must be a whole number'],
    [['--allow', 'localhost'], '--allow (value 1) must be'],
    [['--scope', 'docs read'], '--scope (value 1)'],
    [['--expires', 'tomorrow'], '--expires must be a time from now like 30d'],
    [['--expires', '2094-01-31'], 'or an instant with a time zone'],
    [['--window', '2 days'], '--window must be a number of seconds'],
    [['--metadata', '{'], '--metadata must be a JSON object'],
    [['--limits', 'tokens=5'], '--limits must be a JSON array, like [{"name": "tokens"'],
    [['--limits', '{"name":"tokens","limit":1,"windowSeconds":60}'], '--limits must be a JSON'],
    [['--limits', '[1]'], '--limits (value 1) must be'],
    [['--limits', '[{"name":"a","limit":1}]'], '--limits (windowSeconds of value 1) is required'],
    [
      ['--limits', '[{"name":"default","limit":1,"windowSeconds":60}]'],
      '--limits (name of value 1) is the name of the limit that rateLimit sets',
    ],
    [['--name', 'twice'], '--name is given more than once'],
  ])('refuses %j', async (options, message) => {
    const { code, stdout, stderr } = await run([
      'keys',
      'create',
      '--name',
      'n',
      '--client',
      'c',
      ...options,
    ])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(message)
  })

  test('names every bad field at once, to programs by its path', async () => {
    const bad = ['keys', 'create', '--name', '', '--client', 'c', '--allow', '1.2.3.4,x', '--json']
    const { code, stderr } = await run(bad)
    expect(code).toBe(2)
    const { error } = JSON.parse(stderr)
    expect(error.code).toBe('INVALID_INPUT')
    expect(error.issues.map(({ path }: { path: string }) => path)).toEqual([
      'name',
      'allowedIps[1]',
    ])
  })
})

describe('keys list', () => {
  test('is a table for people', async () => {
    const made = await program(['keys', 'create', '--name', 'Listed', '--client', 'lister'])
    const { code, stdout } = await run(['keys', 'list', '--client', 'lister'])
    expect(code).toBe(0)
    const [head, row, ...rest] = stdout.trim().split('\n')
    expect(head).toMatch(/^ID +START +NAME +CLIENT +STATUS +LIMIT +USED +LAST USED$/)
    expect(row).toMatch(
      new RegExp(`^${made.id} +${made.start} +Listed +lister +active +none +0 +never$`),
    )
    expect(rest).toEqual([])
    expect(stdout).not.toContain('\u001b')
  })

  test('goes on where it ended, and knows an end', async () => {
    for (const name of ['p1', 'p2', 'p3']) {
      await program(['keys', 'create', '--name', name, '--client', 'pages'])
    }
    const first = await program(['keys', 'list', '--client', 'pages', '--limit', '2'])
    expect(first.keys.map((key: any) => key.name)).toEqual(['p3', 'p2'])
    const { stderr } = await run(['keys', 'list', '--client', 'pages', '--limit', '2'])
    expect(stderr).toContain(first.nextCursor)
    const next = ['keys', 'list', '--client', 'pages', '--cursor', first.nextCursor]
    const second = await program(next)
    expect(second.keys.map((key: any) => key.name)).toEqual(['p1'])
    expect(second.nextCursor).toBeNull()
    const all = await program(['keys', 'list', '--client', 'pages', '--all'])
    expect(all.keys).toHaveLength(3)
  })

  test('filters', async () => {
    const off = await program(['keys', 'create', '--name', 'Needle', '--client', 'f', '--disabled'])
    const found = await program(['keys', 'list', '--search', 'eedl', '--status', 'disabled'])
    expect(found.keys.map((key: any) => key.id)).toEqual([off.id])
    expect((await program(['keys', 'list', '--client', 'f', '--status', 'active'])).keys).toEqual(
      [],
    )
    const { code, stdout, stderr } = await run([
      'keys',
      'list',
      '--client',
      'f',
      '--status',
      'active',
    ])
    expect([code, stdout, stderr]).toEqual([0, '', 'There are no such keys.\n'])
  })

  test('lets nothing in a row steer the terminal', async () => {
    const evil = '\u001b]0;owned\u0007\u009b31m\u202etxt\r\n'
    await create()
    const { id } = await program(['keys', 'create', '--name', 'x', '--client', 'evil'])
    await database.sql(`UPDATE "ApiKey" SET "name" = $2, "description" = $2 WHERE "id" = $1`, [
      id,
      evil,
    ])
    for (const args of [
      ['keys', 'list', '--client', 'evil'],
      ['keys', 'show', id],
    ]) {
      for (const shape of [[], ['--json']]) {
        const { stdout, stderr } = await run([...args, ...shape])
        expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
        expect(stdout).toContain('\\u001b]0;owned')
      }
    }
    const { keys } = await program(['keys', 'list', '--client', 'evil'])
    expect(keys[0].name).toBe(evil)
    const { stderr } = await run(['keys', 'revoke', id])
    expect(stderr).not.toContain('\u001b')
  })
})

describe('one key', () => {
  test('is shown, changed, and cleared', async () => {
    const { id } = await create('--rate-limit', '5', '--expires', '30d')
    expect(await program(['keys', 'show', id])).toMatchObject({ id, rateLimit: 5 })
    const changed = ['--name', 'Renamed', '--clear', 'rate-limit,expires', '--disable']
    expect(await program(['keys', 'update', id, ...changed])).toMatchObject({
      name: 'Renamed',
      rateLimit: null,
      expiresAt: null,
      isActive: false,
    })
    const { stdout } = await run(['keys', 'update', id, '--enable'])
    expect(stdout).toMatch(/^status +active$/m)
  })

  test('is shown with all of its limits', async () => {
    const { id } = await create('--rate-limit', '5', '--limits', JSON.stringify(limits))
    const shown = async () => (await run(['keys', 'show', id])).stdout
    const listed = async () => (await run(['keys', 'list', '--search', 'search'])).stdout
    expect(await shown()).toMatch(
      /^rate limit +5 per window\nfurther limits +tokens: 1000 per 60 s, images: 5 per 86400 s \(suspends\)$/m,
    )
    expect(await listed()).toMatch(
      new RegExp(`^${id} .* 5 per window, tokens: 1000 per 60 s, im… `, 'm'),
    )
    await run(['keys', 'update', id, '--clear', 'rate-limit,limits'])
    expect(await shown()).toMatch(/^rate limit +none\nfurther limits +none$/m)
    expect(await listed()).toMatch(new RegExp(`^${id} .* none +0 `, 'm'))
    // What cannot be read does not mean that there is no limit.
    await database.sql(`UPDATE "ApiKey" SET "limits" = '[{"name": "tokens"}]' WHERE "id" = $1`, [
      id,
    ])
    expect(await shown()).toMatch(/^further limits +unreadable$/m)
    expect(await listed()).toMatch(new RegExp(`^${id} .* unreadable +0 `, 'm'))
  })

  test.each([
    [[], 'nothing to change'],
    [['--clear', 'client'], '--clear does not take this value'],
    [['--clear', 'scopes'], 'did you mean "scope"'],
    [['--clear', 'scope', '--scope', 'a'], 'both set and cleared'],
    [['--enable', '--disable'], 'exclude each other'],
  ])('is not changed by %j', async (options, message) => {
    const { code, stderr } = await run(['keys', 'update', 'any', ...options])
    expect(code).toBe(2)
    expect(stderr).toContain(message)
  })

  test('is rotated, with a grace period or without', async () => {
    const { id, key } = await create()
    const { code, stdout, stderr } = await run(['keys', 'rotate', id, '--grace', '1h'])
    expect([code, stderr]).toEqual([0, expect.stringContaining('is valid until')])
    const second = stdout.trim()
    expect(second).not.toBe(key)
    for (const presented of [key, second]) {
      expect((await run(['keys', 'verify'], presented)).code).toBe(0)
    }
    const third = await program(['keys', 'rotate', id])
    expect((await run(['keys', 'verify'], second)).code).toBe(1)
    expect((await run(['keys', 'verify'], third.key)).code).toBe(0)
  })

  test('is revoked with others of a filter, but not without a word where nobody can be asked', async () => {
    const where = ['keys', 'revoke', '--where', '{"clientId": "leaving"}']
    const keys = [
      await program(['keys', 'create', '--name', 'a', '--client', 'leaving']),
      await program(['keys', 'create', '--name', 'b', '--client', 'leaving']),
    ]
    const codes = async () => {
      const answers = keys.map(({ key }) => program(['keys', 'verify'], key))
      return (await Promise.all(answers)).map(({ code }) => code)
    }
    const refused = await run(where)
    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toContain('give --yes, or --expected-count with the number of keys')
    expect(await program([...where, '--dry-run'])).toEqual({ count: 2 })
    expect((await run([...where, '--expected-count', '3'])).stderr).toContain('2 keys')
    expect(await codes()).toEqual(['VALID', 'VALID'])
    expect(await program([...where, '--expected-count', '2'])).toEqual({ count: 2 })
    expect(await codes()).toEqual(['REVOKED', 'REVOKED'])
    await program(['keys', 'create', '--name', 'c', '--client', 'leaving'])
    expect(await program([...where, '--yes'])).toEqual({ count: 1 })
  })

  test('is revoked and restored, or deleted', async () => {
    const { id, key } = await create()
    const reason = ['--reason', 'abuse', '--note', 'Scraping']
    expect(await program(['keys', 'revoke', id, ...reason])).toMatchObject({
      id,
      revokedReason: 'abuse',
    })
    expect(await program(['keys', 'verify'], key)).toMatchObject({ code: 'REVOKED' })
    expect((await run(['keys', 'show', id])).stdout).toMatch(
      /^status +revoked$[^]*^revoked +20[^]*^revoked by +command line[^]*^revoked for +abuse$/m,
    )
    const [entry] = (await program(['audit', '--id', id])).events
    expect(entry).toMatchObject({ type: 'key.revoked', reason: 'abuse', note: 'Scraping' })
    expect(await program(['keys', 'restore', id])).toMatchObject({ id, revokedAt: null })
    expect(await program(['keys', 'verify'], key)).toMatchObject({ code: 'VALID' })
    await run(['keys', 'revoke', id, '--reason', 'compromised'])
    expect((await run(['keys', 'restore', id])).stderr).toContain('which is final')
    expect((await run(['keys', 'revoke', id, '--reason', 'because'])).code).toBe(2)
    expect((await run(['keys', 'revoke', id, '--delete', '--note', 'n'])).code).toBe(2)
    expect(await program(['keys', 'revoke', id, '--delete', '--yes'])).toEqual({
      id,
      deleted: true,
    })
    expect(await program(['keys', 'verify'], key)).toMatchObject({ code: 'INVALID_KEY' })
  })

  test.each(['show', 'revoke', 'restore', 'rotate'])(
    'that does not exist: %s reports it',
    async (verb) => {
      const { code, stdout, stderr } = await run(['keys', verb, 'nobody'])
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toContain('API key not found')
    },
  )
})

describe('the beginning of an id', () => {
  test('is enough where no other id begins so', async () => {
    const { id } = await create()
    await database.sql(
      `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "updatedAt")
       VALUES ('twin-one', 'an old plaintext key, 1', 'c', 'One', now()), ('twin-two', 'an old plaintext key, 2', 'c', 'Two', now()),
              ('twin', 'an old plaintext key, 3', 'c', 'Itself', now())`,
    )
    const short = id.slice(0, -2)
    expect(await program(['keys', 'show', short])).toMatchObject({ id })
    const renamed = await program(['keys', 'update', short, '--name', 'Renamed'])
    expect(renamed).toMatchObject({ id, name: 'Renamed' })
    expect(await program(['keys', 'rotate', short])).toMatchObject({ id })
    expect(await program(['keys', 'revoke', short])).toMatchObject({ id, isActive: false })
    expect(await program(['keys', 'show', 'twin'])).toMatchObject({ name: 'Itself' })
    const twins = await run(['keys', 'revoke', 'twin-', '--delete'])
    expect([twins.code, twins.stderr]).toEqual([2, expect.stringContaining('twin-one')])
    expect((await run(['keys', 'show', 'twi'])).code).toBe(1)
    expect((await run(['keys', 'show', 'nobody'])).code).toBe(1)
  })
})

describe('keys find', () => {
  test('finds a key by its beginning, by that of its id, and by the whole key unseen', async () => {
    const { id, key, start } = await create()
    for (const [args, input] of [
      [[start]],
      [[start.slice(0, -1)]],
      [[id]],
      [[], `${key}\n`],
    ] as const) {
      const found = await program(['keys', 'find', ...args], input)
      expect(found.map((one: any) => one.id)).toEqual([id])
    }
    const { stdout } = await run(['keys', 'find', start])
    expect(stdout).toContain(id)
    expect(await run(['keys', 'find', 'sophra_live_none'])).toMatchObject({ code: 1, stdout: '' })
  })

  test('takes no whole key from the command line, and no text that is none', async () => {
    const { key } = await create()
    const { code, stdout, stderr } = await run(['keys', 'find', key])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain('read from standard input')
    expect(stderr).not.toContain(key.slice(-20))
    expect((await run(['keys', 'find'], key.slice(0, -1))).code).toBe(2)
    expect((await run(['keys', 'find', 'abc'])).code).toBe(2)
  })
})

describe('audit', () => {
  test('lists what happened, and filters', async () => {
    const { id } = await create()
    await run(['keys', 'update', id, '--name', 'Renamed'])
    const { events } = await program(['audit', '--id', id, '--from', '1h'])
    expect(events.map((event: any) => event.type)).toEqual(['key.changed', 'key.issued'])
    const one = await program(['audit', '--id', id, '--limit', '1'])
    expect(one.events).toHaveLength(1)
    const rest = await program(['audit', '--id', id, '--cursor', one.nextCursor])
    expect(rest.events.map((event: any) => event.type)).toEqual(['key.issued'])
    const { stdout } = await run(['audit', '--id', id, '--type', 'key.issued'])
    expect(stdout).toMatch(new RegExp(`^AT +TYPE .*\n\\S+Z +key\\.issued +- +${id} `))
    const none = await run(['audit', '--id', 'nobody'])
    expect([none.code, none.stdout]).toEqual([0, ''])
    expect((await run(['audit', '--from', '2026-01-01'])).code).toBe(2)
  })
})

describe('health', () => {
  test('is ok, or says what is wrong', async () => {
    const well = await run(['health'])
    expect([well.code, well.stdout]).toEqual([0, expect.stringMatching(/^status +ok$/m)])
    const down = await cli(['health', '--json'], {
      env: { DATABASE_URL: 'postgres://me:hush-hush@127.0.0.1:1/none' },
    })
    expect(down.code).toBe(1)
    expect(JSON.parse(down.stdout)).toMatchObject({
      status: 'down',
      problems: [expect.any(String)],
    })
    expect(down.stdout + down.stderr).not.toContain('hush')
  })
})

test('the audit log names the account', async () => {
  const { id } = await create()
  await run(['keys', 'update', id, '--name', 'Renamed'])
  await run(['keys', 'revoke', id, '--delete'])
  const [row] = await database.sql(
    `SELECT count(*)::integer AS events, count(*) FILTER (WHERE event->>'actor' LIKE 'command line%')::integer AS ours
     FROM sophra_api_keys.audit WHERE key_id = $1`,
    [id],
  )
  expect(row).toEqual({ events: 3, ours: 3 })
})

describe('keys verify', () => {
  test('asks as a request would, and counts nothing', async () => {
    const { id, key } = await create(
      '--scope',
      'docs:*',
      '--allow',
      '10.0.0.0/8',
      '--rate-limit',
      '9',
    )
    const accepted = await run(
      ['keys', 'verify', '--ip', '10.1.2.3', '--scope', 'docs:read'],
      `${key}\n`,
    )
    expect(accepted.code, accepted.stderr).toBe(0)
    expect(accepted.stdout).toMatch(/^result +VALID$/m)
    expect(accepted.stdout).toMatch(/^rate limit +9 of 9 left$/m)
    expect(await program(['keys', 'show', id])).toMatchObject({ usageCount: 0 })

    const refused = await run(['keys', 'verify', '--ip', '192.0.2.1'], key)
    expect([refused.code, refused.stdout]).toEqual([1, expect.stringContaining('IP_NOT_ALLOWED')])

    const asked = ['--ip', '10.1.2.3', '--scope', 'docs:read,a,b']
    const lacking = await run(['keys', 'verify', ...asked], key)
    expect([lacking.code, lacking.stdout]).toEqual([
      1,
      expect.stringContaining('INSUFFICIENT_SCOPE'),
    ])
    expect(lacking.stdout).toMatch(/^missing scopes +a, b$/m)
  })

  test('says what is left of each limit, and which one a request is not within', async () => {
    const { key } = await create('--rate-limit', '9', '--limits', JSON.stringify(limits))
    const left = 'key/default: 9 of 9, key/tokens: 1000 of 1000, key/images: 5 of 5'
    const accepted = await run(['keys', 'verify', '--cost', '5'], key)
    expect(accepted.code, accepted.stderr).toBe(0)
    expect(accepted.stdout).toMatch(/^rate limit +5 of 5 left$/m)
    expect(accepted.stdout).toContain(left)
    const refused = await run(['keys', 'verify', '--cost', '6'], key)
    expect(refused.code).toBe(1)
    expect(refused.stdout).toMatch(/^limited by +key\/images$/m)
    expect(refused.stdout).toContain(left)
  })

  test('verifies a key per line, however many there are, in their order', async () => {
    const { id, key } = await create()
    const count = 2_000
    const lines = Array.from({ length: count }, (_, n) =>
      n % 2 === 0 ? key : `${key.slice(0, -1)}!`,
    )
    const all = await run(['keys', 'verify', '--each', '--json'], `\n${lines.join('\r\n')}\n\n`)
    expect([all.code, all.stderr]).toEqual([1, `${count / 2} of ${count} accepted\n`])
    expect(
      all.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(
      lines.map((line, n) => ({
        line: n + 2,
        ...(line === key ? { code: 'VALID', keyId: id } : { code: 'INVALID_KEY', keyId: null }),
      })),
    )
    expect(all.stdout + all.stderr).not.toContain(key.slice(-20))

    const valid = await run(['keys', 'verify', '--each'], `${key}\n${key}`)
    expect([valid.code, valid.stdout]).toEqual([0, `1  VALID  ${id}\n2  VALID  ${id}\n`])
    const none = await run(['keys', 'verify', '--each'], '')
    expect([none.code, none.stdout, none.stderr]).toEqual([0, '', '0 of 0 accepted\n'])
    const tooLong = await run(['keys', 'verify', '--each'], 'x'.repeat(100_000))
    expect([tooLong.code, tooLong.stdout]).toEqual([2, ''])
    expect(await program(['keys', 'show', id])).toMatchObject({ usageCount: 0 })
  })

  test.each(['keys verify', 'check', 'keys report-leaked'])(
    'takes no key from the command line: %s',
    async (name) => {
      const { key } = await create()
      const command = name.split(' ')
      for (const args of [
        [key],
        ['--', key],
        [`--key=${key}`],
        ['--key', key],
        [`--${key}`],
        [`-${key}`],
      ]) {
        const { code, stdout, stderr } = await run([...command, ...args])
        expect([code, stdout]).toEqual([2, ''])
        expect(stderr).not.toContain(key.slice(-20))
      }
    },
  )

  test('says that nothing came', async () => {
    const { code, stderr } = await run(['keys', 'verify'])
    expect([code, stderr]).toEqual([2, expect.stringContaining('read from standard input')])
  })
})

describe('keys report-leaked', () => {
  const leakOf = async (id: string) =>
    (await database.sql(
      `SELECT event FROM sophra_api_keys.audit WHERE key_id = $1 AND type = 'key.leaked'`,
      [id],
    )) as { event: object }[]

  test('revokes what is a key, and prints none', async () => {
    const [one, other] = [await create(), await create()]
    const url = 'https://example.com/paste/42'
    const args = ['keys', 'report-leaked', '--url', url, '--source', 'paste']
    const input = `\n${one.key}\njunk\t${other.key}\r\n${one.key}x\n`
    const { code, stdout, stderr } = await run(args, input)
    expect([code, stderr]).toEqual([0, ''])
    const lines = stdout.trim().split('\n')
    expect(lines.map((line) => line.split(/ {2,}/))).toEqual([
      ['TEXT', 'RESULT', 'ID'],
      ['1', 'revoked', one.id],
      ['2', 'no key', '-'],
      ['3', 'revoked', other.id],
      ['4', 'no key', '-'],
    ])
    for (const { id } of [one, other]) {
      expect(await program(['keys', 'show', id])).toMatchObject({ revokedReason: 'compromised' })
      const actor = expect.stringMatching(/^command line/)
      expect(await leakOf(id)).toMatchObject([
        { event: { action: 'revoke', url, source: 'paste', actor } },
      ])
    }
  })

  test('leaves them with --notify, and prints JSON for a program', async () => {
    const { id, key } = await create()
    const { code, stdout } = await run(['keys', 'report-leaked', '--notify'], key)
    expect([code, stdout]).toEqual([0, expect.stringMatching(new RegExp(`^1 +known +${id}$`, 'm'))])
    const answer = await run(['keys', 'report-leaked', '--notify', '--json'], `junk ${key}`)
    expect(JSON.parse(answer.stdout)).toEqual([
      { known: false, keyId: null },
      { known: true, keyId: id },
    ])
    expect(await program(['keys', 'show', id])).toMatchObject({ isActive: true, revokedAt: null })
    expect(await leakOf(id)).toHaveLength(2)
  })

  test('takes more keys than one call does', async () => {
    const { id, key } = await create()
    const texts = [...Array.from({ length: 2_000 }, () => 'junk'), key]
    const { stdout } = await run(['keys', 'report-leaked', '--json'], texts.join('\n'))
    expect(JSON.parse(stdout).at(-1)).toEqual({ known: true, keyId: id })
    expect(JSON.parse(stdout)).toHaveLength(2_001)
  })

  test('says by its exit code that none is a key, and what is wrong', async () => {
    expect((await run(['keys', 'report-leaked'], 'junk')).code).toBe(1)
    for (const [args, input, what] of [
      [[], '', 'read from standard input'],
      [[], 'x '.repeat(600_000), 'Standard input is too long'],
      [['--url', 'x'.repeat(2_049)], 'junk', '--url must have at most 2048 characters'],
      [['--source', 'x'.repeat(256)], 'junk', '--source must have at most 255 characters'],
    ] as const) {
      const { code, stdout, stderr } = await run(['keys', 'report-leaked', ...args], input)
      expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(what)])
    }
  })
})

describe('admin-tokens', () => {
  test('are issued, listed and revoked', async () => {
    const made = await run([
      'admin-tokens',
      'create',
      '--name',
      'Ops',
      '--permission',
      'keys:read,keys:write',
      '--expires',
      '90d',
    ])
    expect(made.code, made.stderr).toBe(0)
    expect(made.stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)
    const [token] = await program(['admin-tokens', 'list'])
    expect(token).toMatchObject({ name: 'Ops', permissions: ['keys:read', 'keys:write'] })
    const { stdout } = await run(['admin-tokens', 'list'])
    expect(stdout).toMatch(/Ops +active +keys:read, keys:write/)
    expect(stdout).not.toContain(made.stdout.trim())
    expect(await program(['admin-tokens', 'revoke', token.id])).toEqual({
      id: token.id,
      revoked: true,
    })
    expect((await run(['admin-tokens', 'list'])).stdout).toMatch(/Ops +revoked/)
    expect((await run(['admin-tokens', 'revoke', 'nobody'])).code).toBe(1)
  })

  test('are found by what they are', async () => {
    const create = ['admin-tokens', 'create', '--name']
    await run([...create, 'Finding reader', '--permission', 'keys:read'])
    await run([...create, 'Finding root', '--permission', '*', '--expires', '1h'])
    const found = async (...options: string[]): Promise<string[]> => {
      const args = ['admin-tokens', 'list', '--search', 'finding', ...options]
      return (await program(args)).map(({ name }: { name: string }) => name)
    }
    expect(await found()).toEqual(['Finding root', 'Finding reader'])
    expect(await found('--permission', 'keys:write')).toEqual(['Finding root'])
    expect(await found('--expires-before', '2h')).toEqual(['Finding root'])
    expect(await found('--status', 'revoked')).toEqual([])
    expect(await found('--unused-since', '1d')).toEqual([])
    const wrong = await run(['admin-tokens', 'list', '--status', 'gone'])
    expect(wrong.code).toBe(2)
    expect(wrong.stderr).toContain('must be active, expired or revoked')
  })

  test('are rotated, with a grace period or without one', async () => {
    const made = await run(['admin-tokens', 'create', '--name', 'Turning'])
    const [{ id }] = await program(['admin-tokens', 'list', '--search', 'turning'])
    const rotated = await run(['admin-tokens', 'rotate', id.slice(0, 12), '--grace', '1h'])
    expect(rotated.code, rotated.stderr).toBe(0)
    expect(rotated.stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)
    expect(rotated.stdout).not.toBe(made.stdout)
    expect(rotated.stderr).toMatch(/The old token is valid until \d{4}-/)
    const again = await run(['admin-tokens', 'rotate', id])
    expect(again.stderr).toContain('The old token is refused from now on.')
    const { token, ...row } = await program(['admin-tokens', 'rotate', id])
    expect(token).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/)
    expect(row).toMatchObject({ id, name: 'Turning', status: 'active' })
    expect((await run(['admin-tokens', 'rotate', 'nobody'])).code).toBe(1)
    expect((await run(['admin-tokens', 'rotate', id, '--grace', '2y'])).code).toBe(2)
    await program(['admin-tokens', 'revoke', id])
    const refused = await run(['admin-tokens', 'rotate', id])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('The admin token is revoked')
  })
})
