import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database, type Row } from '../support/database.js'
import { cli, json } from './cli.js'

let database: Database
let env: Record<string, string>
beforeEach(async () => {
  database = await freshDatabase()
  env = { DATABASE_URL: database.url, JWT_SECRET: 'a secret of the tests, of 32 bytes or more' }
})
afterEach(async () => {
  await addon.close()
  await database.drop()
})

const sqlOf = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await cli(['migrate', '--sql', ...args])
  expect([code, stderr]).toEqual([0, ''])
  return stdout
}

/** Everything that stands in a database, but for when and how fast it was made. */
async function everything(sql: Database['sql']): Promise<Row[]> {
  const parts = [
    `SELECT table_schema, table_name, column_name, data_type, column_default, is_nullable
     FROM information_schema.columns
     WHERE table_schema IN ('public', 'sophra_api_keys') ORDER BY 1, 2, 3`,
    `SELECT schemaname, indexname, indexdef FROM pg_indexes
     WHERE schemaname IN ('public', 'sophra_api_keys') ORDER BY 1, 2`,
    `SELECT tgrelid::regclass::text AS on_table, pg_get_triggerdef(oid) AS definition, tgenabled
     FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2`,
    `SELECT proname, prosrc, prosecdef, proconfig FROM pg_proc
     WHERE pronamespace = to_regnamespace('sophra_api_keys') ORDER BY 1`,
    `SELECT version, description, success, encode(checksum, 'hex') AS checksum
     FROM sophra_api_keys.migrations ORDER BY 1`,
  ]
  return (await Promise.all(parts.map((part) => sql(part)))).flat()
}

async function migratedByAddon(): Promise<Row[]> {
  const other = await freshDatabase()
  try {
    await cli(['migrate'], { env: { DATABASE_URL: other.url } })
    return await everything(other.sql)
  } finally {
    await other.drop()
  }
}

describe('migrate', () => {
  test('says what it applied, once', async () => {
    const first = await json(['migrate'], { env })
    expect(first.applied).toContain('0001_app_tables')
    expect(first).toMatchObject({ adopted: 0, remaining: 0 })
    const again = await cli(['migrate'], { env })
    expect([again.code, again.stdout, again.stderr]).toEqual([0, 'The schema is up to date.\n', ''])
  })
})

describe('migrate --sql', () => {
  test('makes what migrate makes, so that it finds nothing to do', async () => {
    await database.sql('CREATE EXTENSION pg_trgm')
    await database.sql(await sqlOf())
    expect(await everything(database.sql)).toEqual(await migratedByAddon())
    expect(await json(['migrate'], { env })).toMatchObject({ applied: [], remaining: 0 })
    const { code, stdout } = await cli(['doctor', '--quiet'], { env })
    expect([code, stdout]).toEqual([0, ''])
  })

  test('goes on after a migration that is there', async () => {
    const names = (await json(['migrate'], { env })).applied as string[]
    const whole = await sqlOf()
    const rest = await sqlOf('--after', '2')
    for (const name of names) {
      expect(whole).toContain(`-- ${name}\n`)
      expect(rest.includes(`-- ${name}\n`)).toBe(Number(name.slice(0, 4)) > 2)
    }
    // The last one is there: nothing but what is there anyway.
    await database.sql(await sqlOf('--after', String(names.length + 100)))
  })

  test('works without the extension for searches, and where the tables are in another schema', async () => {
    await database.sql(`CREATE SCHEMA app; SET search_path = app; ${await sqlOf()}`)
    const url = `${database.url}?schema=app`
    addon.configure({ databaseUrl: url, migrate: 'manual', ...cheapHashing })
    const { key } = await addon.createApiKey({ name: 'n', clientId: 'c' })
    expect(await addon.verifyApiKey(key)).toMatchObject({ valid: true })
    const findings = await json(['doctor'], { env: { ...env, DATABASE_URL: url } })
    const bad = findings.filter(({ status }: { status: string }) => status !== 'ok')
    expect(bad).toEqual([expect.objectContaining({ check: 'pg_trgm', status: 'warning' })])
  })
})

test('doctor expects every column and trigger that a migration makes', async () => {
  await cli(['migrate'], { env })
  const columns = await database.sql(`SELECT table_name, column_name FROM information_schema.columns
    WHERE table_name IN ('ApiKey', 'AdminToken') AND column_name <> 'id'`)
  const triggers =
    await database.sql(`SELECT tgrelid::regclass::text AS table, tgname FROM pg_trigger
    WHERE NOT tgisinternal`)
  expect(columns.length).toBeGreaterThan(30)
  expect(triggers.length).toBeGreaterThan(2)
  for (const { table, tgname } of triggers) await database.sql(`DROP TRIGGER ${tgname} ON ${table}`)
  for (const { table_name, column_name } of columns) {
    await database.sql(`ALTER TABLE "${table_name}" DROP COLUMN "${column_name}" CASCADE`)
  }
  const findings = (await json(['doctor'], { env })) as { check: string; message: string }[]
  const messageOf = (check: string) => findings.find((finding) => finding.check === check)!.message
  for (const { table_name, column_name } of columns) {
    expect(messageOf('columns')).toContain(`"${table_name}"."${column_name}"`)
  }
  for (const { tgname } of triggers) expect(messageOf('triggers')).toContain(tgname)
})
