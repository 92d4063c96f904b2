import { afterEach, beforeEach, expect, test } from 'vitest'
import { cli, json } from '../cli/cli.js'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { faultOf } from '../support/faults.js'

const JWT_SECRET = 'a secret of the tests, of 32 bytes or more'

let database: Database
let role: string
let name: string
beforeEach(async () => {
  database = await freshDatabase()
  name = new URL(database.url).pathname.slice(1)
  role = `role_${name}`
  await database.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'of-a-test'`)
})
afterEach(async () => {
  await addon.close()
  await database.sql(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`)
  await database.drop()
})

const asRole = (query = ''): string =>
  Object.assign(new URL(database.url), { username: role, password: 'of-a-test' }).href + query

const migrate = async (url: string): Promise<void> => {
  addon.configure({ databaseUrl: url, ...cheapHashing })
  await addon.migrate()
  await addon.close()
}

/** The statements that a message says to run. */
const statements = (message: string): string => message.match(/(GRANT|ALTER)[^;]*;/g)!.join(' ')

interface Finding {
  check: string
  status: string
  message: string
  remedy?: string
  sql?: string
}
const examine = async (url: string): Promise<Record<string, Finding>> => {
  const findings: Finding[] = await json(['doctor'], { env: { DATABASE_URL: url, JWT_SECRET } })
  return Object.fromEntries(findings.map((finding) => [finding.check, finding]))
}

/** A migration is refused with what is missing; what the error says to run is enough. */
async function expectHealed(url: string, lacks: string): Promise<void> {
  addon.configure({ databaseUrl: url, ...cheapHashing })
  for (const call of [() => addon.migrate(), () => addon.listApiKeys()]) {
    const fault = await faultOf(call)
    expect(fault).toMatchObject({ code: 'CONFIGURATION' })
    expect(fault.message).toContain(`The role ${role} cannot migrate this database: it lacks `)
    expect(fault.message).toContain(lacks)
    expect(fault.message).toContain('API_KEYS_MIGRATE=manual')
  }
  const { message } = await faultOf(() => addon.migrate())
  await database.sql(statements(message))
  expect((await addon.migrate()).applied.length).toBeGreaterThan(0)
  expect(await addon.createApiKey({ name: 'n', clientId: 'c' })).toMatchObject({ name: 'n' })
}

test('a role without CREATE on database and schema is told what it lacks', async () => {
  const doctor = await examine(asRole())
  expect(doctor.privileges).toMatchObject({
    status: 'problem',
    message: expect.stringContaining(`CREATE on database ${name}`),
    sql: expect.stringContaining(`GRANT USAGE, CREATE ON SCHEMA public TO ${role};`),
  })
  await expectHealed(asRole(), `CREATE on database ${name}, USAGE and CREATE on schema public`)
})

test('a role without CREATE on the schema of the URL is told so', async () => {
  await database.sql(`GRANT CREATE ON DATABASE ${name} TO ${role}; CREATE SCHEMA app`)
  await expectHealed(asRole('?schema=app'), 'USAGE and CREATE on schema app')
})

test('a role that does not own the tables is told so', async () => {
  await migrate(database.url)
  await database.sql(`DROP SCHEMA sophra_api_keys CASCADE;
    GRANT CREATE ON DATABASE ${name} TO ${role}; GRANT USAGE, CREATE ON SCHEMA public TO ${role}`)
  await expectHealed(asRole(), 'the ownership of public."ApiKey"')
})

test('schemas that were made for the role beforehand are enough', async () => {
  await database.sql(`CREATE SCHEMA sophra_api_keys AUTHORIZATION ${role};
    CREATE SCHEMA app AUTHORIZATION ${role}`)
  expect((await examine(asRole('?schema=app'))).privileges).toMatchObject({ status: 'ok' })
  await migrate(asRole('?schema=app'))
  addon.configure({ databaseUrl: asRole('?schema=app'), ...cheapHashing })
  expect(await addon.createApiKey({ name: 'n', clientId: 'c' })).toMatchObject({ name: 'n' })
})

