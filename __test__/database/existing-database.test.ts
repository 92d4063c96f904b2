import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { runScript } from '../support/child.js'
import { freshDatabase, type Database, type Row } from '../support/database.js'
import { faultOf } from '../support/faults.js'
import { prismaTables } from '../support/prisma-tables.js'
import { startProxy } from '../support/proxy.js'

const { close, configure, createApiKey, getApiKey, listApiKeys, migrate, patchApiKey } = addon
const { deleteApiKey, flush, verifyApiKey } = addon

let database: Database
beforeEach(async () => {
  database = await freshDatabase()
})
afterEach(async () => {
  await close()
  await database.drop()
})

const configureWith = (parameters = ''): void =>
  configure({ databaseUrl: database.url + parameters, ...cheapHashing })

/** The app's tables as `prisma migrate` made them, before this package came. */
const prismaRows = `
  INSERT INTO "ApiKey" VALUES
    ('clq1', 'Zm9vYmFyYmF6cXV4LTAxMjM0NTY3ODlfYWJjZGVmZ2g', 'client-1', 'Full', 'described', true,
     '2094-01-01 00:00:00.123', '2023-05-06 07:08:09.101', '2023-06-07 08:09:10.111',
     '2023-07-08 09:10:11.121', '{10.0.0.1,192.168.0.0/16}', 100, 2147483647),
    ('clq2', 'QmFyZm9vYmF6cXV4LTAxMjM0NTY3ODlfYWJjZGVmZ2g', 'client-2', 'Bare', NULL, false,
     NULL, '2023-05-06 07:08:09.102', '2023-05-06 07:08:09.102', NULL, '{}', NULL, 0),
    ('clq3', '$argon2id$v=19$m=8,t=1,p=1$looks$likeahash', '', 'Odd' || chr(9), '', true,
     '1999-01-01', '2023-05-06 07:08:09.103', '2023-05-06 07:08:09.103', NULL, NULL, -5, 7),
    ('clq4', 'short', 'client-4', repeat('long', 1000), NULL, true, NULL,
     '2023-05-06 07:08:09.104', '2023-05-06 07:08:09.104', NULL, '{nonsense,NULL}', 0, 1);
  INSERT INTO "AdminToken" VALUES
    ('adm1', 'eyJhbGciOiJIUzI1NiJ9.eyJ0eXBlIjoiYWRtaW4ifQ.c2ln', 'Old admin', 'described', true,
     '2023-01-02 03:04:05.678', '2023-01-02 03:04:05.678', NULL),
    ('adm2', 'not a token', 'Off', NULL, false, '2023-01-02', '2023-01-02', '2023-02-03');`

const keyColumns = `"id", "key", "clientId", "name", "description", "isActive", "expiresAt",
  "createdAt", "updatedAt", "lastUsedAt", "allowedIps", "rateLimit", "usageCount"`
const tokenColumns = `"id", "token", "name", "description", "isActive", "createdAt", "updatedAt",
  "lastUsedAt"`

/** The rows exactly as the app's own client sees them. */
async function prismaView(): Promise<Row[]> {
  const keys = `SELECT ROW(${keyColumns})::text AS row FROM "ApiKey" ORDER BY "id"`
  const tokens = `SELECT ROW(${tokenColumns})::text AS row FROM "AdminToken" ORDER BY "id"`
  return [...(await database.sql(keys)), ...(await database.sql(tokens))]
}

const schema = (): Promise<Row[]> =>
  database.sql(`SELECT table_schema, table_name, column_name, data_type, column_default, is_nullable
    FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
    ORDER BY 1, 2, 3`)

async function usageCountType(): Promise<string> {
  const [column] = await database.sql(`SELECT data_type FROM information_schema.columns
    WHERE table_name = 'ApiKey' AND column_name = 'usageCount'`)
  return column!.data_type as string
}

