import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { runScript } from '../support/child.js'
import { eventually } from '../support/eventually.js'
import { freshDatabase, type Database } from '../support/database.js'
import { faultOf, invalidFields, thrownBy } from '../support/faults.js'

const { close, configure, createApiKey, flush, getApiKey, health, listApiKeys } = addon
const { deleteApiKey, listAuditEvents, updateApiKey, verifyApiKey } = addon
type Options = Parameters<typeof configure>[0]

let database: Database
beforeAll(async () => {
  database = await freshDatabase()
})
afterEach(() => close())
afterAll(() => database.drop())

const configureWith = (options: Options = {}): void =>
  configure({ databaseUrl: database.url, ...cheapHashing, ...options })
const create = (): ReturnType<typeof createApiKey> => createApiKey({ name: 'n', clientId: 'c' })
const signingKey = (): string => randomBytes(32).toString('base64')

/** In a child without any environment: prints the fault of each call, or what it answered. */
const report = (...calls: string[]): string =>
  calls
    .map(
      (call) => `report(await (async () => ${call})().then(
      (value) => ({ value: value ?? null }),
      ({ name, code, status, message }) => ({ name, code, status, message })))`,
    )
    .join('\n')

describe('without any environment', () => {
  test('importing the package does nothing', async () => {
    const child = await runScript(`report(process.getActiveResourcesInfo())`)
    expect(child).toMatchObject({ code: 0, stdout: '', stderr: '' })
    expect(child.reports).toEqual([[]])
  })

  test('the first call says what is missing', async () => {
    const child = await runScript(
      report('api.listApiKeys()', 'api.verifyApiKey("x".repeat(43))', 'api.migrate()'),
    )
    expect(child).toMatchObject({ code: 0, stderr: '' })
    for (const fault of child.reports) {
      expect(fault).toMatchObject({ name: 'ApiKeyError', code: 'CONFIGURATION', status: 500 })
      expect(fault).toMatchObject({ message: expect.stringContaining('DATABASE_URL') })
    }
    expect(child.reports).toHaveLength(3)
  })

  test('health() and close() do not reject', async () => {
    const child = await runScript(report('api.health()', 'api.close()'))
    expect(child.reports).toEqual([
      { value: expect.objectContaining({ status: 'down' }) },
      { value: null },
    ])
    const [{ value }] = child.reports as [{ value: { problems: string[] } }]
    expect(value.problems.join()).toContain('DATABASE_URL')
  })
})

describe('the environment', () => {
  test.each(['DATABASE_URL', 'POSTGRESQL_URL'])('%s names the database', async (name) => {
    const child = await runScript(report('api.listApiKeys({ clientId: "none" })'), {
      env: { [name]: database.url },
    })
    expect(child.reports).toEqual([{ value: { keys: [], nextCursor: null } }])
  })

  test('is read at the first call, so that a dotenv may fill it after the import', async () => {
    const child = await runScript(
      `process.env.DATABASE_URL = ${JSON.stringify(database.url)}
       ${report('api.listApiKeys({ clientId: "none" })')}`,
    )
    expect(child.reports).toEqual([{ value: { keys: [], nextCursor: null } }])
  })

  test('gives way to configure()', async () => {
    const child = await runScript(
      `api.configure({ databaseUrl: ${JSON.stringify(database.url)}, prefixes: ['code'] })
       report((await api.createApiKey({ name: 'n', clientId: 'c' })).key.split('_')[0])`,
      { env: { DATABASE_URL: 'postgres://127.0.0.1:1/none', API_KEYS_PREFIXES: 'environment' } },
    )
    expect(child.reports).toEqual(['code'])
  })

  test('has every problem named at once', async () => {
    const wrong = {
      DATABASE_URL: 'mysql://user:hidden@host/db',
      API_KEYS_ENVIRONMENT: 'staging',
      API_KEYS_MIGRATE: 'sometimes',
      API_KEYS_PREFIXES: 'good,bad prefix',
      API_KEYS_SIGNING_KEYS: 'too-short-and-hidden',
      API_KEYS_ARGON2_MEMORY_KIB: '7',
      API_KEYS_RATE_LIMIT_WINDOW_SECONDS: 'soon',
      API_KEYS_FLUSH_INTERVAL_MS: '-1',
    }
    const child = await runScript(report('api.listApiKeys()'), { env: wrong })
    const [fault] = child.reports as [{ code: string; message: string }]
    expect(fault).toMatchObject({ code: 'CONFIGURATION', status: 500 })
    for (const name of Object.keys(wrong)) expect(fault.message).toContain(name)
    expect(fault.message).not.toContain('hidden')
  })

  test('sets the prefix, the environment and the window', async () => {
    const child = await runScript(
      `const { key } = await api.createApiKey({ name: 'n', clientId: 'c', rateLimit: 1 })
       report([key.split('_').slice(0, 2), (await api.verifyApiKey(key)).rateLimit.resetMs])`,
      {
        env: {
          DATABASE_URL: database.url,
          API_KEYS_PREFIXES: 'acme, sophra',
          API_KEYS_ENVIRONMENT: 'test',
          API_KEYS_RATE_LIMIT_WINDOW_SECONDS: '10',
        },
      },
    )
    const [[prefix, resetMs]] = child.reports as [[string[], number]]
    expect(prefix).toEqual(['acme', 'test'])
    expect(resetMs).toBeGreaterThan(5_000)
    expect(resetMs).toBeLessThanOrEqual(10_000)
  })
})