test('the script needs no more than the schemas either', async () => {
  await database.sql(`CREATE SCHEMA sophra_api_keys AUTHORIZATION ${role};
    CREATE SCHEMA app AUTHORIZATION ${role}`)
  const { stdout } = await cli(['migrate', '--sql'])
  await database.sql(
    `SET ROLE ${role}; SET search_path = app; ${stdout}; RESET ROLE; RESET search_path`,
  )
  addon.configure({ databaseUrl: asRole('?schema=app'), ...cheapHashing })
  expect(await addon.migrate()).toMatchObject({ applied: [] })
})

test('a role that may not use the tables is told the GRANTs at the start', async () => {
  await migrate(database.url)
  addon.configure({ databaseUrl: asRole(), migrate: 'manual', ...cheapHashing })
  const fault = await faultOf(() => addon.listApiKeys())
  expect(fault).toMatchObject({ code: 'CONFIGURATION' })
  expect(fault.message).toContain(`The role ${role} lacks USAGE on schema sophra_api_keys`)
  expect(fault.message).toContain(`GRANT SELECT on "ApiKey" TO "${role}";`)
  await database.sql(statements(fault.message))
  expect(await addon.createApiKey({ name: 'n', clientId: 'c' })).toMatchObject({ name: 'n' })
})

test('a role without rights on the clients is told which, by doctor and when it creates a key', async () => {
  await migrate(database.url)
  await database.sql(`GRANT USAGE ON SCHEMA sophra_api_keys TO ${role};
    GRANT ALL ON ALL TABLES IN SCHEMA public, sophra_api_keys TO ${role};
    GRANT EXECUTE ON FUNCTION pg_control_system() TO ${role};
    REVOKE ALL ON sophra_api_keys.clients FROM ${role}`)
  const { privileges } = await examine(asRole())
  const missing = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'].map(
    (privilege) => `${privilege} on sophra_api_keys.clients`,
  )
  expect(privileges).toMatchObject({
    status: 'problem',
    message: `The role ${role} lacks ${missing.join(', ')}`,
  })
  addon.configure({ databaseUrl: asRole(), migrate: 'manual', ...cheapHashing })
  const create = (): Promise<unknown> => addon.createApiKey({ name: 'n', clientId: 'c' })
  expect(await faultOf(create)).toMatchObject({ code: 'CONFIGURATION' })
  await database.sql(privileges!.sql!)
  expect(await create()).toMatchObject({ name: 'n' })
  await addon.setClient({ clientId: 'c', maxKeys: 2 })
  expect(await create()).toMatchObject({ name: 'n' })
  await addon.deleteClient('c')
})

test('another schema in a migrated database is told where the tables are', async () => {
  await migrate(database.url)
  for (const query of ['?schema=other', '?schema=other&pgbouncer=true']) {
    addon.configure({ databaseUrl: database.url + query, ...cheapHashing })
    for (const call of [() => addon.migrate(), () => addon.listApiKeys()]) {
      const fault = await faultOf(call)
      expect(fault).toMatchObject({ code: 'CONFIGURATION' })
      expect(fault.message).toMatch(
        /^The tables of this database are in the schema public, .*\?schema=public .*database of its own$/,
      )
    }
    await addon.close()
  }
  const { tables } = await examine(`${database.url}?schema=other`)
  expect(tables!.remedy).toMatch(/in public: name that schema .*database of its own/)
  expect(tables!.remedy).not.toContain('migrate')
  expect(await database.sql(`SELECT FROM pg_namespace WHERE nspname = 'other'`)).toEqual([])
  // The role's own setting is no other schema.
  addon.configure({ databaseUrl: `${database.url}?schema=public`, ...cheapHashing })
  expect(await addon.migrate()).toMatchObject({ applied: [] })
})

test('tables that were dropped are told as that', async () => {
  await migrate(database.url)
  await database.sql(`DROP TABLE "ApiKey", "AdminToken"`)
  addon.configure({ databaseUrl: database.url, ...cheapHashing })
  const fault = await faultOf(() => addon.migrate())
  expect(fault).toMatchObject({ code: 'CONFIGURATION' })
  expect(fault.message).toContain('were dropped after it was migrated')
  await database.sql('DROP SCHEMA sophra_api_keys CASCADE')
  expect((await addon.migrate()).applied.length).toBeGreaterThan(0)
})
