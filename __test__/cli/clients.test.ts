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

const run = (args: string[]) => cli(['clients', ...args], { env })
const program = (args: string[]) => json(['clients', ...args], { env })
const createKey = (clientId: string) =>
  json(['keys', 'create', '--name', 'Search', '--client', clientId], { env })

describe('clients set', () => {
  test('takes every field, keeps what is not given, and clears', async () => {
    await program(['set', 'holding'])
    const limits = [{ name: 'default', limit: 500, windowSeconds: 60 }]
    const made = await program([
      ...['set', 'acme', '--name', 'Acme', '--allow', '10.0.0.0/8, ::1', '--allow', '192.0.2.1'],
      ...['--max-keys', '20', '--parent', 'holding', '--metadata', '{"plan":"pro"}', '--disable'],
      ...['--limits', JSON.stringify(limits)],
    ])
    const settings = {
      clientId: 'acme',
      name: 'Acme',
      isActive: false,
      metadata: { plan: 'pro' },
      allowedIps: ['10.0.0.0/8', '::1', '192.0.2.1'],
      limits,
      maxKeys: 20,
      parentId: 'holding',
      keyCount: 0,
    }
    expect(made).toMatchObject(settings)
    expect(await program(['set', 'acme', '--name', 'Renamed'])).toMatchObject({
      ...settings,
      name: 'Renamed',
    })
    const clear = [
      '--clear',
      'name,allow,limits,max-keys',
      '--clear',
      'parent,metadata',
      '--enable',
    ]
    expect(await program(['set', 'acme', ...clear])).toMatchObject({
      name: null,
      isActive: true,
      metadata: null,
      allowedIps: [],
      limits: [],
      maxKeys: null,
      parentId: null,
    })
  })

  test('shows people what holds now', async () => {
    await createKey('shown')
    const { code, stdout, stderr } = await run(['set', 'shown', '--max-keys', '3', '--disable'])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^id +shown\n(.*\n)*status +disabled\nallowed from +everywhere\n/)
    expect(stdout).toMatch(/^limits +none\nquotas +none\nkeys +1\nmost keys +3$/m)
    const limits = JSON.stringify([{ name: 'tokens', limit: 9, windowSeconds: 60, suspends: true }])
    expect((await run(['set', 'shown', '--limits', limits])).stdout).toMatch(
      /^limits +tokens: 9 per 60 s \(suspends\)$/m,
    )
  })

  test.each([
    [['--max-keys', 'many'], '--max-keys must be a whole number'],
    [['--max-keys', '1000001'], '--max-keys must be a whole number from 0'],
    [['--allow', '::1,localhost'], '--allow (value 2) must be'],
    [['--metadata', '{'], '--metadata must be a JSON object'],
    [['--limits', '{}'], '--limits must be a JSON array'],
    [
      ['--limits', '[{"name":"a","limit":1,"windowSeconds":60,"window":60}]'],
      '--limits (window of value 1) is not a known field',
    ],
    [['--parent', 'nobody'], '--parent must be'],
    [['--clear', 'state'], '--clear does not take this value'],
    [['--clear', 'alow'], 'did you mean "allow"'],
    [['--clear', 'name', '--name', 'a'], '--name is both set and cleared'],
    [['--enable', '--disable'], 'exclude each other'],
    [['--client', 'c'], 'There is no option --client'],
  ])('refuses %j', async (options, message) => {
    const { code, stdout, stderr } = await run(['set', 'refused', ...options])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(message)
    expect((await run(['get', 'refused'])).code).toBe(1)
  })

  test('names the argument where the id itself is wrong', async () => {
    for (const args of [
      ['set', 'x'.repeat(256)],
      ['get', ''],
    ]) {
      const { code, stderr } = await run(args)
      expect([code, stderr]).toEqual([2, expect.stringContaining('<id> must have')])
    }
    const { code, stderr } = await run(['set', '', '--max-keys', '-1', '--json'])
    expect([code, stderr]).toEqual([2, expect.stringContaining('--max-keys')])
  })

  test('takes effect: a disabled client, and one without room', async () => {
    const { key } = await createKey('effect')
    await run(['set', 'effect', '--disable', '--max-keys', '1'])
    const verified = await cli(['keys', 'verify'], { env, input: key })
    expect([verified.code, verified.stdout]).toEqual([
      1,
      expect.stringMatching(/^result +CLIENT_DISABLED$/m),
    ])
    const args = ['keys', 'create', '--name', 'n', '--client', 'effect']
    const created = await cli(args, { env })
    expect([created.code, created.stdout]).toEqual([1, ''])
    expect(created.stderr).toContain('as many keys')
  })
})

