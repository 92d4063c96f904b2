import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask, cases, startBackend, type Backend } from './support/cases.js'
import type { Server } from './support/framework.js'
import { frameworks } from './support/frameworks.js'
import { routes } from './support/routes.js'
import { committedTable, renewTable, tableOf } from './support/table.js'

let backend: Backend
beforeAll(async () => {
  backend = await startBackend()
})
afterAll(() => backend.close())

/** The cases that each framework has passed. */
const passed = new Map(frameworks.map((framework) => [framework, new Set<string>()]))

/** The case that `proxies are declared` adds. */
const PROXIES = 'declared proxies'

describe.each(frameworks.map((framework) => ({ ...framework, framework })))(
  '$name $version',
  ({ framework }) => {
    let server: Server
    beforeAll(async () => {
      server = await framework.serve(routes)
    })
    afterAll(() => server.close())

    test.each(cases)('$name', async ({ name, run }) => {
      await run({ ...backend, framework, server })
      passed.get(framework)!.add(name)
    })

    test('declared proxies: the peer of the socket is the nearest hop', async () => {
      const bench = { ...backend, framework, server }
      const headers = { 'x-forwarded-for': '10.1.2.3, 203.0.113.7' }
      const table: [object, string][] = [
        [{ trustedProxies: ['127.0.0.1'] }, '203.0.113.7'],
        [{ trustedProxies: ['127.0.0.1', '203.0.113.0/24'] }, '10.1.2.3'],
        // The peer is not one of them, so the header is its own.
        [{ trustedProxies: ['10.0.0.0/8', '203.0.113.0/24'] }, '127.0.0.1'],
        [{ trustedHops: 1 }, '203.0.113.7'],
        [{ trustedHops: 2 }, '10.1.2.3'],
        [{}, '127.0.0.1'],
      ]
      for (const [options, ip] of table) {
        await backend.configure(options)
        const key = await backend.coldKey({ allowedIps: [ip] })
        const other = await backend.coldKey({ allowedIps: ['198.51.100.1'] })
        // First from the database, then from memory.
        for (let verify = 0; verify < 2; verify++) {
          expect([options, (await ask(bench, '/documents', key, { headers })).status]).toEqual([
            options,
            200,
          ])
          expect((await ask(bench, '/documents', other, { headers })).status).toBe(403)
        }
      }
      passed.get(framework)!.add(PROXIES)
    })
  },
)

test('the table in the docs says what was run', async () => {
  const table = await tableOf([...cases.map(({ name }) => name), PROXIES], passed)
  if (process.env.RENEW) renewTable(table)
  expect(committedTable(), 'run: RENEW=1 npx vitest run __test__/servers/servers.test.ts').toBe(
    table,
  )
})