describe('configure()', () => {
  test.each<[string, Options, string[]]>([
    ['an unknown option', { databaseURL: 'x' } as Options, ['databaseURL']],
    ['a number for text', { databaseUrl: 5 } as unknown as Options, ['databaseUrl']],
    [
      'several at once',
      {
        environment: 'prod',
        argon2Iterations: 0,
        prefixes: [],
        signingKeys: ['short'],
      } as unknown as Options,
      ['environment', 'argon2Iterations', 'prefixes', 'signingKeys'],
    ],
    ['text for a number', { flushIntervalMs: '5' } as unknown as Options, ['flushIntervalMs']],
    ['a fraction', { suspensionSeconds: 0.5 }, ['suspensionSeconds']],
  ])('names %s', (_what, options, names) => {
    const fault = thrownBy(() => configure(options))
    expect(fault).toMatchObject({ code: 'CONFIGURATION', status: 500 })
    for (const name of names) expect(fault.message).toContain(name)
  })

  test.each([undefined, null, 5, 'x', [], Symbol('s'), () => 1, 1n])(
    'throws a clean fault for %#',
    (options) => {
      expect(thrownBy(() => configure(options as Options)).code).toBe('CONFIGURATION')
    },
  )

  test('that was refused leaves nothing behind', async () => {
    thrownBy(() => configure({ databaseUrl: 'mysql://x' }))
    configureWith()
    expect((await health()).status).toBe('ok')
  })

  test('may be repeated with the same options, before and after the start', async () => {
    configureWith()
    configureWith()
    await listApiKeys()
    configureWith()
    expect((await health()).status).toBe('ok')
  })

  test('with other options is refused until close()', async () => {
    configureWith()
    await listApiKeys()
    const fault = thrownBy(() => configureWith({ prefixes: ['other'] }))
    expect(fault).toMatchObject({ code: 'CONFIGURATION', status: 500 })
    expect(fault.message).toMatch(/close\(\)/)
    expect((await create()).key).toMatch(/^sophra_/)
    await close()
    configureWith({ prefixes: ['other'] })
    expect((await create()).key).toMatch(/^other_/)
  })

  describe('in development', () => {
    const env = () => ({
      DATABASE_URL: database.url,
      NODE_ENV: 'development',
      JWT_SECRET: 'x'.repeat(32),
      API_KEYS_STATEMENT_TIMEOUT_MS: '10000',
    })
    const configured = (prefix: string): string =>
      `api.configure({ prefixes: ['${prefix}', 'first'], flushIntervalMs: 600000 });`
    const warned = `const warnings = []
      api.onEvent((event) => { if (event.type === 'configuration.warning') warnings.push(event.message) })`

    test('with other options replaces the first ones, and warns', async () => {
      const child = await runScript(
        `${warned}
         ${configured('first')}
         const { id, key } = await api.createApiKey({ name: 'n', clientId: 'c' })
         for (let n = 0; n < 3; n++) await api.verifyApiKey(key)
         ${configured('second')} ${configured('second')}
         const other = await api.createApiKey({ name: 'n', clientId: 'c' })
         await api.verifyApiKey(key)
         while ((await api.getApiKey(id)).usageCount < 4) await api.flush()
         report([other.key.slice(0, 7), warnings])
         await api.close()`,
        { env: env() },
      )
      expect(child, child.stderr).toMatchObject({ code: 0 })
      const warning = expect.stringContaining('NODE_ENV is development') as string
      expect(child.reports).toEqual([['second_', [warning]]])
    })

    test('calls that are under way end with the options that they began with', async () => {
      const child = await runScript(
        `${warned}
         ${configured('first')}
         const calls = Array.from({ length: 20 }, () => api.createApiKey({ name: 'n', clientId: 'c' }))
         for (let n = 0; n < 5; n++) api.configure({ prefixes: ['p' + n], flushIntervalMs: 600000 })
         const made = await Promise.all(calls)
         const last = await api.createApiKey({ name: 'n', clientId: 'c' })
         const { valid } = await api.verifyApiKey(last.key)
         const again = await api.verifyApiKey(last.key)
         report([made.every(({ key }) => key.startsWith('first_')), last.key.slice(0, 3), valid, again.valid])
         await api.close()`,
        { env: env() },
      )
      expect(child, child.stderr).toMatchObject({ code: 0 })
      expect(child.reports).toEqual([[true, 'p4_', true, true]])
    })
  })

  test('with other options is refused before the first call too', () => {
    configureWith()
    expect(thrownBy(() => configureWith({ poolMax: 2 })).code).toBe('CONFIGURATION')
  })
})

