import { createRequire } from 'node:module'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshDatabase, type Database } from '../support/database.js'
import { cli, json } from './cli.js'

let database: Database
let env: Record<string, string>
const JWT_SECRET = 'a secret of this test, of 32 bytes or more'
beforeAll(async () => {
  database = await freshDatabase()
  env = { DATABASE_URL: database.url, API_KEYS_STATEMENT_TIMEOUT_MS: '10000' }
})
afterAll(() => database.drop())

const link = (...args: string[]) => cli(['console', 'link', ...args], { env })
/** With the secret of the app. */
const signedLink = () => cli(['console', 'link'], { env: { ...env, JWT_SECRET } })

test('without an admin token there is no link', async () => {
  const { code, stdout, stderr } = await link()
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain('Admin token not found')
  expect(stderr).toContain('npx @sophra/api-keys admin-tokens create')
})

test('a link is printed alone, for the console and the token that are asked for', async () => {
  const make = (name: string, permission: string) =>
    json(['admin-tokens', 'create', '--name', name, '--permission', permission], {
      env: { ...env, JWT_SECRET },
    })
  const [all, some] = [await make('All', '*'), await make('Some', 'keys:read')]
  const { code, stdout, stderr } = await link()
  expect(code).toBe(0)
  expect(stdout).toMatch(/^http:\/\/localhost:3000\/admin#code=[\w-]{43}\n$/)
  expect(stderr).toContain(`as All (${all.id})`)
  expect(
    await json(['console', 'link', '--url', 'https://example.com/x', '--admin-token', some.id], {
      env,
    }),
  ).toEqual({
    url: expect.stringMatching(/^https:\/\/example\.com\/x#code=/),
    tokenId: some.id,
    name: 'Some',
  })
  const { events } = await json(['audit', '--type', 'admin.link_issued'], { env })
  expect(events).toMatchObject([
    { tokenId: some.id, actor: expect.stringMatching(/^command line/) },
    { tokenId: all.id },
  ])
})

test('what is wrong is named by its option', async () => {
  expect((await link('--url', 'x')).stderr).toContain('--url must be the address of the console')
  expect(await link('--admin-token', 'nobody')).toMatchObject({ code: 1, stdout: '' })
  expect((await link('--admin-token', '')).code).toBe(2)
})

test('the link signs in', async () => {
  const { stdout } = await signedLink()
  expect(stdout).toMatch(/#code=[\w-]{43}\.[\w-]{43}\n$/)
  const require = createRequire(import.meta.url)
  const addon = require('../../index.js') as typeof import('../../index.js')
  const { consoleRoutes } = require('../../lib/console.js') as typeof import('../../lib/console.js')
  addon.configure({ databaseUrl: database.url, jwtSecret: JWT_SECRET, log: 'off' })
  const answer = await consoleRoutes().POST(
    new Request('https://console.example/admin/api/session', {
      method: 'POST',
      headers: {
        host: 'console.example',
        origin: 'https://console.example',
        'x-api-keys-console': '1',
      },
      body: JSON.stringify({ code: new URL(stdout.trim()).hash.slice('#code='.length) }),
    }),
  )
  expect(await answer.json()).toMatchObject({ signedIn: true, name: 'All' })
  await addon.close()
})
