import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { root, run } from '../support/child.js'
import { useAddon } from '../support/use-addon.js'
import { environmentFor, jwtSecret, send } from '../support/example-app.js'
import { startServer, startStandalone, type Server } from '../support/example-server.js'

const database = useAddon({ jwtSecret })
const servers: Server[] = []

const started = async (server: Promise<Server>): Promise<Server> => {
  servers.push(await server)
  return server
}
afterAll(() => Promise.all(servers.map((server) => server.stop())))

let headers: Record<string, string>
beforeAll(async () => {
  const { token } = await addon.createAdminToken({ name: 'Tests', permissions: ['*'] })
  headers = { 'x-admin-token': token }
})

test('the standalone output serves the routes by itself', async () => {
  const server = await started(startStandalone(environmentFor(database.url())))
  const body = JSON.stringify({ name: 'Search', clientId: 'acme' })
  const made = await send(`${server.url}/api/keys`, { method: 'POST', headers, body })
  expect(made.status).toBe(201)
  const used = await send(`${server.url}/api/search`, { headers: { 'x-api-key': made.body.key } })
  expect(used).toMatchObject({ status: 200, body: { clientId: 'acme', keyName: 'Search' } })
})

test('the standalone output has the command line', async () => {
  const folder = join(root, 'examples/nextjs/.next/standalone')
  const command = (...args: string[]) =>
    run([process.execPath, 'lib/cli/main.js', ...args], {
      cwd: folder,
      env: { DATABASE_URL: database.url(), JWT_SECRET: jwtSecret },
    })
  const examined = await command('doctor', '--quiet')
  expect([examined.code, examined.stdout], examined.stderr).toEqual([0, ''])
  expect(await command('migrate')).toMatchObject({ code: 0, stdout: 'The schema is up to date.\n' })
  for (const words of ['keys create', 'webhooks list', 'usage export'])
    expect(await command(...words.split(' '), '--help')).toMatchObject({ code: 0 })
})

test.each([
  ['the standalone output', startStandalone],
  ['next start', startServer],
])('%s serves the console', async (_, start) => {
  const { url } = await started(start(environmentFor(database.url())))
  const page = await fetch(`${url}/admin`)
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
  expect(page.headers.get('cache-control')).toBe('no-store')
  const text = await page.text()
  const base = new URL(/<base href="([^"]*)"/.exec(text)![1]!, page.url)
  expect(base.href).toBe(`${url}/admin/`)
  const script = /<script[^>]* src="([^"]*)"/.exec(text)![1]!
  const file = await fetch(new URL(script, base))
  expect(file.headers.get('cache-control')).toContain('max-age=31536000, immutable')
  expect(file.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
  const deep = await (await fetch(`${url}/admin/keys/a%2Fb`)).text()
  expect(deep).toContain('<base href="../"')
  const climbing = await fetch(`${url}/admin/assets/..%2f..%2findex.html`)
  expect(climbing.status).toBe(404)

  const own = { origin: url, 'x-api-keys-console': '1', 'content-type': 'application/json' }
  const session = `${url}/admin/api/session`
  const credentials = JSON.stringify({ token: headers['x-admin-token'] })
  const evil = { ...own, origin: 'https://evil.example' }
  const refused = await fetch(session, { method: 'POST', headers: evil, body: credentials })
  expect(refused.status).toBe(403)
  const signedIn = await fetch(session, { method: 'POST', headers: own, body: credentials })
  expect(signedIn.status).toBe(200)
  const cookie = signedIn.headers.get('set-cookie')!.split(';')[0]!
  const made = await send(`${url}/admin/api/keys`, {
    method: 'POST',
    headers: { ...own, cookie },
    body: JSON.stringify({ name: 'n', clientId: 'c' }),
  })
  expect(made.status).toBe(201)
  const listed = await send(`${url}/admin/api/keys/${made.body.id}`, { headers: { cookie } })
  expect(listed.body).toMatchObject({ name: 'n' })
})

test('the start page shows curl lines for the port that it is served on', async () => {
  const server = await started(startServer(environmentFor(database.url())))
  const page = await (await fetch(server.url)).text()
  expect(page.match(/curl /g)!.length).toBeGreaterThanOrEqual(5)
  expect(page).toContain(`http://localhost:${new URL(server.url).port}`)
})

test('a fault of the configuration is 500, and its cause is for the operator only', async () => {
  const { DATABASE_URL, ...withoutDatabase } = environmentFor(database.url())
  const server = await started(startServer(withoutDatabase))
  const { status, body } = await send(`${server.url}/api/keys`, { headers })
  expect(status).toBe(500)
  expect(body).toEqual({ error: 'Internal server error', code: 'INTERNAL' })
  expect(server.output()).toContain('DATABASE_URL')
  expect(server.output()).not.toContain(headers['x-admin-token']!.slice(-40))
})