describe('prefixes and environment', () => {
  test('the first prefix issues, all verify', async () => {
    configureWith({ prefixes: ['acme'] })
    const { key } = await create()
    expect(key).toMatch(/^acme_live_[0-9A-Za-z]{12}_[0-9A-Za-z]{46}$/)
    await close()
    configureWith({ prefixes: ['newer', 'acme'] })
    expect((await create()).key).toMatch(/^newer_live_/)
    expect((await verifyApiKey(key)).valid).toBe(true)
    await close()
    configureWith({ prefixes: ['newer'] })
    expect(await verifyApiKey(key)).toMatchObject({ code: 'INVALID_KEY' })
  })

  test('a key of one environment is refused in the other', async () => {
    configureWith({ environment: 'test' })
    const { key } = await create()
    expect(key).toMatch(/^sophra_test_/)
    expect((await verifyApiKey(key)).valid).toBe(true)
    await close()
    configureWith()
    expect(await verifyApiKey(key)).toMatchObject({ code: 'INVALID_KEY' })
  })
})

describe('signing keys', () => {
  let own: Database
  const [first, second] = [signingKey(), signingKey()]
  const start = (signingKeys?: string[]): void =>
    configure({ databaseUrl: own.url, signingKeys, ...cheapHashing })
  const restart = async (signingKeys?: string[]): Promise<void> => {
    await close()
    start(signingKeys)
  }

  beforeAll(async () => {
    own = await freshDatabase()
  })
  afterAll(async () => {
    await close()
    await own.drop()
  })

  test('are replaced in two steps, and never leave a live key behind silently', async () => {
    start([first!])
    const old = await create()

    await restart([second!])
    for (const call of [() => verifyApiKey(old.key), () => listApiKeys(), create]) {
      const fault = await faultOf(call)
      expect(fault).toMatchObject({ code: 'CONFIGURATION', status: 500 })
      expect(fault.message).toMatch(/signing key/i)
      expect(fault.message).not.toContain(first)
    }
    expect((await health()).status).toBe('down')

    // Step one: every process learns the new key. Step two: it signs.
    await restart([first!, second!])
    expect((await verifyApiKey(old.key)).valid).toBe(true)
    await restart([second!, first!])
    const fresh = await create()
    for (const { key } of [old, fresh]) expect((await verifyApiKey(key)).valid).toBe(true)

    // A regenerated key is signed anew; the old one counts until its grace period ends.
    await updateApiKey({ id: old.id, regenerateKey: true, gracePeriodSeconds: 600 })
    await restart([second!])
    expect(await faultOf(() => verifyApiKey(fresh.key))).toMatchObject({ code: 'CONFIGURATION' })
    await restart([second!, first!])
    await addon.patchApiKey({ id: old.id, previousKeyExpiresAt: null })
    await restart([second!])
    expect((await verifyApiKey(fresh.key)).valid).toBe(true)
  })

  test('that signed for deleted keys only are not missed', async () => {
    await restart([second!, first!])
    await restart([first!, second!])
    const { id } = await create()
    await deleteApiKey(id)
    await restart([second!])
    expect((await health()).status).toBe('ok')
  })

  test('without a list one is made, kept, and shared by all processes', async () => {
    const empty = await freshDatabase()
    const script = `report((await api.createApiKey({ name: 'n', clientId: 'c' })).key)`
    const env = { DATABASE_URL: empty.url }
    const children = await Promise.all([1, 2, 3].map(() => runScript(script, { env })))
    await close()
    configure({ databaseUrl: empty.url })
    for (const { reports } of children) {
      expect((await verifyApiKey(reports[0] as string)).valid).toBe(true)
    }
    await close()
    // The kept key is not on the list.
    configure({ databaseUrl: empty.url, signingKeys: [first!] })
    expect(await faultOf(() => listApiKeys())).toMatchObject({ code: 'CONFIGURATION' })
    await close()
    await empty.drop()
  })
})

