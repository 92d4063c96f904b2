import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { json } from '../cli/cli.js'
import { addon, cheapHashing } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { faultOf } from '../support/faults.js'
import { Server } from '../support/postgres-server.js'

// Two real servers: a primary, and a standby that is promoted in the last test.

let primary: Server
let standby: Server
beforeAll(async () => {
  primary = await Server.start()
  standby = await primary.standby()
}, 120_000)
afterEach(() => addon.close())
afterAll(async () => {
  await standby?.remove()
  await primary?.remove()
})

const hostOf = ({ url }: Server): string => new URL(url).host

/** A URL with several hosts, as libpq has them. */
function listing(servers: (Server | string)[], query = ''): string {
  const hosts = servers.map((server) => (typeof server === 'string' ? server : hostOf(server)))
  return primary.url.replace(hostOf(primary), hosts.join(',')) + query
}

const sessionsAt = async (server: Server, statement = ''): Promise<number> => {
  const [row] = await server.sql(
    `SELECT count(*)::int AS count FROM pg_stat_activity
     WHERE application_name = 'sophra-api-keys' AND query LIKE $1 || '%'`,
    [statement],
  )
  return row!.count as number
}

test.each([
  ['the primary first', () => listing([primary, standby])],
  ['the standby first', () => listing([standby, primary])],
  [
    'with target_session_attrs',
    () => listing([standby, primary], '?target_session_attrs=read-write'),
  ],
  ['a host that is down first', () => listing(['127.0.0.1:1', standby, primary])],
  [
    'in parameters',
    () =>
      listing(
        [''],
        `?host=127.0.0.1,127.0.0.1&port=${[standby, primary].map(({ url }) => new URL(url).port)}`,
      ),
  ],
])('the server that accepts writes is used, also to listen: %s', async (_what, url) => {
  addon.configure({ databaseUrl: url(), ...cheapHashing })
  const { key } = await addon.createApiKey({ name: 'n', clientId: 'c' })
  expect(await addon.verifyApiKey(key)).toMatchObject({ valid: true })
  await eventually(async () => expect(await sessionsAt(primary, 'LISTEN')).toBe(1))
  expect(await sessionsAt(standby)).toBe(0)
})

test('one host with target_session_attrs=read-write must accept writes', async () => {
  const options = { databaseUrl: `${standby.url}?target_session_attrs=read-write` }
  addon.configure({ ...options, ...cheapHashing })
  const fault = await faultOf(() => addon.listApiKeys())
  expect(fault).toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
  expect(fault.message).toBe(
    `The database is unavailable: ${hostOf(standby)}: the server accepts no writes`,
  )
})

test('where no host can be used, each is named with its reason, by doctor too', async () => {
  const databaseUrl = listing(['127.0.0.1:1', standby])
  addon.configure({ databaseUrl, ...cheapHashing })
  const reasons =
    `127.0.0.1:1: the connection was refused; ` + `${hostOf(standby)}: the server accepts no writes`
  expect((await faultOf(() => addon.listApiKeys())).message).toContain(reasons)
  const findings: { check: string; message: string }[] = await json(['doctor'], {
    env: { DATABASE_URL: databaseUrl },
  })
  expect(findings.find(({ check }) => check === 'connection')!.message).toContain(reasons)
})

test('after a failover the promoted standby is used, also to listen', async () => {
  addon.configure({ databaseUrl: listing([primary, standby]), ...cheapHashing })
  const { id, key } = await addon.createApiKey({ name: 'n', clientId: 'c' })
  expect(await addon.verifyApiKey(key)).toMatchObject({ valid: true })
  await eventually(async () =>
    expect(await standby.sql(`SELECT FROM "ApiKey" WHERE "id" = $1`, [id])).toHaveLength(1),
  )
  await primary.stop()
  await standby.sql('SELECT pg_promote()')
  await eventually(
    async () =>
      expect(await addon.patchApiKey({ id, name: 'after' })).toMatchObject({ name: 'after' }),
    60_000,
  )
  await eventually(async () => expect(await sessionsAt(standby, 'LISTEN')).toBe(1), 60_000)
  expect(await addon.verifyApiKey(key)).toMatchObject({ valid: true, name: 'after' })
  // A change that somebody else makes arrives.
  await standby.sql(`UPDATE "ApiKey" SET "isActive" = false WHERE "id" = $1`, [id])
  await eventually(async () =>
    expect(await addon.verifyApiKey(key)).toMatchObject({ valid: false }),
  )
})
