import { afterEach, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { schemaOf } from '../support/catalogues.js'
import { freshDatabase, type Database, type Row } from '../support/database.js'
import { prismaTables } from '../support/prisma-tables.js'

const databases: Database[] = []
afterEach(async () => {
  await addon.close()
  for (const database of databases.splice(0)) await database.drop()
})

async function migrated(statements: string): Promise<Database> {
  const database = await freshDatabase()
  databases.push(database)
  await database.sql(statements)
  addon.configure({ databaseUrl: database.url, ...cheapHashing })
  await addon.migrate()
  await addon.close()
  return database
}

/** Removes the type of the column in which the two schemas differ, and returns it. */
function takeUsageCountType({ columns }: Record<string, Row[]>): string {
  const column = columns!.find(({ attname }) => attname === 'usageCount')!
  const { type } = column
  delete column.type
  return type as string
}

test("an empty database and the app's own tables reach the same schema", async () => {
  const made = await schemaOf(await migrated(''))
  const extended = await schemaOf(await migrated(prismaTables))
  for (const rows of Object.values(made)) expect(rows).not.toEqual([])
  expect(takeUsageCountType(made)).toBe('bigint')
  expect(takeUsageCountType(extended)).toBe('integer')
  expect(extended).toEqual(made)
})

test('a schema that differs in a detail is not the same', async () => {
  const database = await migrated('')
  const before = await schemaOf(database)
  const details = [
    `ALTER TABLE "ApiKey" ALTER COLUMN "name" DROP NOT NULL`,
    `ALTER TABLE "ApiKey" ALTER COLUMN "scopes" DROP DEFAULT`,
    `ALTER TABLE "ApiKey" RESET (fillfactor)`,
    `ALTER TABLE "ApiKey" ENABLE TRIGGER sophra_api_keys_update`,
    `ALTER TABLE "AdminToken" ADD CHECK (true)`,
    `DROP INDEX "ApiKey_isActive_idx"`,
    `ALTER FUNCTION sophra_api_keys.plaintext_digest PARALLEL UNSAFE`,
    `REVOKE EXECUTE ON FUNCTION sophra_api_keys.plaintext_digest FROM PUBLIC`,
  ]
  let last = before
  for (const detail of details) {
    await database.sql(detail)
    const now = await schemaOf(database)
    expect(now, detail).not.toEqual(last)
    last = now
  }
})