describe('lifetimes', () => {
  const inDays = (days: number): Date => new Date(Date.now() + days * 86_400_000)

  test('defaultTtlDays fills an expiresAt that is absent', async () => {
    configureWith({ defaultTtlDays: 30 })
    for (const expiresAt of [undefined, null]) {
      const key = await createApiKey({ name: 'n', clientId: 'c', expiresAt })
      const off = inDays(30).getTime() - key.expiresAt!.getTime()
      expect(Math.abs(off)).toBeLessThan(60_000)
    }
    const expiresAt = inDays(400)
    expect(await createApiKey({ name: 'n', clientId: 'c', expiresAt })).toMatchObject({ expiresAt })
  })

  test('maxTtlDays refuses a later expiresAt, or none', async () => {
    configureWith({ maxTtlDays: 30 })
    for (const expiresAt of [undefined, null, inDays(31)]) {
      const ask = (): unknown => createApiKey({ name: 'n', clientId: 'c', expiresAt })
      expect(await invalidFields(ask)).toEqual(['expiresAt'])
    }
    const { id } = await createApiKey({ name: 'n', clientId: 'c', expiresAt: inDays(29) })
    for (const expiresAt of [null, inDays(31)]) {
      expect(await invalidFields(() => updateApiKey({ id, expiresAt }))).toEqual(['expiresAt'])
    }
    expect(await updateApiKey({ id, name: 'Renamed' })).toMatchObject({ name: 'Renamed' })
  })
})

