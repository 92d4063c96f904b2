import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { json } from '../cli/cli.js'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { faultOf } from '../support/faults.js'
import { pgbouncerVersion, startPgbouncer, type Pgbouncer } from '../support/pgbouncer.js'

// A pooler in transaction mode that the URL does not tell of. Real PgBouncers, in the ways that they are set up.

let database: Database
beforeAll(async () => {
  database = await freshDatabase()
  addon.configure({ databaseUrl: database.url, ...cheapHashing })
  await addon.migrate()
  await addon.close()
})
afterEach(() => addon.close())
afterAll(() => database.drop())

const unaware = ({ url }: Pgbouncer): string => url.replace('?pgbouncer=true', '')

async function withPooler(settings: string, work: (pooler: Pgbouncer) => Promise<void>) {
  const pooler = await startPgbouncer(database.url, 3, settings)
  try {
    await work(pooler)
  } finally {
    await addon.close()
    await pooler.stop()
  }
}

const connection = async (url: string): Promise<string> => {
  const findings: { check: string; message: string; remedy?: string }[] = await json(['doctor'], {
    env: { DATABASE_URL: url },
  })
  const { message, remedy } = findings.find(({ check }) => check === 'connection')!
  return `${message}. ${remedy}`
}

describe.skipIf(!pgbouncerVersion())('behind a pooler that the URL does not tell of', () => {
  test('start-up parameters that it rejects are told as what they are', async () => {
    await withPooler('', async (pooler) => {
      addon.configure({ databaseUrl: unaware(pooler), ...cheapHashing })
      const fault = await faultOf(() => addon.listApiKeys())
      expect(fault).toMatchObject({ code: 'CONFIGURATION' })
      expect(fault.message).toContain('a pooler rejected the session settings')
      expect(fault.message).toContain('pgbouncer=true')
    })
  })

  test('named statements that collide are told as what they are', async () => {
    const lenient = 'ignore_startup_parameters = options,extra_float_digits'
    await withPooler(lenient, async (pooler) => {
      addon.configure({ databaseUrl: unaware(pooler), migrate: 'manual', ...cheapHashing })
      const calls = Array.from({ length: 40 }, (_, index) =>
        addon.createApiKey({ name: `n${index}`, clientId: 'c' }).catch((error: unknown) => error),
      )
      const faults = (await Promise.all(calls)).filter((answer) => answer instanceof Error)
      expect(faults.length).toBeGreaterThan(0)
      for (const fault of faults) {
        expect(fault).toMatchObject({
          code: 'CONFIGURATION',
          message: expect.stringMatching(/pooler.*pgbouncer=true.*DIRECT_DATABASE_URL/),
        })
      }
      // The audit log is written by such statements, too: either it was stored, or the end says that it was not.
      const fault = await addon.close().catch((error: unknown) => error)
      if (fault) expect(fault).toMatchObject({ message: expect.stringContaining('0 uses of keys') })
    })
  })

  test.each(['md5', 'scram-sha-256', 'plain'])(
    'a user that it does not know is told as that, with auth_type %s',
    async (type) => {
      await withPooler(`auth_type = ${type}\nauth_file = /dev/null`, async (pooler) => {
        addon.configure({ databaseUrl: pooler.url, ...cheapHashing })
        const fault = await faultOf(() => addon.listApiKeys())
        expect(fault).toMatchObject({ code: 'CONFIGURATION' })
        expect(fault.message).toContain('the server rejected the user or the password')
        expect(fault.message).not.toContain('pgbouncer=true')
        expect(await connection(pooler.url)).toContain('rejected the user or the password')
      })
    },
  )

  test('a database that does not exist is told as that, once it knows', async () => {
    await withPooler('', async (pooler) => {
      const url = Object.assign(new URL(pooler.url), { pathname: '/absent' }).href
      addon.configure({ databaseUrl: url, ...cheapHashing })
      // Its first answer may be that it has not been able to log in yet.
      await eventually(async () => {
        const fault = await faultOf(() => addon.listApiKeys())
        expect(fault).toMatchObject({ code: 'CONFIGURATION' })
        expect(fault.message).toContain('the database does not exist')
      })
    })
  })
})
