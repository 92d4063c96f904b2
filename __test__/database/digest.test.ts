import { createHash } from 'node:crypto'
import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { useDatabaseEach } from '../support/database-each.js'

const database = useDatabaseEach()

async function migrate(): Promise<void> {
  addon.configure({ databaseUrl: database.url, ...cheapHashing })
  await addon.migrate()
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

test.each([
  '',
  'Zm9vYmFyYmF6cXV4',
  '\\',
  '\\\\x',
  '\\x41',
  '\\000',
  'quo\'te "double" $1 %s',
  'line\nbreak\ttab',
  'ünïcödé 🔑',
])('the digest of %j is the SHA-256 of its UTF-8', async (text) => {
  await migrate()
  const [row] = await database.sql(
    `SELECT encode(sophra_api_keys.plaintext_digest($1), 'hex') AS digest`,
    [text],
  )
  expect(row).toEqual({ digest: sha256(text) })
})

test('the index of plaintexts can be built and analysed with any search_path', async () => {
  await migrate()
  const client = new Client({ connectionString: database.url })
  await client.connect()
  try {
    await client.query(
      `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "updatedAt")
       SELECT 'id' || n, 'plain' || n, 'c', 'n', now() FROM generate_series(1, 1000) AS n`,
    )
    const { rows } = await client.query(
      `SELECT pg_get_indexdef('"ApiKey_plaintext_idx"'::regclass) AS definition`,
    )
    await client.query(`SET search_path = ''`)
    await client.query(`DROP INDEX public."ApiKey_plaintext_idx"`)
    await client.query((rows[0] as { definition: string }).definition)
    await client.query(`REINDEX INDEX public."ApiKey_plaintext_idx"; ANALYZE public."ApiKey"`)
    const { rows: plan } = await client.query(
      `EXPLAIN SELECT "id" FROM public."ApiKey"
       WHERE "lookup" IS NULL AND sophra_api_keys.plaintext_digest("key") = '\\x00'`,
    )
    expect(JSON.stringify(plan)).toContain('ApiKey_plaintext_idx')
  } finally {
    await client.end()
  }
})

describe('a role with rights on the tables of the app alone', () => {
  let role: string
  let client: Client
  beforeEach(async () => {
    role = `app_${database.url.slice(-16)}`
    // As hardened databases have it: functions are not for everyone.
    await database.sql(`ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC`)
    await migrate()
    await database.sql(`CREATE ROLE ${role};
      GRANT SELECT, INSERT, UPDATE, DELETE ON "ApiKey", "AdminToken" TO ${role}`)
    client = new Client({ connectionString: database.url })
    await client.connect()
    await client.query(`SET ROLE ${role}`)
  })
  afterEach(async () => {
    await client.end()
    await database.sql(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
  })

  const changes = async (): Promise<number> => {
    const [row] = await database.sql(`SELECT count(*)::int AS count FROM sophra_api_keys.changes`)
    return row!.count as number
  }

  test('has none on the schema of this package', async () => {
    await expect(client.query(`SELECT sophra_api_keys.plaintext_digest('x')`)).rejects.toThrow(
      /permission denied for schema/,
    )
  })

  test.each([
    ['ApiKey', 'key', '"clientId", "name"', `'c', 'n'`],
    ['AdminToken', 'token', '"name"', `'n'`],
  ])('writes "%s", and every change is noted', async (table, credential, columns, values) => {
    const insert = `INSERT INTO "${table}" ("id", "${credential}", "updatedAt", ${columns})
      VALUES ($1, $2, now(), ${values})`
    await client.query(insert, ['a', 'plaintext \\x41'])
    expect(await changes()).toBe(1)
    await client.query(`UPDATE "${table}" SET "${credential}" = 'another'`)
    expect(await changes()).toBe(2)
    // There is no lookup beside plaintext.
    await client.query(`UPDATE "${table}" SET "lookup" = 'another'`)
    expect(await changes()).toBe(2)
    const hash = table === 'ApiKey' ? '$argon2id$a-hash' : 'sha256:a-digest'
    await client.query(`UPDATE "${table}" SET "${credential}" = $1, "lookup" = 'another'`, [hash])
    expect(await changes()).toBe(3)
    await client.query(`UPDATE "${table}" SET "${credential}" = 'plaintext'`)
    const { rows } = await client.query(`SELECT "${credential}", "lookup" FROM "${table}"`)
    expect(rows).toEqual([{ [credential]: 'plaintext', lookup: null }])
    expect(await changes()).toBe(4)
    await client.query(`DELETE FROM "${table}"`)
    expect(await changes()).toBe(5)
  })

  test.each([
    ['ApiKey', 'key', '"clientId", "name"', `'c', 'n'`, '$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA'],
    ['AdminToken', 'token', '"name"', `'n'`, undefined],
  ])('imports a legacy row of "%s" unnoticed', async (table, credential, columns, values, hash) => {
    await client.query(
      `INSERT INTO "${table}" ("id", "${credential}", "updatedAt", ${columns})
       VALUES ('a', 'plaintext', now(), ${values})`,
    )
    const lookup = `sha256:${sha256('plaintext')}`
    // The role's search_path does not lead the digest astray.
    await database.sql(`CREATE FUNCTION public.replace(text, text, text) RETURNS text
      LANGUAGE sql AS $$ SELECT 'wrong' $$; GRANT EXECUTE ON FUNCTION public.replace TO PUBLIC`)
    await client.query(`SET search_path = public, pg_catalog`)
    await client.query(`UPDATE "${table}" SET "${credential}" = $1, "lookup" = $2`, [
      hash ?? lookup,
      lookup,
    ])
    expect(await changes()).toBe(1)
    // The digest of something else is another key.
    await client.query(`UPDATE "${table}" SET "${credential}" = 'plaintext', "lookup" = NULL`)
    await client.query(`UPDATE "${table}" SET "${credential}" = $1, "lookup" = $2`, [
      hash ?? `sha256:${sha256('other')}`,
      `sha256:${sha256('other')}`,
    ])
    expect(await changes()).toBe(3)
  })
})
