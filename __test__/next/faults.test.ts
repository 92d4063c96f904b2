import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { runScript } from '../support/child.js'
import { freshDatabase, type Database } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { makeSigner } from '../support/github.js'
import { startProxy, type Proxy } from '../support/proxy.js'
import {
  ask,
  expectFailure,
  hello,
  HOST,
  next,
  read,
  secondsIn,
  type Answer,
} from '../support/next.js'

const { apiKeyRoutes, leakRoutes, withAdminAuth, withApiKey } = next
const github = makeSigner()
const jwtSecret = 'the secret of the faults, of 32 bytes or more'

let database: Database
let proxy: Proxy
let cold: string
let warm: string
let token: string
beforeAll(async () => {
  database = await freshDatabase()
  proxy = await startProxy(database.url)
  const options = { databaseUrl: proxy.url, jwtSecret, ...cheapHashing }
  addon.configure(options)
  cold = (await addon.createApiKey({ name: 'Cold', clientId: 'c' })).key
  warm = (await addon.createApiKey({ name: 'Warm', clientId: 'c' })).key
  token = (await addon.createAdminToken({ name: 'Ops', permissions: ['*'] })).token
  await addon.close()
  addon.configure(options)
  await addon.verifyApiKey(warm)
})
afterAll(async () => {
  await addon.close().catch(() => {})
  await proxy.close()
  await database.drop()
})

const log = vi.spyOn(console, 'error')
beforeEach(() => void log.mockReset().mockImplementation(() => {}))
afterEach(() => expect(log).not.toHaveBeenCalled())

function expectUnavailable(answer: Answer): void {
  expectFailure(answer, 503, 'DATABASE_UNAVAILABLE')
  expect(secondsIn(answer)).toBeGreaterThan(0)
  expect(JSON.stringify(answer)).not.toMatch(/postgres|127\.0\.0\.1/)
}

test('an outage is 503 and says when to come back, never a yes and never 401', async () => {
  const guarded = withApiKey(hello)
  const administered = vi.fn(hello)
  proxy.cut()
  try {
    expect((await ask(guarded, { 'x-api-key': warm })).status).toBe(200)
    expectUnavailable(await ask(guarded, { 'x-api-key': cold }))
    expectFailure(await ask(guarded, { 'x-api-key': 'junk' }), 401, 'INVALID_KEY')
    expectUnavailable(await ask(withAdminAuth(administered), { 'x-admin-token': token }))
    const routes = apiKeyRoutes()
    expectUnavailable(await ask(routes.GET, { 'x-admin-token': token }))
    const request = new Request(HOST, {
      method: 'POST',
      headers: { 'x-admin-token': token },
      body: '{}',
    })
    expectUnavailable(await read(await routes.POST(request)))
    // No key is said to be a false positive.
    const onLeak = vi.fn()
    const body = JSON.stringify([cold, 'junk'].map((token) => ({ token, type: 'a' })))
    const headers = github.headersFor(body)
    const report = new Request(HOST, { method: 'POST', headers, body })
    const leaks = leakRoutes({ keys: [github.entry], onLeak })
    expectUnavailable(await read(await leaks.POST(report)))
    expect(onLeak).not.toHaveBeenCalled()
    expect(administered).not.toHaveBeenCalled()
  } finally {
    proxy.mend()
  }
  await eventually(async () => expect((await ask(guarded, { 'x-api-key': cold })).status).toBe(200))
})

test('too many first verifies at once are 503, and say how long the queue needs', async () => {
  const keys = await Promise.all(
    Array.from({ length: 6 }, () => addon.createApiKey({ name: 'Crowd', clientId: 'crowd' })),
  )
  await addon.close()
  // The stored hashes take long, and by the configuration two of them are all that the queue holds.
  const slow = `$argon2id$v=19$m=65536,t=10,p=1$c2FsdHNhbHRzYWx0$${'A'.repeat(43)}`
  for (const [index, { id }] of keys.entries()) {
    const hash = slow.slice(0, -1) + 'AEIMQU'[index]
    await database.sql(`UPDATE "ApiKey" SET "key" = $2 WHERE "id" = $1`, [id, hash])
  }
  const params = { argon2MemoryKib: 262_144, argon2Iterations: 20, hashPermits: 1 }
  addon.configure({ databaseUrl: proxy.url, jwtSecret, ...params })
  await addon.listApiKeys()

  const guarded = withApiKey(hello)
  const answers = await Promise.all(keys.map(({ key }) => ask(guarded, { 'x-api-key': key })))
  const overloaded = answers.filter(({ status }) => status === 503)
  expect(overloaded.length).toBeGreaterThan(0)
  for (const answer of overloaded) {
    expectFailure(answer, 503, 'OVERLOADED')
    expect(secondsIn(answer)).toBeGreaterThan(0)
  }
  for (const answer of answers.filter((answer) => !overloaded.includes(answer)))
    expectFailure(answer, 401, 'INVALID_KEY')
})

test('a fault of the configuration is 500, and its cause is for the operator only', async () => {
  const child = await runScript(
    `const { withApiKey, withAdminAuth } = require('@sophra/api-keys/next')
     const answer = async (handler, headers) => {
       const response = await handler(new Request('http://localhost/', { headers }))
       return [response.status, await response.json(), response.headers.get('cache-control')]
     }
     report(await answer(withApiKey(() => Response.json({})), { 'x-api-key': 'x'.repeat(43) }))
     report(await answer(withAdminAuth(() => Response.json({})), { 'x-admin-token': 'a.b.c' }))`,
  )
  const internal = { error: 'Internal server error', code: 'INTERNAL' }
  expect(child).toMatchObject({
    code: 0,
    reports: [
      [500, internal, 'no-store'],
      [500, internal, 'no-store'],
    ],
  })
  expect(child.stderr).toContain('DATABASE_URL')
})

test('so is a wrong declaration of proxies, before anybody is let in', async () => {
  const handler = `() => { report('ran'); return Response.json({}) }`
  const child = await runScript(
    `const { withApiKey } = require('@sophra/api-keys/next')
     const headers = { 'x-api-key': ${JSON.stringify(cold)} }
     const response = await withApiKey(${handler})(new Request('http://localhost/', { headers }))
     report([response.status, await response.json()])`,
    { env: { DATABASE_URL: database.url, API_KEYS_TRUSTED_PROXIES: '0.0.0.0/0' } },
  )
  expect(child.reports).toEqual([[500, { error: 'Internal server error', code: 'INTERNAL' }]])
  expect(child.stderr).toContain('trustedProxies (API_KEYS_TRUSTED_PROXIES)')
})
