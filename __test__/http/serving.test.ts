import { afterAll, beforeAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
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