describe('clients get', () => {
  test('shows what is set, or that nothing is', async () => {
    await program(['set', 'read', '--name', 'Read'])
    expect(await program(['get', 'read'])).toMatchObject({ clientId: 'read', name: 'Read' })
    expect((await run(['get', 'read'])).stdout).toMatch(/^name +Read$/m)
    const { code, stdout, stderr } = await run(['get', 'rea'])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain('Client not found')
  })

  test('lets nothing in a row steer the terminal', async () => {
    const evil = '\u001b]0;owned\u0007\u009b31m\u202etxt\r\n'
    await program(['set', 'evil'])
    await database.sql(`UPDATE sophra_api_keys.clients SET name = $1 WHERE client_id = 'evil'`, [
      evil,
    ])
    for (const args of [['get', 'evil'], ['list']]) {
      for (const shape of [[], ['--json']]) {
        const { stdout, stderr } = await run([...args, ...shape])
        expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
        expect(stdout).toContain('\\u001b]0;owned')
      }
    }
  })
})

describe('clients list', () => {
  test('is a table for people', async () => {
    await program(['set', 'table-parent', '--name', 'Above'])
    await program(['set', 'table-child', '--parent', 'table-parent', '--max-keys', '2'])
    await createKey('table-child')
    const { code, stdout } = await run(['list', '--search', 'TABLE-'])
    expect(code).toBe(0)
    const [head, child, parent, ...rest] = stdout.trim().split('\n')
    expect(head).toMatch(/^ID +NAME +STATUS +KEYS +PARENT +CREATED$/)
    expect(child).toMatch(/^table-child +- +active +1 of 2 +table-parent +\d{4}-\S+Z$/)
    expect(parent).toMatch(/^table-parent +Above +active +0 +- +\d{4}-\S+Z$/)
    expect(rest).toEqual([])
  })

  test('goes on where it ended, and knows an end', async () => {
    for (const name of ['page-1', 'page-2', 'page-3']) await program(['set', name])
    const list = (...options: string[]) => program(['list', '--search', 'page-', ...options])
    const idsOf = (page: any) => page.clients.map((client: any) => client.clientId)
    const first = await list('--limit', '2')
    expect(idsOf(first)).toEqual(['page-3', 'page-2'])
    const { stderr } = await run(['list', '--search', 'page-', '--limit', '2'])
    expect(stderr).toContain(first.nextCursor)
    const second = await list('--cursor', first.nextCursor)
    expect([idsOf(second), second.nextCursor]).toEqual([['page-1'], null])
    expect(idsOf(await list('--all'))).toHaveLength(3)
  })

  test('says that there is none, and refuses bad values', async () => {
    const none = await run(['list', '--search', 'no such client'])
    expect([none.code, none.stdout, none.stderr]).toEqual([0, '', 'There are no such clients.\n'])
    for (const [options, message] of [
      [['--search', 'ab'], '--search must have at least'],
      [['--limit', '0'], '--limit must be'],
      [['--cursor', 'made up'], '--cursor is not'],
    ] as const) {
      const { code, stderr } = await run(['list', ...options])
      expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
    }
  })
})

describe('clients delete', () => {
  test('deletes a client that is active', async () => {
    await program(['set', 'gone'])
    const { code, stdout, stderr } = await run(['delete', 'gone'])
    expect([code, stdout, stderr]).toEqual([0, '', 'Deleted: the settings of gone\n'])
    expect((await run(['delete', 'gone'])).code).toBe(1)
  })

  test('needs --yes where nobody can be asked, and keys would be accepted again', async () => {
    const { key } = await createKey('off')
    await program(['set', 'off', '--disable'])
    const refused = await run(['delete', 'off'])
    expect([refused.code, refused.stdout]).toEqual([2, ''])
    expect(refused.stderr).toContain('confirm with --yes')
    expect((await run(['get', 'off'])).code).toBe(0)
    expect(await program(['delete', 'off', '--yes'])).toEqual({ clientId: 'off', deleted: true })
    expect((await cli(['keys', 'verify'], { env, input: key })).code).toBe(0)
  })

  test('needs it too if a client above is disabled', async () => {
    await program(['set', 'top', '--disable'])
    await program(['set', 'middle', '--parent', 'top'])
    await program(['set', 'bottom', '--parent', 'middle'])
    expect((await run(['delete', 'bottom'])).code).toBe(2)
    await program(['set', 'top', '--enable'])
    expect((await run(['delete', 'bottom'])).code).toBe(0)
  })

  test('leaves a parent as it is', async () => {
    await program(['set', 'above'])
    await program(['set', 'below', '--parent', 'above'])
    const { code, stderr } = await run(['delete', 'above', '--json'])
    expect(code).toBe(1)
    expect(JSON.parse(stderr).error.code).toBe('CONFLICT')
  })
})

test('the audit log names the account', async () => {
  await run(['set', 'audited', '--name', 'n'])
  await run(['delete', 'audited', '--yes'])
  const rows = await database.sql(
    `SELECT type, event->>'actor' AS actor FROM sophra_api_keys.audit WHERE event->>'clientId' = 'audited' ORDER BY type`,
  )
  expect(rows.map(({ type }) => type)).toEqual(['client.changed', 'client.deleted'])
  for (const { actor } of rows) expect(actor).toMatch(/^command line/)
})
