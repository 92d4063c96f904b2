import { afterEach, beforeEach, expect, test } from 'vitest'
import { cli } from '../cli/cli.js'
import { addon, cheapHashing } from '../support/addon.js'
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

/** All that there is, but for the one type that a migration widens. */
async function everything(): Promise<Row[]> {
  const parts = [
    `SELECT table_schema, table_name, column_name, column_default, is_nullable,
       CASE WHEN column_name <> 'usageCount' THEN data_type END AS type
     FROM information_schema.columns
     WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2, 3`,
    `SELECT tgname FROM pg_trigger ORDER BY 1`,
    `SELECT proname FROM pg_proc WHERE prolang = (SELECT oid FROM pg_language WHERE lanname = 'plpgsql')`,
    `SELECT t::text AS row FROM "ApiKey" AS t ORDER BY 1`,
    `SELECT t::text AS row FROM "AdminToken" AS t ORDER BY 1`,
  ]
  return (await Promise.all(parts.map((part) => database.sql(part)))).flat()
}

test('the looks of step 1 can be taken', async () => {
  const [looks] = sqlOf('1. Look')
  await database.sql(looks!)
  const { code, stdout } = await cli(['doctor'], { env: { DATABASE_URL: database.url } })
  expect(code).toBe(1)
  const problems = [...stdout.matchAll(/^problem (\S+):/gm)].map(([, check]) => check)
  expect(problems.sort()).toEqual(['columns', 'indexes', 'migrations', 'triggers'])
})

test('the way back of step 2 leaves what the app had', async () => {
  const before = await everything()
  addon.configure({ databaseUrl: database.url, ...cheapHashing })
  await addon.migrate()
  await addon.close()
  expect(await everything()).not.toEqual(before)
  const [back] = sqlOf('2. Migrate')
  await database.sql(back!)
  expect(await everything()).toEqual(before)

  // And forward again.
  addon.configure({ databaseUrl: database.url, ...cheapHashing })
  expect((await addon.migrate()).applied).toContain('0001_app_tables')
  const { key } = await addon.createApiKey({ name: 'n', clientId: 'c' })
  expect(await addon.verifyApiKey(key)).toMatchObject({ valid: true })
})
