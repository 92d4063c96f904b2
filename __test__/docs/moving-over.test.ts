import { afterEach, beforeEach, expect, test } from 'vitest'
import { cli } from '../cli/cli.js'
import { addon, cheapHashing } from '../support/addon.js'
import { schemaOf } from '../support/catalogues.js'
import { freshDatabase, type Database, type Row } from '../support/database.js'
import { prismaTables } from '../support/prisma-tables.js'
import { read } from './markdown.js'

const guide = read('docs/moving-over.md')
/** The SQL of a step. */
const sqlOf = (step: string): string[] => {
  const [, text] = guide.split(`\n## ${step}\n`)
  return [...text!.split('\n## ')[0]!.matchAll(/```sql\n(.*?)```/gs)].map(([, sql]) => sql!)
}

let database: Database
beforeEach(async () => {
  database = await freshDatabase()
  await database.sql(prismaTables)
  await database.sql(`
    INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "updatedAt", "allowedIps", "rateLimit", "usageCount") VALUES
      ('a', 'Zm9vYmFyYmF6cXV4LTAxMjM0NTY3ODlfYWJjZGVmZ2g', 'c', 'Full', now(), '{10.0.0.1}', 100, 7),
      ('b', 'QmFyZm9vYmF6cXV4LTAxMjM0NTY3ODlfYWJjZGVmZ2g', 'c', 'Bare', now(), NULL, NULL, 0);
    INSERT INTO "AdminToken" ("id", "token", "name", "updatedAt") VALUES ('t', 'not a token', 'old', now())`)
})
afterEach(async () => {
  await addon.close()
  await database.drop()
})

/** All that there is, the place of each column and every row included. */
async function everything(): Promise<Record<string, Row[]>> {
  const rows: Record<string, Row[]> = await schemaOf(database)
  const parts = {
    places: `SELECT table_name, column_name, ordinal_position FROM information_schema.columns
      WHERE table_schema = 'public' ORDER BY 1, 2`,
    settings: `SELECT setdatabase, setrole, setconfig FROM pg_db_role_setting
      WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    keys: `SELECT t::text AS row FROM "ApiKey" AS t ORDER BY 1`,
    tokens: `SELECT t::text AS row FROM "AdminToken" AS t ORDER BY 1`,
  }
  for (const [part, query] of Object.entries(parts)) rows[part] = await database.sql(query)
  return rows
}

const WIDEN = `ALTER TABLE "ApiKey" ALTER COLUMN "usageCount" TYPE BIGINT`

test('the looks of step 1 can be taken', async () => {
  const looks = sqlOf('1. Look')
  expect(looks).toHaveLength(2)
  for (const look of looks) await database.sql(look)
  const { code, stdout } = await cli(['doctor'], { env: { DATABASE_URL: database.url } })
  expect(code).toBe(1)
  const problems = [...stdout.matchAll(/^problem (\S+):/gm)].map(([, check]) => check)
  expect(problems).toEqual(['migrations'])
})

const migrate = async (): Promise<void> => {
  addon.configure({ databaseUrl: database.url, ...cheapHashing })
  await addon.migrate()
  await addon.close()
}
const [back, left] = sqlOf('2. Migrate')

test.each([
  ['as the migration left it', ''],
  ['after the count was widened', WIDEN],
])('the way back of step 2 leaves what the app had, %s', async (_when, widened) => {
  const before = await everything()
  await migrate()
  await database.sql(widened)
  const migrated = await everything()
  for (const part of ['schemas', 'relations', 'columns', 'indexes', 'triggers', 'extensions'])
    expect(migrated[part], part).not.toEqual(before[part])
  await database.sql(back!)
  await database.sql(left!)
  expect(await everything()).toEqual(before)

  // And forward again.
  addon.configure({ databaseUrl: database.url, ...cheapHashing })
  expect((await addon.migrate()).applied).toContain('0001_app_tables')
  const { key } = await addon.createApiKey({ name: 'n', clientId: 'c' })
  expect(await addon.verifyApiKey(key)).toMatchObject({ valid: true })
})

test('the way back leaves what was there before', async () => {
  await database.sql(`${WIDEN}; ALTER TABLE "ApiKey" SET (fillfactor = 70)`)
  await database.sql('CREATE EXTENSION pg_trgm')
  await database.sql(
    `CREATE INDEX search ON "ApiKey" USING gin ("name" gin_trgm_ops);
     CREATE FUNCTION ours() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
     CREATE TRIGGER ours BEFORE UPDATE ON "ApiKey" FOR EACH ROW EXECUTE FUNCTION ours()`,
  )
  const before = await everything()
  await migrate()
  await database.sql(back!)
  expect(await everything()).toEqual(before)
  // What another thing needs is not dropped by mistake.
  await expect(database.sql(left!)).rejects.toThrow('depend on it')
  expect(await everything()).toEqual(before)
})
