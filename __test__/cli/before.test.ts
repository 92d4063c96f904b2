import { describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { useDatabaseEach } from '../support/database-each.js'
import { jwt, type Claims } from '../support/jwt.js'
import { prismaTables } from '../support/prisma-tables.js'
import { cli, json } from './cli.js'

interface Finding {
  check: string
  status: 'ok' | 'warning' | 'problem'
  message: string
  remedy?: string
  rows?: { count: number; first: { id: string; name: string; detail: string }[] }
}

const JWT_SECRET = 'a secret of the old app, of 32 bytes and more'
const HASH =
  '$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$dGhlIGhhc2ggb2Ygc29tZSBvbGQga2V5LCAzMiBi'
const key = (text: string): string => `${text}-Zm9vYmFyYmF6cXV4LTAxMjM0NTY3ODk`

const database = useDatabaseEach()

const env = (more: Record<string, string> = {}): Record<string, string> => ({
  DATABASE_URL: database.url,
  JWT_SECRET,
  ...more,
})

/** The findings by their subject and status. */
async function before(more?: Record<string, string>): Promise<Record<string, Finding>> {
  const findings: Finding[] = await json(['doctor', '--before'], { env: env(more) })
  for (const { status, remedy } of findings) if (status !== 'ok') expect(remedy).toMatch(/\S/)
  return Object.fromEntries(findings.map((finding) => [finding.check, finding]))
}

/** What is said of each row, by its id. */
const details = (finding?: Finding): Record<string, string> => {
  expect(finding?.rows?.count).toBe(finding?.rows?.first.length)
  return Object.fromEntries(finding!.rows!.first.map(({ id, detail }) => [id, detail]))
}

interface OldKey {
  id: string
  key?: string
  name?: string
  isActive?: boolean
  expiresAt?: string | null
  allowedIps?: (string | null)[] | null
  rateLimit?: number | null
}

const insertKeys = (...keys: OldKey[]): Promise<unknown> =>
  Promise.all(
    keys.map(({ id, key: text = key(id), name = `Name of ${id}`, ...rest }) =>
      database.sql(
        `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "updatedAt", "isActive", "expiresAt", "allowedIps", "rateLimit")
         VALUES ($1, $2, 'c', $3, now(), $4, $5::timestamp, $6, $7)`,
        [
          id,
          text,
          name,
          rest.isActive ?? true,
          rest.expiresAt ?? null,
          rest.allowedIps === undefined ? [] : rest.allowedIps,
          rest.rateLimit ?? null,
        ],
      ),
    ),
  )

const insertToken = (id: string, token: string, name = id, isActive = true): Promise<unknown> =>
  database.sql(
    `INSERT INTO "AdminToken" ("id", "token", "name", "updatedAt", "isActive") VALUES ($1, $2, $3, now(), $4)`,
    [id, token, name, isActive],
  )

const seconds = Math.floor(Date.now() / 1_000)
const claims = { type: 'admin', name: 'any', iat: seconds - 60, exp: seconds + 86_400 }
const header = { alg: 'HS256', typ: 'JWT' }
const signed = (more: Claims = {}, secret = JWT_SECRET): string =>
  jwt(header, { ...claims, ...more }, secret)

/** All rows of all tables of the app, and the names of all that there is. */
const everything = async (): Promise<unknown[]> =>
  (
    await Promise.all([
      database.sql(`SELECT t::text AS row, xmin::text FROM "ApiKey" AS t ORDER BY 1`),
      database.sql(`SELECT t::text AS row, xmin::text FROM "AdminToken" AS t ORDER BY 1`),
      database.sql(`SELECT oid::int, relname, relkind FROM pg_class ORDER BY 1`),
      database.sql(`SELECT nspname FROM pg_namespace ORDER BY 1`),
      database.sql(`SELECT proname FROM pg_proc ORDER BY 1`),
      database.sql(`SELECT tgname FROM pg_trigger ORDER BY 1`),
    ])
  ).flat()

describe('doctor --before', () => {
  test('says which keys will be refused, limited, or bound to addresses', async () => {
    await database.sql(prismaTables)
    await insertKeys(
      { id: 'good' },
      { id: 'disabled', key: 'short', isActive: false },
      { id: 'least', key: 'x'.repeat(16) },
      { id: 'most', key: 'y'.repeat(255) },
      { id: 'quoted', key: `"${'q'.repeat(20)}"` },
      { id: 'short', key: 'x'.repeat(15) },
      { id: 'long', key: 'z'.repeat(256) },
      { id: 'wide', key: 'ä'.repeat(20) },
      { id: 'spaced', key: 'x'.repeat(20) + ' ' },
      { id: 'ours', key: 'sophra_legacy_key_of_the_old_app' },
      { id: 'hashed', key: HASH },
      { id: 'expired', expiresAt: '2020-01-01' },
      { id: 'expires', expiresAt: '2094-01-01' },
      { id: 'listed', allowedIps: ['10.0.0.1', '192.168.0.0/16'], rateLimit: 100 },
      { id: 'none', allowedIps: null },
      { id: 'unreadable', allowedIps: ['10.0.0.1', 'office'] },
      { id: 'holed', allowedIps: ['10.0.0.1', null] },
      { id: 'limited', rateLimit: 1 },
      { id: 'unlimited', rateLimit: 0 },
      { id: 'negative', rateLimit: -5 },
    )
    const found = await before()
    expect(found.keys).toMatchObject({
      status: 'ok',
      message: '10 will be accepted of 19 active keys',
    })
    const characters = 'A key has 16 to 255 characters'
    const visible = 'A key has visible ASCII characters only: no spaces and no line breaks'
    expect(details(found['malformed-keys'])).toEqual({
      short: characters,
      long: characters,
      wide: visible,
      spaced: visible,
      ours: 'It begins with sophra_, as keys of this package do',
      hashed: 'It is a hash, not a key',
    })
    expect(details(found['expired-keys'])).toEqual({ expired: 'It has expired' })
    expect(details(found['unreadable-lists'])).toEqual({
      unreadable: '10.0.0.1, office',
      holed: '10.0.0.1, ',
    })
    expect(details(found['allow-lists'])).toEqual({ listed: '10.0.0.1, 192.168.0.0/16' })
    expect(found['allow-lists']!.remedy).toContain('API_KEYS_TRUSTED_PROXIES')
    expect(details(found['rate-limits'])).toEqual({
      listed: '100 per minute',
      limited: '1 per minute',
    })
    const statuses = Object.values(found).map(({ check, status }) => [check, status])
    expect(Object.fromEntries(statuses)).toMatchObject({
      'malformed-keys': 'problem',
      'expired-keys': 'problem',
      'unreadable-lists': 'problem',
      'allow-lists': 'warning',
      'rate-limits': 'warning',
      'row-security': 'ok',
      'admin-tokens': 'ok',
    })
    const declared = await before({ API_KEYS_TRUSTED_HOPS: '1' })
    expect(declared['allow-lists']!.remedy).not.toContain('API_KEYS_TRUSTED_PROXIES')
    const otherPrefix = await before({ API_KEYS_PREFIXES: 'acme' })
    expect(details(otherPrefix['malformed-keys'])).not.toHaveProperty('ours')
  })

  test('is right about keys: what it accepts is accepted, and the others are refused', async () => {
    await database.sql(prismaTables)
    const texts: Record<string, string> = {
      a: 'x'.repeat(15),
      b: 'x'.repeat(16),
      c: 'y'.repeat(255),
      d: 'z'.repeat(256),
      e: 'sophra_',
      f: `sophra_${'e'.repeat(30)}`,
      g: `"${'q'.repeat(20)}"`,
      h: `acme_live_${'0'.repeat(12)}_${'1'.repeat(46)}`,
      i: HASH,
      j: 'ä'.repeat(20),
      k: `${'k'.repeat(20)}\n`,
      l: `_${'l'.repeat(20)}`,
      m: '~!'.repeat(20),
    }
    await insertKeys(...Object.entries(texts).map(([id, key]) => ({ id, key })))
    const found = await before()
    const refused = Object.keys(details(found['malformed-keys'])).sort()
    addon.configure({ databaseUrl: database.url, throttle: 0, ...cheapHashing })
    const wrong: string[] = []
    for (const [id, text] of Object.entries(texts))
      if (!(await addon.verifyApiKey(text)).valid) wrong.push(id)
    expect(refused).toEqual(wrong)
    expect(refused.length).toBeGreaterThan(5)
  })

  test('tries each admin token, and says what it may do', async () => {
    await database.sql(prismaTables)
    const { type: _, ...untyped } = claims
    const { exp: __, ...endless } = claims
    const tokens: [string, string, string?][] = [
      ['api', signed(), 'prod-api-1'],
      ['monitoring', signed({ jti: 1 }), 'dev-monitoring-2'],
      ['unnamed', signed({ jti: 2 }), 'Ann'],
      ['expired', signed({ exp: seconds - 1 })],
      ['early', signed({ nbf: seconds + 3_600 })],
      ['user', signed({ type: 'user' })],
      ['untyped', jwt(header, untyped, JWT_SECRET)],
      ['endless', jwt(header, endless, JWT_SECRET)],
      ['foreign', signed({}, 'another secret, of 32 bytes and more')],
      ['unsigned', jwt({ alg: 'none' }, claims, JWT_SECRET).replace(/[^.]*$/, '')],
      ['other-alg', jwt({ alg: 'HS512' }, claims, JWT_SECRET, 'sha512')],
      ['no-jwt', 'a plain text'],
      ['long', signed({ more: 'x'.repeat(9_000) })],
    ]
    for (const [id, token, name] of tokens) await insertToken(id, token, name)
    await insertToken('disabled', signed({ jti: 3 }), 'prod-api-9', false)
    const found = await before()
    expect(found['admin-tokens']).toMatchObject({
      status: 'ok',
      message: '3 will be accepted of 13 active admin tokens',
    })
    const unfit =
      'It is signed, but no admin token: type must be admin, and it needs name, iat and exp'
    const foreign = 'JWT_SECRET has not signed it with HS256'
    expect(details(found['refused-tokens'])).toEqual({
      expired: 'It has expired',
      early: 'It is not valid yet',
      user: unfit,
      untyped: unfit,
      endless: unfit,
      foreign,
      unsigned: foreign,
      'other-alg': foreign,
      'no-jwt': foreign,
      long: 'It is longer than 8 KiB',
    })
    expect(details(found['disabled-tokens'])).toEqual({ disabled: 'It is disabled' })
    expect(found.permissions).toMatchObject({
      status: 'warning',
      message:
        'Of the admin tokens that are accepted, 1 will have every permission (*), and 1 none',
    })
    expect(details(found.permissions)).toEqual({
      api: '*',
      monitoring: 'metrics:read, monitoring',
      unnamed: 'none',
    })
    expect(found['refused-tokens']!.status).toBe('problem')
    expect(found['jwt-secret']!.status).toBe('ok')

    // It is right: those tokens are accepted, and no others.
    addon.configure({ databaseUrl: database.url, jwtSecret: JWT_SECRET, ...cheapHashing })
    await addon.migrate()
    for (const [id, token] of tokens) {
      const { valid } = await addon.verifyAdminToken(token)
      expect([id, valid]).toEqual([id, id in details(found.permissions)])
    }
    // Permissions that are stored count, once there is a column for them.
    await database.sql(
      `UPDATE "AdminToken" SET "permissions" = '{keys:read,NULL}' WHERE "id" IN ('api', 'unnamed')`,
    )
    expect(details((await before()).permissions)).toEqual({
      api: 'keys:read',
      monitoring: 'metrics:read, monitoring',
      unnamed: 'keys:read',
    })
  })

  test('says that the secret is another one, or missing', async () => {
    await database.sql(prismaTables)
    await insertToken('a', signed())
    await insertToken('b', signed({ exp: seconds - 1 }))
    const other = await before({ JWT_SECRET: 'another secret, of 32 bytes and more' })
    expect(other['jwt-secret']).toMatchObject({
      status: 'problem',
      message: 'JWT_SECRET has signed none of the active admin tokens (2)',
    })
    expect(other['refused-tokens']!.rows!.count).toBe(2)
    for (const secret of ['', 'short']) {
      const missing = await before({ JWT_SECRET: secret })
      expect(missing['admin-tokens']).toMatchObject({
        status: 'problem',
        message: '2 active admin tokens cannot be tried without a JWT_SECRET of at least 32 bytes',
      })
    }
  })

  test('writes nothing, and needs only SELECT', async () => {
    await database.sql(prismaTables)
    await insertKeys({ id: 'short', key: 'short' }, { id: 'good' })
    await insertToken('api', signed(), 'prod-api-1')
    const role = `reader_${database.url.slice(-16)}`
    await database.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'of-a-test';
      GRANT SELECT ON "ApiKey", "AdminToken" TO ${role}`)
    try {
      const url = Object.assign(new URL(database.url), { username: role, password: 'of-a-test' })
      const at = await everything()
      const found = await before({ DATABASE_URL: url.href })
      expect(details(found['malformed-keys'])).toHaveProperty('short')
      expect(details(found.permissions)).toEqual({ api: '*' })
      expect(Object.values(found).filter(({ status }) => status === 'problem')).toHaveLength(1)
      // As the owner, who may write, too.
      await before()
      expect(await everything()).toEqual(at)
    } finally {
      await database.sql(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
    }
  })

  test('reads pages, lists no more than it may, and shows no key', async () => {
    await database.sql(prismaTables)
    await database.sql(
      `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "updatedAt", "rateLimit")
       SELECT 'clq' || n, md5(n::text) || CASE WHEN n % 2 = 0 THEN '' ELSE ' ' END, 'c', E'Name\\t' || n, now(), 5
       FROM generate_series(1, 5000) AS n`,
    )
    const found = await before()
    expect(found.keys!.message).toBe('2500 will be accepted of 5000 active keys')
    expect(found['malformed-keys']!.rows!.count).toBe(2_500)
    expect(found['malformed-keys']!.rows!.first).toHaveLength(1_000)
    expect(found['rate-limits']!.rows!.count).toBe(2_500)
    const { code, stdout, stderr } = await cli(['doctor', '--before'], { env: env() })
    expect(code).toBe(1)
    expect(stdout).toContain('… and 2480 more: --json lists 1000 of them')
    expect(stdout.split('\n').length).toBeLessThan(80)
    expect(stdout + stderr + JSON.stringify(found)).not.toMatch(/[0-9a-f]{32}/)
    expect(stdout).not.toContain('\t')
  })

  test('finds nothing wrong where nothing is, and ends well', async () => {
    await database.sql(prismaTables)
    await insertKeys({ id: 'good' })
    await insertToken('t', signed(), 'prod-api-1')
    const { code, stdout, stderr } = await cli(['doctor', '--before', '--quiet'], { env: env() })
    expect([code, stdout]).toEqual([0, ''])
    expect(stderr).toContain('0 problems, 0 warnings')
  })

  test('leaves out what this package has made, and what was adopted', async () => {
    addon.configure({ databaseUrl: database.url, jwtSecret: JWT_SECRET, ...cheapHashing })
    await addon.createApiKey({ name: 'n', clientId: 'c', rateLimit: 5 })
    await addon.createAdminToken({ name: 'n' })
    const found = await before()
    expect(found.keys!.message).toBe('0 will be accepted of 0 active keys')
    expect(found['admin-tokens']!.message).toBe('0 will be accepted of 0 active admin tokens')
  })

  test('a row without values hides no other', async () => {
    await database.sql(prismaTables)
    await insertKeys({ id: 'expired', expiresAt: '2020-01-01' }, { id: 'empty' })
    await insertToken('token', 'x')
    for (const [table, columns] of [
      ['ApiKey', ['key', 'name', 'isActive']],
      ['AdminToken', ['token', 'name', 'isActive']],
    ] as const) {
      for (const column of columns)
        await database.sql(`ALTER TABLE "${table}" ALTER "${column}" DROP NOT NULL`)
      const empty = columns.map((column) => `"${column}" = NULL`).join()
      await database.sql(`UPDATE "${table}" SET ${empty} WHERE "id" <> 'expired'`)
    }
    const found = await before()
    expect(details(found['expired-keys'])).toHaveProperty('expired')
    expect(details(found['disabled-tokens'])).toHaveProperty('token')
  })

  test('says so where the tables are missing', async () => {
    const found = await before()
    expect(found.tables!.status).toBe('problem')
    expect(found).not.toHaveProperty('keys')
  })
})

describe('doctor, before the first migration', () => {
  test('says to migrate first, and prints no statement that would fail', async () => {
    await database.sql(prismaTables)
    await insertKeys({ id: 'good' })
    const findings: Finding[] = await json(['doctor'], { env: env() })
    const bad = findings.filter(({ status }) => status !== 'ok')
    expect(bad.map(({ check }) => check)).toEqual(['migrations'])
    expect(bad[0]!.remedy).toContain('npx @sophra/api-keys migrate')
    const { stdout } = await cli(['doctor'], { env: env() })
    expect(stdout).not.toMatch(/ALTER|CREATE|GRANT|DROP|UPDATE/)
  })

  test('grants a role what there is, and every statement succeeds', async () => {
    await database.sql(prismaTables)
    const role = `app_${database.url.slice(-16)}`
    await database.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'of-a-test'`)
    try {
      const url = Object.assign(new URL(database.url), { username: role, password: 'of-a-test' })
      const examine = (): Promise<(Finding & { sql?: string })[]> =>
        json(['doctor'], { env: env({ DATABASE_URL: url.href }) })
      const closed = await examine()
      const statements = closed.flatMap(({ sql }) => sql ?? [])
      expect(statements.join()).toContain('GRANT')
      for (const sql of statements) await database.sql(sql)
      const open = (await examine()).filter(({ status }) => status !== 'ok')
      expect(open.map(({ check }) => check).sort()).toEqual(['migrations', 'privileges'])
      expect(open.flatMap(({ sql }) => sql ?? [])).toEqual([])
    } finally {
      await database.sql(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
    }
  })
})