describe('close()', () => {
  test('is fine before the first call, and twice', async () => {
    expect(await close()).toBeUndefined()
    expect(await close()).toBeUndefined()
    configureWith()
    await listApiKeys()
    await Promise.all([close(), close()])
  })

  test('lets running calls finish and refuses new ones', async () => {
    configureWith()
    await listApiKeys()
    const running = Array.from({ length: 10 }, create)
    const closing = close()
    const fault = await faultOf(() => getApiKey('any'))
    expect(fault).toMatchObject({ code: 'CONFIGURATION', status: 500 })
    expect(fault.message).toMatch(/clos/)
    const keys = await Promise.all(running)
    await closing
    configureWith()
    for (const { id } of keys) expect(await getApiKey(id)).toMatchObject({ id })
  })

  test('stores the usage that was still in memory', async () => {
    configureWith({ flushIntervalMs: 600_000 })
    const { id, key } = await create()
    for (let time = 0; time < 5; time++) await verifyApiKey(key)
    expect((await getApiKey(id))!.usageCount).toBe(0)
    await close()
    configureWith()
    expect((await getApiKey(id))!.usageCount).toBe(5)
  })

  test('stores what there is to store while the only connection waits for a lock', async () => {
    configureWith({ poolMax: 1, flushIntervalMs: 600_000, statementTimeoutMs: 60_000 })
    const { id } = await create()
    const holder = new Client({ connectionString: database.url })
    await holder.connect()
    try {
      await holder.query('BEGIN; LOCK TABLE "ApiKey" IN ACCESS EXCLUSIVE MODE')
      // A change has the process look after the rows, in the background.
      await database.sql(`INSERT INTO sophra_api_keys.clients (client_id) VALUES ('noticed')`)
      await eventually(async () => {
        const waiting = await database.sql(`SELECT FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock'`)
        expect(waiting).toHaveLength(1)
      })
      await close()
    } finally {
      await holder.end()
    }
    configureWith()
    const { events } = await listAuditEvents({ keyId: id })
    expect(events.map(({ type }) => type)).toEqual(['key.issued'])
  })

  test('leaves no connection behind', async () => {
    configureWith()
    await Promise.all(Array.from({ length: 5 }, create))
    await close()
    // The server may take a moment to notice the last goodbye.
    await eventually(async () => {
      const open = await database.sql(`SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'sophra-api-keys'`)
      expect(open).toEqual([])
    })
  })

  test('permits the next call to start anew, with what configure() said', async () => {
    configureWith({ prefixes: ['kept'] })
    await listApiKeys()
    await close()
    expect((await create()).key).toMatch(/^kept_/)
  })

  test('permits the next call to start anew, with what the environment says', async () => {
    const child = await runScript(
      `await api.listApiKeys(); await api.close()
       report((await api.listApiKeys({ clientId: 'none' })).keys)`,
      { env: { DATABASE_URL: database.url } },
    )
    expect(child).toMatchObject({ code: 0, reports: [[]] })
  })
})

describe('a URL that no connection can be made with', () => {
  test.each<[string, (url: URL) => void]>([
    ['a control character in the user', (url) => (url.username = 'hid%0Dden')],
    ['a control character in the password', (url) => (url.password = 'hid%0Dden')],
    ['a mark of direction in the password', (url) => (url.password = 'hid%E2%80%AEden')],
    ['a schema of two lines', (url) => (url.search = '?schema=hid%0Aden')],
    ['options that are none', (url) => (url.search = '?options=hidden')],
    ['a setting that nobody knows', (url) => (url.search = '?options=-c%20hidden=1')],
  ])('%s is said, and the option is named', async (_, change) => {
    const url = new URL(database.url)
    change(url)
    for (const option of ['databaseUrl', 'directDatabaseUrl']) {
      configureWith({ [option]: url.href })
      const calls = [() => addon.migrate(), () => verifyApiKey('x'.repeat(43)), create]
      // The direct URL is for migrations, and there is nothing to migrate.
      for (const call of option === 'databaseUrl' ? calls : calls.slice(0, 1)) {
        const fault = await faultOf(call)
        expect(fault).toMatchObject({ code: 'CONFIGURATION', status: 500 })
        expect(fault.message).toContain(` ${option}:`)
        expect(fault.message).not.toMatch(/hid|den/)
      }
      await close()
    }
  })
})

test('health() reports that all is well', async () => {
  configureWith({ flushIntervalMs: 600_000 })
  await flush()
  expect(await health()).toEqual({
    status: 'ok',
    problems: [],
    staleForMs: expect.any(Number),
    usagePending: 0,
    usageIntervalMs: 600_000,
  })
  const { key } = await create()
  await verifyApiKey(key)
  await verifyApiKey(key)
  expect((await health()).usagePending).toBeGreaterThan(0)
})

test('health() reports an unreachable database, and does not reject', async () => {
  configure({ databaseUrl: 'postgres://user:hidden@127.0.0.1:1/none' })
  const answer = await health()
  expect(answer.status).toBe('down')
  expect(answer.problems.length).toBeGreaterThan(0)
  expect(answer.problems.join()).not.toContain('hidden')
})
