import { Client } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'

/**
 * The columns that no verify depends on. An update of them alone is no change to a cached row. Every other column must be
 * in the WHEN clause of the trigger `sophra_api_keys_update` of its table.
 */
const IGNORED: Record<string, string[]> = {
  ApiKey: [
    'description',
    'createdAt',
    'updatedAt',
    'lastUsedAt',
    'usageCount',
    'start',
    'createdBy',
    'revokedBy',
    'revokedReason',
    'wasActive',
    'signingKey',
    'previousSigningKey',
    'coldDigest',
    'previousColdDigest',
    'previousKeyLastUsedAt',
    'currentKeyFirstUsedAt',
    'rotatedAt',
    'lastUsedIp',
  ],
  AdminToken: ['description', 'createdAt', 'updatedAt', 'lastUsedAt', 'rotatedAt'],
  clients: ['name', 'max_keys', 'created_at', 'updated_at'],
}

/** The tables as SQL names them, and which of their rows is updated. */
const TABLES: Record<string, { name: string; row?: string }> = {
  ApiKey: { name: '"ApiKey"' },
  AdminToken: { name: '"AdminToken"' },
  clients: { name: 'sophra_api_keys.clients', row: `WHERE client_id = 'c'` },
}

/** Another value than a column holds, by its type. */
const OTHER_VALUE: Record<string, (column: string) => string> = {
  text: (column) => `coalesce(${column}, '') || 'x'`,
  'text[]': (column) => `array_append(${column}, 'x')`,
  boolean: (column) => `NOT ${column}`,
  integer: (column) => `coalesce(${column}, 0) + 1`,
  bigint: (column) => `coalesce(${column}, 0) + 1`,
  'timestamp(3) without time zone': (column) => `coalesce(${column}, '2026-01-01') + '1 day'`,
  bytea: (column) => `coalesce(${column}, '') || '\\x00'`,
  jsonb: (column) => `jsonb_build_array(${column})`,
}

let database: Database
let client: Client
beforeEach(async () => {
  database = await freshDatabase()
  const jwtSecret = 'a secret of the tests, of 32 bytes or more'
  addon.configure({ databaseUrl: database.url, jwtSecret, ...cheapHashing })
  await addon.createApiKey({ name: 'n', clientId: 'c' })
  await addon.createAdminToken({ name: 'n' })
  // The second one may be the parent of the first.
  for (const clientId of ['c', 'x']) await addon.setClient({ clientId })
  client = new Client({ connectionString: database.url })
  await client.connect()
})
afterEach(async () => {
  await client.end()
  await addon.close()
  await database.drop()
})

/** Whether an update of this column is written to the change log. */
async function isWatched(table: string, column: string, type: string): Promise<boolean> {
  const otherValue = OTHER_VALUE[type]
  if (!otherValue) throw new Error(`no other value is known for the type ${type} of ${column}`)
  await client.query('BEGIN')
  const { name, row = '' } = TABLES[table]!
  const { rowCount } = await client.query(
    `UPDATE ${name} SET "${column}" = ${otherValue(`"${column}"`)} ${row}`,
  )
  expect(rowCount).toBe(1)
  const { rows } = await client.query(
    `SELECT FROM sophra_api_keys.changes WHERE xid = pg_current_xact_id()`,
  )
  await client.query('ROLLBACK')
  return rows.length > 0
}

/** What is wrong with the lists of watched and ignored columns. */
async function faults(table: string): Promise<string[]> {
  const { rows: columns } = await client.query<{ name: string; type: string }>(
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
     WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped`,
    [TABLES[table]!.name],
  )
  const found: string[] = []
  for (const { name, type } of columns) {
    const watched = await isWatched(table, name, type)
    const ignored = IGNORED[table]!.includes(name)
    if (!watched && !ignored) found.push(`${name} is neither watched nor ignored`)
    if (watched && ignored) found.push(`${name} is ignored, and yet watched`)
  }
  const names = columns.map(({ name }) => name)
  const gone = IGNORED[table]!.filter((name) => !names.includes(name))
  return [...found, ...gone.map((name) => `${name} is ignored, but there is no such column`)]
}

test.each(Object.keys(TABLES))(
  'every column of "%s" is watched by its trigger, or ignored on purpose',
  async (table) => {
    expect(await faults(table)).toEqual([])
  },
)

test.each(Object.keys(TABLES))('a forgotten column of "%s" is found', async (table) => {
  await database.sql(`ALTER TABLE ${TABLES[table]!.name} ADD COLUMN "planted" TEXT`)
  expect(await faults(table)).toEqual(['planted is neither watched nor ignored'])
})

test('a column that is watched without need is found, and one that is gone', async () => {
  await database.sql(`
    CREATE TRIGGER planted AFTER UPDATE ON "ApiKey" FOR EACH ROW
    WHEN (OLD."usageCount" IS DISTINCT FROM NEW."usageCount")
    EXECUTE FUNCTION sophra_api_keys.note_change();
    ALTER TABLE "ApiKey" DROP COLUMN "start"`)
  expect(await faults('ApiKey')).toEqual([
    'usageCount is ignored, and yet watched',
    'start is ignored, but there is no such column',
  ])
})