describe("the app's own tables", () => {
  beforeEach(async () => {
    await database.sql(prismaTables)
    await database.sql(prismaRows)
  })

  test('survive a migration untouched', async () => {
    const before = await prismaView()
    configureWith()
    await migrate()
    expect(await prismaView()).toEqual(before)
    await listApiKeys()
    await addon.listAdminTokens()
    await flush()
    expect(await prismaView()).toEqual(before)
  })

  test('are listed as keys without a start', async () => {
    configureWith()
    const { keys } = await listApiKeys()
    expect(keys.map(({ id }) => id)).toEqual(['clq4', 'clq3', 'clq2', 'clq1'])
    expect(keys[3]).toEqual({
      id: 'clq1',
      name: 'Full',
      clientId: 'client-1',
      description: 'described',
      createdBy: null,
      status: 'active',
      isActive: true,
      expiresAt: new Date('2094-01-01T00:00:00.123Z'),
      createdAt: new Date('2023-05-06T07:08:09.101Z'),
      updatedAt: new Date('2023-06-07T08:09:10.111Z'),
      lastUsedAt: new Date('2023-07-08T09:10:11.121Z'),
      allowedIps: ['10.0.0.1', '192.168.0.0/16'],
      rateLimit: 100,
      usageCount: 2147483647,
      kind: 'secret',
      environment: 'live',
      origins: null,
      start: null,
      scopes: [],
      roles: [],
      metadata: null,
      rateLimitWindowSeconds: null,
      limits: [],
      quotas: [],
      suspendedUntil: null,
      previousKeyExpiresAt: null,
      previousKeyLastUsedAt: null,
      currentKeyFirstUsedAt: null,
      lastUsedIp: null,
      maxIdleDays: null,
      revokedAt: null,
      revokedBy: null,
      revokedReason: null,
    })
    for (const key of keys) {
      expect(key).not.toHaveProperty('key')
      expect(await getApiKey(key.id)).toEqual(key)
    }
    const tokens = await addon.listAdminTokens()
    expect(tokens.map(({ id, isActive }) => [id, isActive]).sort()).toEqual([
      ['adm1', true],
      ['adm2', false],
    ])
    for (const token of tokens) expect(token).not.toHaveProperty('token')
  })

  test('take changes, new keys and deletions', async () => {
    configureWith()
    const others = (await prismaView()).filter(({ row }) => !/^.clq[24],/.test(row as string))
    expect(await patchApiKey({ id: 'clq2', name: 'Named' })).toMatchObject({ name: 'Named' })
    await deleteApiKey('clq4')
    const { id, key } = await createApiKey({ name: 'New', clientId: 'c' })
    expect((await verifyApiKey(key)).valid).toBe(true)
    await deleteApiKey(id)
    const after = (await prismaView()).filter(({ row }) => !/^.clq2,/.test(row as string))
    expect(after).toEqual(others)
  })

  test('are used by an old instance with prepared statements all the while, until the count is widened', async () => {
    const connect = async (): Promise<Client> => {
      const client = new Client({ connectionString: database.url })
      await client.connect()
      return client
    }
    // Named statements are prepared once for each connection, as an ORM does it.
    const useOf = async (old: Client): Promise<Row> => {
      const read = `SELECT ${keyColumns} FROM "ApiKey" WHERE "id" = $1`
      const count = `UPDATE "ApiKey" SET "usageCount" = "usageCount" + 1 WHERE "id" = $1 RETURNING ${keyColumns}`
      const list = `SELECT ${tokenColumns} FROM "AdminToken" WHERE "id" = $1`
      await old.query({ name: 'list', text: list, values: ['adm1'] })
      await old.query({ name: 'count', text: count, values: ['clq2'] })
      return (await old.query({ name: 'read', text: read, values: ['clq2'] })).rows[0] as Row
    }
    const old = await connect()
    try {
      expect((await useOf(old)).usageCount).toBe(1)
      configureWith()
      await migrate()
      expect((await useOf(old)).usageCount).toBe(2)
      await migrate({ adopt: true })
      expect((await useOf(old)).usageCount).toBe(3)
      expect(await usageCountType()).toBe('integer')

      // This is why the documentation has it widened once no old instance is running.
      await database.sql(`ALTER TABLE "ApiKey" ALTER COLUMN "usageCount" TYPE BIGINT`)
      await expect(useOf(old)).rejects.toMatchObject({ code: '0A000' })
      const anew = await connect()
      expect((await useOf(anew)).usageCount).toBe('4')
      await anew.end()
    } finally {
      await old.end()
    }
  })

  test('keep their INTEGER usageCount, which stops at its maximum until it is widened', async () => {
    configureWith()
    await migrate()
    expect(await usageCountType()).toBe('integer')
    const { id, key } = await createApiKey({ name: 'New', clientId: 'c' })
    await verifyApiKey(key)
    await flush()
    expect((await getApiKey(id))!.usageCount).toBe(1)

    const most = 2 ** 31 - 1
    await database.sql(`UPDATE "ApiKey" SET "usageCount" = $2 WHERE "id" = $1`, [id, most - 1])
    for (let time = 0; time < 3; time++) await verifyApiKey(key)
    await flush()
    expect((await getApiKey(id))!.usageCount).toBe(most)
    const { status, problems } = await addon.health()
    expect(status).toBe('degraded')
    const [statement] = /ALTER TABLE .*/.exec(problems.join('\n'))!
    expect(statement).toContain('"usageCount" TYPE BIGINT')

    await database.sql(statement)
    expect(await usageCountType()).toBe('bigint')
    await verifyApiKey(key)
    await flush()
    expect((await getApiKey(id))!.usageCount).toBe(most + 1)
    expect((await addon.health()).problems.join()).not.toContain('usageCount')
    expect((await migrate()).applied).toEqual([])
  })
})

