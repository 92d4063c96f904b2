import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { cli, json } from '../cli/cli.js'
import { addon, cheapHashing } from '../support/addon.js'
import { runScript } from '../support/child.js'
import { freshDatabase, type Database } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { faultOf } from '../support/faults.js'
import { prismaTables } from '../support/prisma-tables.js'

const { close, configure, migrate, onEvent } = addon

/** The advisory lock that a migration holds. */
const LOCK = String(0x736f70687261)

const databases: Database[] = []
const sessions: Client[] = []
afterEach(async () => {
  await close()
  for (const session of sessions.splice(0)) await session.end()
  for (const database of databases.splice(0)) await database.drop()
})

async function newDatabase(): Promise<Database> {
  const database = await freshDatabase()
  databases.push(database)
  return database
}

async function session({ url }: Database, name: string, ...statements: string[]): Promise<number> {
  const client = new Client({ connectionString: url, application_name: name })
  await client.connect()
  sessions.push(client)
  for (const statement of statements) await client.query(statement)
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  return rows[0]!.pid
}

/** The fault of `migrate()` in a process of its own. */
async function faultOfProcess(url: string): Promise<unknown> {
  const script = `await api.migrate().then(report, ({ code, message }) => report({ code, message }))`
  const { reports } = await runScript(script, { env: { DATABASE_URL: url }, timeoutMs: 120_000 })
  return reports[0]
}

// It waits for a minute: what has to wait, waits at the same time.
test('a migration that waits in vain says for whom', { timeout: 120_000 }, async () => {
  const [contested, foreign, locked] = [
    await newDatabase(),
    await newDatabase(),
    await newDatabase(),
  ]
  const holder = await session(contested, 'deploy-42', `SELECT pg_advisory_lock(${LOCK})`)

  // A role that may see no more than its own sessions.
  const role = `owner_${foreign.url.slice(-16)}`
  const [{ name } = {}] = await foreign.sql(`SELECT current_database() AS name`)
  await foreign.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'of-a-test';
    ALTER DATABASE ${name} OWNER TO ${role}; GRANT CREATE ON SCHEMA public TO ${role}`)
  const url = Object.assign(new URL(foreign.url), { username: role, password: 'of-a-test' }).href
  const other = await session(foreign, 'evil\u001b[2J', `SELECT pg_advisory_lock(${LOCK})`)

  await locked.sql(prismaTables)
  await session(locked, '', 'BEGIN', 'LOCK TABLE "ApiKey" IN ACCESS SHARE MODE')

  configure({ databaseUrl: contested.url, ...cheapHashing })
  const waits: string[] = []
  const stop = onEvent((event) => {
    if (event.type === 'migration.waiting') waits.push(event.message)
  })
  const migrating = faultOf(() => migrate())
  const who = `process ${holder} of role postgres \\(deploy-42\\), connected since \\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ`
  // Long before it gives up.
  await eventually(() =>
    expect(waits).toEqual([
      expect.stringMatching(
        new RegExp(`^Waiting for another session that is migrating this database: ${who}$`),
      ),
    ]),
  )
  const [fault, hidden, command, waiting] = await Promise.all([
    migrating,
    faultOfProcess(url),
    cli(['migrate'], { env: { DATABASE_URL: contested.url } }),
    faultOfProcess(locked.url),
  ])
  stop()
  expect(waits).toHaveLength(1)
  expect(fault).toMatchObject({ code: 'DATABASE_UNAVAILABLE', status: 503 })
  expect(fault.message).toMatch(
    new RegExp(
      `^Another session is migrating this database and has not finished within 60 seconds: ` +
        `${who}\\. .*` +
        `pg_terminate_backend\\(${holder}\\).*pg_advisory_lock\\(${LOCK}\\)`,
    ),
  )
  expect(command.code).toBe(3)
  expect(command.stderr).toMatch(new RegExp(`^Waiting for another session .*: ${who}\n`))
  expect(command.stderr.match(/process \d+ of role postgres \(deploy-42\)/g)).toHaveLength(2)
  expect(hidden).toEqual({
    code: 'DATABASE_UNAVAILABLE',
    message: expect.stringMatching(
      new RegExp(`: process ${other} of role postgres \\([ -~]+\\)\\. Wait until`),
    ),
  })
  expect(waiting).toEqual({
    code: 'DATABASE_UNAVAILABLE',
    message: expect.stringMatching(/^A migration could not lock a table within 60 seconds/),
  })

  // What was waited for is over: the same call goes on.
  for (const one of sessions.splice(0)) await one.end()
  expect((await migrate()).applied.length).toBeGreaterThan(0)
  await foreign.sql(`DROP OWNED BY ${role} CASCADE; ALTER DATABASE ${name} OWNER TO CURRENT_USER;
    DROP ROLE ${role}`)
})

describe('a database that another build has migrated', () => {
  let database: Database
  beforeEach(async () => {
    database = await newDatabase()
    configure({ databaseUrl: database.url, ...cheapHashing })
    await migrate()
    await close()
    await database.sql(`UPDATE sophra_api_keys.migrations SET checksum = '\\x00' WHERE version = 3`)
  })

  test.each([
    ['as it is', undefined],
    [
      'with a migration that is missing',
      'DELETE FROM sophra_api_keys.migrations WHERE version = 4',
    ],
  ])('is refused by name, %s', async (_what, statement) => {
    if (statement) await database.sql(statement)
    configure({ databaseUrl: database.url, ...cheapHashing })
    for (const call of [() => migrate(), () => addon.listApiKeys()]) {
      const fault = await faultOf(call)
      expect(fault).toMatchObject({ code: 'CONFIGURATION', status: 500 })
      expect(fault.message).toMatch(
        /^This database was migrated by another build .*: 0003_own_schema had other contents .*checksum differs/,
      )
    }
  })

  test('is refused behind a pooler too', async () => {
    configure({ databaseUrl: `${database.url}?pgbouncer=true`, ...cheapHashing })
    const fault = await faultOf(() => migrate())
    expect(fault).toMatchObject({ code: 'CONFIGURATION' })
    expect(fault.message).toContain('0003_own_schema had other contents')
  })

  test('is a problem to doctor', async () => {
    const env = {
      DATABASE_URL: database.url,
      JWT_SECRET: 'a secret of the tests, of 32 bytes or more',
    }
    const findings = await json(['doctor'], { env })
    expect(findings).toContainEqual({
      check: 'migrations',
      status: 'problem',
      message: 'Migrations were applied with different contents: 0003_own_schema',
      remedy: expect.stringContaining('build'),
    })
  })
})
