import { nativeCalls } from '../support/native-calls.js'
import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { forged } from '../support/forge.js'
import { ask, expectFailure, hello, HOST, next } from '../support/next.js'
import { useSetting } from '../support/setting.js'

const { flush, listAuditEvents } = addon

const setting = useSetting({ trustedHops: 1 })

const route = next.withApiKey(hello, { scopes: ['docs:read'], cost: 2 })
const headersOf = (key: string, line = '6.6.6.6, 10.1.2.3'): Record<string, string> => ({
  'x-api-key': key,
  'x-forwarded-for': line,
})

/** A key with every kind of check, which has been verified before. */
async function warmKey(rateLimit: number): Promise<string> {
  const everything = { allowedIps: ['10.0.0.0/8'], scopes: ['docs:*'], rateLimit }
  const [issued] = await setting.warmKeys(1, { ...everything, rateLimitWindowSeconds: 86_400 })
  expect((await ask(route, headersOf(issued!.key))).status).toBe(200)
  return issued!.key
}

test('a request with a warm key asks the native side once', async () => {
  const key = await warmKey(100)
  const calls = await nativeCalls(async () => {
    const { status, headers } = await ask(route, headersOf(key), '/docs?page=1')
    expect(status).toBe(200)
    expect(headers['ratelimit']).toMatch(/^"api-key";r=96;t=\d+$/)
    expect(headers['ratelimit-policy']).toBe('"api-key";q=100;w=86400')
  })
  expect(calls).toEqual(['verifyWarmRequest'])
})

test('so does one whose cost is by name, also by names that the key does not have', async () => {
  const limits = [{ name: 'tokens', limit: 100, windowSeconds: 86_400 }]
  const [issued] = await setting.warmKeys(1, { limits })
  const metered = next.withApiKey(hello, { cost: { tokens: 10, images: 5 } })
  expect((await ask(metered, headersOf(issued!.key))).status).toBe(200)
  const calls = await nativeCalls(async () => {
    const { status, headers } = await ask(metered, headersOf(issued!.key))
    expect(status).toBe(200)
    expect(headers['ratelimit']).toMatch(/^"tokens";r=79;t=\d+$/)
  })
  expect(calls).toEqual(['verifyWarmRequest'])
})

test('so does one of which a query of scopes is asked, and nothing is asked of the database', async () => {
  const [issued] = await setting.warmKeys(1, { scopes: ['docs:read'] })
  const scopes = ['docs:read', { any: ['admin', { all: ['docs:read'] }] }]
  const guarded = next.withApiKey(hello, { scopes })
  // What was checked stays as it is.
  scopes.push('admin')
  const refusing = next.withApiKey(hello, { scopes: { any: ['a', 'b'] } })
  await ask(refusing, headersOf(issued!.key))
  const cost = await setting.cost(async () => {
    const calls = await nativeCalls(async () => {
      expect((await ask(guarded, headersOf(issued!.key))).status).toBe(200)
      expect((await ask(refusing, headersOf(issued!.key))).status).toBe(403)
    })
    expect(calls).toEqual(['verifyWarmRequest', 'verifyWarmRequest'])
  })
  expect(cost).toEqual({ selects: 0, hashes: 0, statements: [] })
})

test('a query too long for that costs no statement and no hash either', async () => {
  const [issued] = await setting.warmKeys(1, { scopes: ['docs:read'] })
  const many = Array.from({ length: 1_000 }, (_, at) => `scope:${at}`)
  const guarded = next.withApiKey(hello, { scopes: [{ any: [...many, 'docs:read'] }] })
  const cost = await setting.cost(async () => {
    expect((await ask(guarded, headersOf(issued!.key))).status).toBe(200)
  })
  expect(cost).toEqual({ selects: 0, hashes: 0, statements: [] })
})

test('so does a refused one, and the audit log has all that the request claims', async () => {
  const key = await warmKey(3)
  const table: [Record<string, string>, number, string][] = [
    [headersOf(key), 429, 'RATE_LIMITED'],
    [headersOf(key, '10.6.6.6, 192.0.2.1'), 403, 'IP_NOT_ALLOWED'],
    [headersOf(key, ''), 403, 'IP_NOT_ALLOWED'],
    [headersOf(forged(key), '10.6.6.6, 192.0.2.2'), 401, 'INVALID_KEY'],
    [headersOf('made up', '10.6.6.6, [::ffff:192.0.2.3]:80'), 401, 'INVALID_KEY'],
  ]
  for (const [headers, status, code] of table) {
    const calls = await nativeCalls(async () => {
      expectFailure(await ask(route, headers, '/docs?page=1'), status, code)
    })
    expect(calls).toEqual(['verifyWarmRequest'])
  }
  await flush()
  const { events } = await listAuditEvents({ type: 'key.refused' })
  const noted = events.map(({ ip, claimedIp, path }) => [ip, claimedIp, path])
  for (const [ip, claimedIp] of [
    ['10.1.2.3', '6.6.6.6'],
    ['192.0.2.1', '10.6.6.6'],
    ['192.0.2.2', '10.6.6.6'],
    ['192.0.2.3', '10.6.6.6'],
  ])
    expect(noted).toContainEqual([ip, claimedIp, '/docs'])
})

test('what the warm path cannot answer is answered by the others, the same', async () => {
  const [issued] = await setting.coldKeys(1, { scopes: ['docs:read'] })
  const { key } = issued!
  const cold = await nativeCalls(async () => {
    expect((await ask(route, headersOf(key))).status).toBe(200)
  })
  expect(cold).toEqual(['verifyWarmRequest', 'clientAddress', 'verifyApiKey'])
  await ask(route, headersOf(key))
  // A header of this length comes from no honest client.
  const long = headersOf(key, `${'6.6.6.6, '.repeat(1_000)}10.1.2.3`)
  const calls = await nativeCalls(async () => {
    expect((await ask(route, long)).status).toBe(200)
  })
  expect(calls).toEqual(['verifyWarmRequest', 'clientAddress', 'verifyApiKey'])
  // So do the lines of a header as Node.js has them.
  const lines = { 'x-api-key': key, 'x-forwarded-for': ['6.6.6.6', '10.1.2.3'] }
  const request = { url: HOST, headers: { get: (name: keyof typeof lines) => lines[name] ?? null } }
  expect((await route(request as never, {} as never)).status).toBe(200)
})
