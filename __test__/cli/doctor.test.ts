import { beforeEach, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { useDatabaseEach } from '../support/database-each.js'
import { pgbouncerVersion, startPgbouncer } from '../support/pgbouncer.js'
import { cli, json } from './cli.js'

interface Finding {
  check: string
  status: 'ok' | 'warning' | 'problem'
  message: string
  remedy?: string
  sql?: string
}

const JWT_SECRET = 'a secret of the tests, of 32 bytes or more'
const OLD_KEY = 'Zm9vYmFyYmF6cXV4LTAxMjM0NTY3ODlfYWJjZGVmZ2g'

const database = useDatabaseEach()

const examine = (env: Record<string, string> = {}): Promise<Finding[]> =>
  json(['doctor'], { env: { DATABASE_URL: database.url, JWT_SECRET, ...env } })

/** The findings that are not ok, by their subject. */
async function faults(env?: Record<string, string>): Promise<Record<string, Finding>> {
  const findings = await examine(env)
  const bad = findings.filter(({ status }) => status !== 'ok')
  for (const { remedy } of bad) expect(remedy).toMatch(/\S/)
  return Object.fromEntries(bad.map((finding) => [finding.check, finding]))
}

async function migrated(): Promise<void> {
  addon.configure({ databaseUrl: database.url, ...cheapHashing })
  await addon.migrate()
}

/** Does what the remedy says. */
async function heal(finding: Finding): Promise<void> {
  await database.sql(finding.sql!)
  await addon.migrate()
}

/** The whole of a database that it may have changed. */
const tables = () =>
  database.sql(
    `SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^pg_|^information' ORDER BY 1, 2`,
  )

describe('a healthy database', () => {
  test('has nothing wrong', async () => {
    await migrated()
    await addon.createApiKey({ name: 'n', clientId: 'c', rateLimit: 5 })
    const findings = await examine()
    expect(findings.filter(({ status }) => status !== 'ok')).toEqual([])
    expect(findings.length).toBeGreaterThanOrEqual(18)
    const { code, stdout, stderr } = await cli(['doctor'], {
      env: { DATABASE_URL: database.url, JWT_SECRET },
    })
    expect(code).toBe(0)
    expect(stdout.trim().split('\n')).toHaveLength(findings.length)
    expect(stderr).toContain('0 problems, 0 warnings')
    const quiet = await cli(['doctor', '--quiet'], {
      env: { DATABASE_URL: database.url, JWT_SECRET },
    })
    expect([quiet.code, quiet.stdout]).toEqual([0, ''])
  })

  test('is not written to', async () => {
    await migrated()
    const counts = () =>
      database.sql(
        `SELECT n_tup_ins + n_tup_upd + n_tup_del AS writes FROM pg_stat_user_tables ORDER BY relid`,
      )
    await examine()
    const [before, at] = [await counts(), await tables()]
    await examine()
    expect(await tables()).toEqual(at)
    expect(await counts()).toEqual(before)
  })
})

describe('an unhealthy environment', () => {
  test('is invalid', async () => {
    const bad = await faults({ API_KEYS_POOL_MAX: '0', API_KEYS_MIGRATE: 'never' })
    expect(Object.keys(bad)).toEqual(['configuration'])
    expect(bad.configuration!.message).toMatch(/poolMax.*migrate|migrate.*poolMax/)
  })

  test('has a short secret', async () => {
    await migrated()
    expect(await faults({ JWT_SECRET: 'short' })).toEqual({
      'jwt-secret': expect.objectContaining({ status: 'warning' }),
      'cold-digest': expect.objectContaining({
        status: 'warning',
        message: expect.stringContaining('argon2id at its first verify'),
        remedy: expect.stringMatching(/JWT_SECRET.*API_KEYS_SIGNING_KEYS/),
      }),
    })
    // A signing key will do, and so will switching digests off.
    const API_KEYS_SIGNING_KEYS = Buffer.alloc(32, 1).toString('base64')
    for (const bad of [
      await faults({ JWT_SECRET: 'short', API_KEYS_SIGNING_KEYS }),
      await faults({ JWT_SECRET: 'short', API_KEYS_COLD_DIGEST: 'off' }),
    ]) {
      expect(Object.keys(bad)).toEqual(['jwt-secret'])
    }
  })

  test('has a signing key that the database held', async () => {
    await migrated()
    await addon.createApiKey({ name: 'n', clientId: 'c' })
    const [row] = await database.sql(
      `SELECT encode(key, 'base64') AS key FROM sophra_api_keys.signing_keys`,
    )
    const old = row!.key as string
    await database.sql(`UPDATE sophra_api_keys.signing_keys SET key = NULL`)
    const next = Buffer.alloc(32, 1).toString('base64')
    for (const API_KEYS_SIGNING_KEYS of [old, `${next},${old}`])
      expect(await faults({ API_KEYS_SIGNING_KEYS })).toEqual({
        'cold-digest': expect.objectContaining({
          status: 'warning',
          message: expect.stringMatching(/signing keys that the database holds or held: [\w-]+$/),
          remedy: expect.stringContaining('first in API_KEYS_SIGNING_KEYS'),
        }),
      })
    await database.sql(`DELETE FROM "ApiKey"`)
    expect(await faults({ API_KEYS_SIGNING_KEYS: next })).toEqual({})
  })

  test.each([
    ['nobody listens', () => withUrl({ port: '1' }), 'the connection was refused'],
    ['no such database', () => withUrl({ pathname: '/absent' }), 'the database does not exist'],
    [
      'a wrong password',
      () => withUrl({ password: 'hush-hush' }),
      'rejected the user or the password',
    ],
    ['a password of two lines', () => withUrl({ password: 'hush%0Ahush' }), 'no server accepts'],
    ['no encryption', () => `${database.url}?sslmode=require`, 'encryption'],
  ])('cannot connect: %s', async (_what, url, message) => {
    const { code, stdout } = await cli(['doctor'], { env: { DATABASE_URL: url(), JWT_SECRET } })
    expect(code).toBe(1)
    expect(stdout).toContain(message)
    expect(stdout).not.toContain('hush')
    expect(stdout).not.toContain(new URL(database.url).password)
  })

  const withUrl = (parts: Partial<URL>): string => Object.assign(new URL(database.url), parts).href

  test('has a direct URL that does not lead there', async () => {
    await migrated()
    const bad = await faults({ DIRECT_DATABASE_URL: withUrl({ port: '1' }) })
    expect(bad['direct-connection']!.status).toBe('problem')
  })

  test('lacks a signing key of keys in use', async () => {
    await migrated()
    await addon.createApiKey({ name: 'n', clientId: 'c' })
    const API_KEYS_SIGNING_KEYS = Buffer.alloc(32, 1).toString('base64')
    const bad = await faults({ API_KEYS_SIGNING_KEYS })
    const [row] = await database.sql(`SELECT "signingKey" AS fingerprint FROM "ApiKey"`)
    expect(bad['signing-keys']).toMatchObject({
      status: 'problem',
      message: expect.stringContaining(`${row!.fingerprint} (1 key)`),
    })
    expect(JSON.stringify(bad)).not.toContain(API_KEYS_SIGNING_KEYS)
  })

  test.skipIf(!pgbouncerVersion())('goes through a pooler that it does not know of', async () => {
    await migrated()
    const pooler = await startPgbouncer(database.url)
    try {
      const unaware = await faults({ DATABASE_URL: pooler.url.replace('?pgbouncer=true', '') })
      expect(JSON.stringify(unaware)).toContain('pgbouncer=true')
      const aware = await faults({ DATABASE_URL: pooler.url })
      expect(aware).toEqual({ pooler: expect.objectContaining({ status: 'warning' }) })
      expect(aware.pooler!.remedy).toContain('DIRECT_DATABASE_URL')
      expect(await faults({ DATABASE_URL: pooler.url, DIRECT_DATABASE_URL: database.url })).toEqual(
        {},
      )
    } finally {
      await pooler.stop()
    }
  })
})

describe('an unhealthy schema', () => {
  test('is empty: it is reported, and not migrated', async () => {
    const bad = await faults()
    expect(Object.keys(bad)).toEqual(['tables'])
    expect(bad.tables!.remedy).toContain('migrate')
    expect(await tables()).toEqual([])
  })

  test('is elsewhere', async () => {
    await migrated()
    const bad = await faults({ DATABASE_URL: `${database.url}?schema=other` })
    expect(bad.tables!.remedy).toMatch(/in public/)
  })

  test("is the app's own still", async () => {
    await migrated()
    await database.sql(`DROP SCHEMA sophra_api_keys CASCADE`)
    // What the migrations make again is not named one by one.
    expect(Object.keys(await faults())).toEqual(['migrations'])
    await addon.migrate()
    expect(await faults()).toEqual({})
  })

  test('lost the signing key with the schema of its own', async () => {
    await migrated()
    const { key } = await addon.createApiKey({ name: 'n', clientId: 'c' })
    await addon.close()
    await database.sql(`DROP SCHEMA sophra_api_keys CASCADE`)
    addon.configure({ databaseUrl: database.url, ...cheapHashing })
    await addon.migrate()
    const bad = await faults()
    expect(Object.keys(bad)).toEqual(['signing-keys'])
    expect(bad['signing-keys']!.message).toContain('(1 key)')
    // A fault, and not a refusal of everybody.
    await expect(addon.verifyApiKey(key)).rejects.toMatchObject({ code: 'CONFIGURATION' })
  })

  test.each([
    'start',
    'createdBy',
    'coldDigest',
    'previousColdDigest',
    'signingKey',
    'limiterEpoch',
    'lookup',
    'previousLookup',
    'scopes',
  ])('lost the column %s, which can be added again', async (column) => {
    await migrated()
    const { id, key } = await addon.createApiKey({ name: 'n', clientId: 'c' })
    await addon.close()
    // `db push` does this if the model lacks the column; CASCADE is needed if a trigger uses it.
    await database.sql(`ALTER TABLE "ApiKey" DROP COLUMN "${column}" CASCADE`)
    const bad = await faults()
    expect(bad.columns).toMatchObject({
      status: 'problem',
      message: `Columns are missing: "ApiKey"."${column}"`,
    })
    addon.configure({ databaseUrl: database.url, ...cheapHashing })
    await heal(bad.columns!)
    if (bad.triggers) await heal(bad.triggers)
    expect(await faults()).toEqual({})
    expect(await addon.getApiKey(id)).toMatchObject({ name: 'n' })
    if (column === 'lookup') expect(await addon.verifyApiKey(key)).toMatchObject({ valid: true })
  })

  test('holds what a verify reads: a tool cannot drop it by accident', async () => {
    await migrated()
    for (const column of ['lookup', 'scopes', 'limiterEpoch', 'isActive']) {
      const drop = database.sql(`ALTER TABLE "ApiKey" DROP COLUMN "${column}"`)
      await expect(drop).rejects.toMatchObject({ code: '2BP01' })
    }
    expect(await faults()).toEqual({})
  })

  test('of tokens lost a column', async () => {
    await migrated()
    await database.sql(`ALTER TABLE "AdminToken" DROP COLUMN "permissions" CASCADE`)
    const bad = await faults()
    expect(bad.columns!.message).toContain('"AdminToken"."permissions"')
    await heal(bad.columns!)
    if (bad.triggers) await heal(bad.triggers)
    expect(await faults()).toEqual({})
  })

  test('has triggers that are missing, off, or not always on', async () => {
    await migrated()
    await database.sql(`DROP TRIGGER sophra_api_keys_update ON "ApiKey"`)
    await database.sql(`ALTER TABLE "ApiKey" DISABLE TRIGGER sophra_api_keys_change`)
    await database.sql(`ALTER TABLE "ApiKey" ENABLE TRIGGER sophra_api_keys_truncate`)
    const bad = await faults()
    expect(Object.keys(bad)).toEqual(['triggers'])
    for (const name of ['update', 'change', 'truncate']) {
      expect(bad.triggers!.message).toContain(`sophra_api_keys_${name}`)
    }
    await heal(bad.triggers!)
    expect(await faults()).toEqual({})
  })

  test('lacks the trigger that notes signing keys', async () => {
    await migrated()
    await database.sql(`DROP TRIGGER sophra_api_keys_exposed ON sophra_api_keys.signing_keys`)
    const bad = await faults()
    expect(Object.keys(bad)).toEqual(['triggers'])
    expect(bad.triggers!.message).toMatch(/sophra_api_keys_exposed .*: a signing key/)
    expect((await addon.health()).problems).toEqual([])
    await addon.migrate()
    expect(await faults()).toEqual({})
  })

  test('has an index that is missing, and one that is invalid', async () => {
    await migrated()
    await database.sql(`DROP INDEX "ApiKey_lookup_key"`)
    await database.sql(`UPDATE pg_index SET indisvalid = false
      WHERE indexrelid = '"ApiKey_createdAt_id_idx"'::regclass`)
    const bad = await faults()
    expect(Object.keys(bad)).toEqual(['indexes'])
    expect(bad.indexes!.message).toMatch(/ApiKey_lookup_key, ApiKey_createdAt_id_idx/)
    await addon.migrate()
    expect(await faults()).toEqual({})
  })

  test('has no index for searches until the extension is there', async () => {
    await migrated()
    await database.sql('DROP EXTENSION pg_trgm CASCADE')
    const bad = await faults()
    expect(bad).toEqual({ pg_trgm: expect.objectContaining({ status: 'warning' }) })
    await database.sql('CREATE EXTENSION pg_trgm')
    expect(Object.keys(await faults())).toEqual(['indexes'])
    await addon.migrate()
    expect(await faults()).toEqual({})
  })

  test('counts in INTEGER', async () => {
    await migrated()
    await database.sql(`ALTER TABLE "ApiKey" ALTER COLUMN "usageCount" TYPE INTEGER`)
    expect(Object.keys(await faults())).toEqual(['usage-count'])
  })

  test('is closed to the role', async () => {
    await migrated()
    await addon.close()
    const role = `role_${database.url.slice(-16)}`
    await database.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'of-a-test';
      REVOKE EXECUTE ON FUNCTION sophra_api_keys.plaintext_digest FROM PUBLIC`)
    try {
      const url = Object.assign(new URL(database.url), {
        username: role,
        password: 'of-a-test',
      }).href
      const shut = await faults({ DATABASE_URL: url })
      expect(shut.privileges!.message).toContain('UPDATE on "ApiKey"')
      expect(shut.privileges!.message).toContain(
        'EXECUTE on function sophra_api_keys.plaintext_digest',
      )
      await database.sql(shut.privileges!.sql!)
      // The findings that need access to the schema.
      const rest = (await faults({ DATABASE_URL: url })).privileges!
      if (rest.sql) await database.sql(rest.sql)
      // All that is needed is granted, and no more.
      addon.configure({
        databaseUrl: url,
        migrate: 'manual',
        jwtSecret: JWT_SECRET,
        ...cheapHashing,
      })
      const { id, key } = await addon.createApiKey({ name: 'n', clientId: 'c', rateLimit: 5 })
      expect(await addon.verifyApiKey(key)).toMatchObject({ valid: true })
      await addon.updateApiKey({ id, regenerateKey: true, gracePeriodSeconds: 60 })
      const { token } = await addon.createAdminToken({ name: 'n' })
      expect(await addon.verifyAdminToken(token)).toMatchObject({ valid: true })
      await addon.flush()
      await addon.deleteApiKey(id)
      expect(await addon.health()).toMatchObject({ status: 'ok' })
      await addon.close()
      const open = await faults({ DATABASE_URL: url })
      expect(open).toEqual({ privileges: expect.objectContaining({ status: 'warning' }) })
      expect(open.privileges!.remedy).toContain('API_KEYS_MIGRATE=manual')
    } finally {
      await database.sql(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
    }
  })

  test('takes no writes', async () => {
    await migrated()
    const [{ name }] = (await database.sql('SELECT current_database() AS name')) as [
      { name: string },
    ]
    await database.sql(`ALTER DATABASE ${name} SET default_transaction_read_only = on`)
    expect((await faults()).server!.message).toContain('no writes')
    await database.sql(`SET default_transaction_read_only = off`)
    await database.sql(`ALTER DATABASE ${name} RESET default_transaction_read_only`)
  })
})

describe('unhealthy rows', () => {
  beforeEach(async () => {
    await migrated()
    await database.sql(
      `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "updatedAt", "allowedIps", "rateLimit") VALUES
        ('a', $1, 'c', 'n', now(), '{10.0.0.1}', 5),
        ('b', $1 || 'b', 'c', 'n', now(), '{nonsense}', 0),
        ('c', $1 || 'c', 'c', 'n', now(), '{10.0.0.1,NULL}', -5)`,
      [OLD_KEY],
    )
    await database.sql(`INSERT INTO "AdminToken" ("id", "token", "name", "updatedAt")
      VALUES ('t', 'eyJhbGciOiJIUzI1NiJ9.e30.c2ln', 'old', now())`)
  })

  test('have metadata that cannot be read', async () => {
    expect(await faults()).not.toHaveProperty('metadata')
    await database.sql(`UPDATE "ApiKey" SET "metadata" = CASE "id"
      WHEN 'a' THEN '{"n": 1e400}' WHEN 'b' THEN jsonb_build_object('text', repeat('x', 500)) ELSE 'null' END`)
    expect((await faults()).metadata).toMatchObject({
      status: 'warning',
      message: expect.stringMatching(/for 1 key: a$/),
    })
    await database.sql(`UPDATE "ApiKey" SET "metadata" = $1`, [
      `{"a": ${'['.repeat(200)}${']'.repeat(200)}}`,
    ])
    expect((await faults()).metadata!.message).toMatch(/for 3 keys: a, b, c$/)
    const { key } = await addon.createApiKey({ name: 'n', clientId: 'c' })
    expect(await addon.verifyApiKey(key)).toMatchObject({ valid: true })
    await addon.close()
  })

  test('have a hash without its lookup', async () => {
    expect(await faults()).not.toHaveProperty('lookups')
    await addon.close()
    addon.configure({ databaseUrl: database.url, jwtSecret: JWT_SECRET, ...cheapHashing })
    const key = await addon.createApiKey({ name: 'n', clientId: 'c' })
    const { token } = await addon.createAdminToken({ name: 'n' })
    await database.sql(
      `UPDATE "ApiKey" SET "lookup" = NULL; UPDATE "AdminToken" SET "lookup" = NULL`,
    )
    const bad = await faults()
    expect(bad.lookups).toMatchObject({
      status: 'warning',
      message: expect.stringMatching(/for 1 key and 1 admin token$/),
    })
    // They are no plaintext, and not hashed again.
    expect(bad.plaintext!.message).toContain('3 keys and 1 admin token')
    expect(await addon.migrate({ adopt: true })).toMatchObject({ adopted: 4, remaining: 0 })
    const [listed, restored] = bad.lookups!.sql!.split('\n') as [string, string]
    expect(await database.sql(listed)).toEqual([{ id: key.id, name: 'n' }])
    await database.sql(restored)
    expect((await faults()).lookups!.message).toMatch(/for 1 key and 0 admin tokens$/)
    expect(await addon.verifyAdminToken(token)).toMatchObject({ valid: true })
    await addon.updateApiKey({ id: key.id, regenerateKey: true })
    expect(await faults()).not.toHaveProperty('lookups')
    await addon.close()
  })

  test('have limits that cannot be read, or belong to a client that has such ones', async () => {
    expect(await faults()).not.toHaveProperty('limits')
    await database.sql(
      `UPDATE "ApiKey" SET "limits" = '[{"name": "tokens"}]' WHERE "id" IN ('a', 'b')`,
    )
    await database.sql(
      `INSERT INTO sophra_api_keys.clients (client_id, limits, allowed_ips) VALUES
         ('c1', '{}', '{}'), ('c2', '[]', '{nowhere}'), ('c3', '[]', '{::1}'), ('c4', 'null', '{}')`,
    )
    expect(await faults()).toMatchObject({
      limits: { status: 'problem', message: expect.stringMatching(/for 2 keys: a, b$/) },
      clients: { status: 'problem', message: expect.stringMatching(/for 3 clients: c1, c2, c4$/) },
    })
    await database.sql(`UPDATE "ApiKey" SET "limits" = NULL`)
    await database.sql(`DELETE FROM sophra_api_keys.clients`)
    const mended = await faults()
    for (const check of ['limits', 'clients']) expect(mended).not.toHaveProperty(check)
  })

  test('are plaintext, have no real limit, or an unreadable list', async () => {
    const bad = await faults()
    expect(bad).toMatchObject({
      plaintext: {
        status: 'warning',
        message: expect.stringContaining('3 keys and 1 admin token'),
      },
      'rate-limits': { status: 'warning', message: expect.stringMatching(/for 2 keys$/) },
      'trusted-proxies': { status: 'warning', message: expect.stringMatching(/for 3 keys:/) },
      'allow-lists': { status: 'problem', message: expect.stringMatching(/for 2 keys: b, c$/) },
    })
    expect(JSON.stringify(bad)).not.toContain(OLD_KEY)
    const declarations: Record<string, string>[] = [
      { API_KEYS_TRUSTED_HOPS: '1' },
      { API_KEYS_TRUSTED_PROXIES: '10.0.0.0/8' },
    ]
    for (const declared of declarations) {
      expect(await faults(declared)).not.toHaveProperty('trusted-proxies')
    }
  })
})