/** Nothing on stderr but that it waits for one of the others. */
const saysThatItWaits = (stderr: string): boolean =>
  stderr
    .split('\n')
    .filter(Boolean)
    .every((line) => (JSON.parse(line) as { type: string }).type === 'migration.waiting')

describe('migrate', () => {
  test('makes everything in an empty database, and names what it applied once', async () => {
    configureWith()
    const first = await migrate()
    expect(first).toEqual({ applied: expect.any(Array), adopted: 0, remaining: 0 })
    expect(first.applied.length).toBeGreaterThan(0)
    const made = await schema()
    for (let time = 0; time < 2; time++) {
      expect(await migrate()).toEqual({ applied: [], adopted: 0, remaining: 0 })
    }
    expect(await schema()).toEqual(made)
  })

  test('is done at first use, by a process that comes later too', async () => {
    configureWith()
    const { id } = await createApiKey({ name: 'First', clientId: 'c' })
    await close()
    configureWith()
    expect(await getApiKey(id)).toMatchObject({ name: 'First' })
    expect((await migrate()).applied).toEqual([])
  })

  test.each([
    ['an empty database', ''],
    ["the app's database", prismaTables + prismaRows],
  ])('is safe when five processes start at once on %s', async (_what, statements) => {
    if (statements) await database.sql(statements)
    const before = statements ? await prismaView() : []
    const start = `
      const { applied } = await api.migrate()
      const { key } = await api.createApiKey({ name: 'Racer', clientId: 'race' })
      const { valid } = await api.verifyApiKey(key)
      report({ applied, valid })`
    // With a secret, so that nothing is said about its absence.
    const env = { DATABASE_URL: database.url, JWT_SECRET: 'x'.repeat(32) }
    const children = await Promise.all(Array.from({ length: 5 }, () => runScript(start, { env })))
    for (const { code, stderr } of children) {
      expect([code, stderr]).toEqual([0, expect.toSatisfy(saysThatItWaits)])
    }
    const reports = children.flatMap((child) => child.reports as { applied: string[] }[])
    for (const report of reports) expect(report).toMatchObject({ valid: true })
    // Each step was applied by one of them.
    const applied = reports.flatMap((report) => report.applied)
    expect(new Set(applied).size).toBe(applied.length)
    expect(applied.length).toBeGreaterThan(0)
    await database.sql(`DELETE FROM "ApiKey" WHERE "clientId" = 'race'`)
    if (statements) expect(await prismaView()).toEqual(before)
  })

  test('makes unique by what a presented key is found', async () => {
    configureWith()
    await listApiKeys()
    const indexes = await database.sql(`SELECT indexdef FROM pg_indexes WHERE tablename = 'ApiKey'`)
    const text = indexes.map(({ indexdef }) => indexdef as string).join('\n')
    for (const column of ['id', 'key', 'lookup', '"previousLookup"']) {
      expect(text).toMatch(new RegExp(`UNIQUE INDEX .*\\(${column}\\)`))
    }
  })
})

describe('API_KEYS_MIGRATE=manual', () => {
  const manual = (): void =>
    configure({ databaseUrl: database.url, migrate: 'manual', ...cheapHashing })

  test('on an empty database names the command', async () => {
    manual()
    const calls = [
      () => listApiKeys(),
      () => createApiKey({ name: 'n', clientId: 'c' }),
      () => verifyApiKey('an-old-key-that-nobody-issued-0123456789abc'),
    ]
    for (const call of calls) {
      const fault = await faultOf(call)
      expect(fault).toMatchObject({ code: 'CONFIGURATION', status: 500 })
      expect(fault.message).toMatch(/migrate/)
    }
    expect(await schema()).toEqual([])
  })

  test('works once migrate() was called', async () => {
    manual()
    await faultOf(() => listApiKeys())
    expect((await migrate()).applied.length).toBeGreaterThan(0)
    expect((await listApiKeys()).keys).toEqual([])
  })

  test('works where another process has migrated', async () => {
    configureWith()
    await migrate()
    await close()
    manual()
    expect((await listApiKeys()).keys).toEqual([])
  })
})

