import { afterAll, beforeAll, expect, test } from 'vitest'
import { startPostgres } from '../../scripts/postgres.mjs'
import { addon, cheapHashing } from '../support/addon.js'
import { jwt } from '../support/jwt.js'
import {
  environmentFor,
  expectRetryAfter,
  jwtSecret,
  send,
  userJwtSecret,
} from '../support/example-app.js'
import { startServer, type Server } from '../support/example-server.js'

let server: Server
let adminToken: string
let key: string
let id: string

beforeAll(async () => {
  const postgres = await startPostgres()
  addon.configure({ databaseUrl: postgres.url, jwtSecret, ...cheapHashing })
  adminToken = (await addon.createAdminToken({ name: 'Tests', permissions: ['*'] })).token
  ;({ key, id } = await addon.createApiKey({ name: 'Search', clientId: 'acme' }))
  await addon.close()

  server = await startServer(environmentFor(postgres.url))
  const up = await send(`${server.url}/api/keys`, { headers: { 'x-admin-token': adminToken } })
  expect(up.status).toBe(200)
  await postgres.stop()
})
afterAll(() => server?.stop())

const asAdmin = (method: string, body?: object, query = ''): [string, RequestInit] => [
  `/api/keys${query}`,
  { method, headers: { 'x-admin-token': adminToken }, body: body && JSON.stringify(body) },
]

test('without a database every answer is 503, and says when to come back', async () => {
  const requests: [string, RequestInit][] = [
    asAdmin('POST', { name: 'New', clientId: 'acme' }),
    asAdmin('GET'),
    asAdmin('PUT', { id, name: 'New' }),
    asAdmin('PUT', { id, regenerateKey: true }),
    asAdmin('PATCH', { id, isActive: false }),
    asAdmin('DELETE', undefined, `?id=${id}`),
    ['/api/search', { headers: { 'x-api-key': key } }],
    ['/api/whoami', { headers: { authorization: `Bearer ${key}` } }],
  ]
  const answers = requests.map(([path, init]) => send(server.url + path, init))
  for (const [index, answer] of (await Promise.all(answers)).entries()) {
    const [path, init] = requests[index]!
    const { error, code } = answer.body
    expect(answer.status, `${init.method} ${path}`).toBe(503)
    expect(answer.body).toEqual({ error, code: 'DATABASE_UNAVAILABLE' })
    expect(error).toMatch(/\S/)
    expectRetryAfter(answer)
  }
})

test('what needs no database is answered as ever', async () => {
  const junk = await send(`${server.url}/api/search`, { headers: { 'x-api-key': `${key}x` } })
  expect(junk).toMatchObject({ status: 401, body: { error: 'Invalid API key' } })

  const exp = Math.floor(Date.now() / 1_000) + 60
  const token = jwt({ alg: 'HS256', typ: 'JWT' }, { sub: 'user-1', exp }, userJwtSecret)
  const user = await send(`${server.url}/api/whoami`, {
    headers: { authorization: `Bearer ${token}` },
  })
  expect(user).toMatchObject({ status: 200, body: { type: 'user', userId: 'user-1' } })
})

test('no secret is printed, nor where the database was', () => {
  for (const secret of [adminToken, key]) expect(server.output()).not.toContain(secret.slice(-40))
  expect(server.output()).not.toMatch(/postgres(ql)?:\/\//)
})