describe("Prisma's parameters of the URL", () => {
  test('schema is where the tables are', async () => {
    await database.sql('CREATE SCHEMA "my app"')
    configureWith('?schema=my%20app')
    const { id, key } = await createApiKey({ name: 'Elsewhere', clientId: 'c' })
    expect((await verifyApiKey(key)).valid).toBe(true)
    await flush()
    const rows = await database.sql(`SELECT "id", "usageCount"::int FROM "my app"."ApiKey"`)
    expect(rows).toEqual([{ id, usageCount: 1 }])
    const [elsewhere] = await database.sql(`SELECT to_regclass('public."ApiKey"') AS it`)
    expect(elsewhere!.it).toBeNull()
  })

  test('schema finds tables that stand there', async () => {
    await database.sql('CREATE SCHEMA app')
    await database.sql(`SET search_path = app; ${prismaTables} ${prismaRows} RESET search_path;`)
    configureWith('?schema=app')
    expect((await listApiKeys()).keys).toHaveLength(4)
  })

  test.each([
    '?schema=public',
    '?connection_limit=1',
    '?connection_limit=2&pool_timeout=0&connect_timeout=10&socket_timeout=10',
    '?sslmode=prefer',
    '?sslmode=disable',
    '?sslaccept=accept_invalid_certs&statement_cache_size=0',
    '?application_name=my-app',
  ])('%s', async (parameters) => {
    configureWith(parameters)
    const { id, key } = await createApiKey({ name: 'Prisma', clientId: 'c' })
    expect((await verifyApiKey(key)).valid).toBe(true)
    await flush()
    expect((await getApiKey(id))!.usageCount).toBe(1)
    expect((await listApiKeys({ search: 'prisma', limit: 1 })).keys).toHaveLength(1)
  })

  test('schema is found behind a pooler too', async () => {
    await database.sql('CREATE SCHEMA app')
    configure({
      databaseUrl: `${database.url}?schema=app&pgbouncer=true&connection_limit=2`,
      directDatabaseUrl: `${database.url}?schema=app`,
      ...cheapHashing,
    })
    const { id, key } = await createApiKey({ name: 'Pooled', clientId: 'c' })
    const answers = await Promise.all(Array.from({ length: 5 }, () => verifyApiKey(key)))
    for (const { valid } of answers) expect(valid).toBe(true)
    await flush()
    const rows = await database.sql(`SELECT "id", "usageCount"::int FROM app."ApiKey"`)
    expect(rows).toEqual([{ id, usageCount: 5 }])
  })

  test('directDatabaseUrl is what migrates', async () => {
    const directDatabaseUrl = 'postgres://127.0.0.1:1/none'
    configure({ databaseUrl: database.url, directDatabaseUrl, ...cheapHashing })
    expect(await faultOf(() => migrate())).toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
    expect(await faultOf(() => listApiKeys())).toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
    expect(await schema()).toEqual([])
    await close()

    const proxy = await startProxy(database.url)
    configure({ databaseUrl: proxy.url, directDatabaseUrl: database.url, ...cheapHashing })
    expect((await migrate()).applied.length).toBeGreaterThan(0)
    expect((await listApiKeys()).keys).toEqual([])
    await close()
    await proxy.close()
  })

  describe('with pgbouncer=true', () => {
    const parameters = '?pgbouncer=true&schema=public&connection_limit=1'

    test('migrations ask for a way around the pooler', async () => {
      configureWith(parameters)
      for (const call of [() => migrate(), () => listApiKeys()]) {
        const fault = await faultOf(call)
        expect(fault).toMatchObject({ code: 'CONFIGURATION', status: 500 })
        expect(fault.message).toContain('DIRECT_DATABASE_URL')
      }
      expect(await schema()).toEqual([])
    })

    test('no statement is named: the pooler may hand it to another server', async () => {
      configureWith()
      await migrate()
      await close()

      const proxy = await startProxy(database.url)
      configure({ databaseUrl: proxy.url + parameters, ...cheapHashing })
      expect((await migrate()).applied).toEqual([])
      const { id, key } = await createApiKey({ name: 'Pooled', clientId: 'c' })
      expect((await verifyApiKey(key)).valid).toBe(true)
      expect((await listApiKeys({ clientId: 'c' })).keys).toHaveLength(1)
      await patchApiKey({ id, name: 'Still pooled' })
      await flush()
      expect((await getApiKey(id))!.usageCount).toBe(1)
      await deleteApiKey(id)
      await close()
      await proxy.close()
      expect(proxy.prepared.length).toBeGreaterThan(0)
      expect(proxy.prepared.filter((name) => name !== '')).toEqual([])
    })
  })
})
