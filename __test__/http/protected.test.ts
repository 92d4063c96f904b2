import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { jwt } from '../support/jwt.js'
import {
  expectRetryAfter,
  jwtSecret,
  send,
  useApp,
  userJwtSecret,
  type Answer,
} from '../support/example-app.js'
import { startServer, type Server } from '../support/example-server.js'

const app = useApp()

const search = (headers: Record<string, string>, query = ''): Promise<Answer> =>
  app.request(`/api/search${query}`, { headers })
const whoami = (headers: Record<string, string>): Promise<Answer> =>
  app.request('/api/whoami', { headers })
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

const missing = {
  status: 401,
  body: { error: 'Missing required header: x-api-key', code: 'MISSING_KEY' },
}
const invalid = { status: 401, body: { error: 'Invalid API key', code: 'INVALID_KEY' } }

describe('a protected route', () => {
  test('knows the client by its key, in either header', async () => {
    const { key } = await app.create({ name: 'Search key', clientId: 'shop' })
    const client = { clientId: 'shop', keyName: 'Search key', query: 'red shoes' }
    const query = '?q=red%20shoes'
    const answers = [
      await search({ 'x-api-key': key }, query),
      await search(bearer(key), query),
      await search({ authorization: `bearer ${key}` }, query),
    ]
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 200 })
      expect(answer.body).toEqual(client)
      expect(answer.headers.get('ratelimit')).toBeNull()
    }
  })

  test('needs a key', async () => {
    expect(await search({})).toMatchObject(missing)
    expect(await search({ 'x-api-key': '' })).toMatchObject(missing)
    expect(await search({ authorization: 'Basic dXNlcjpwYXNz' })).toMatchObject(missing)
  })

  test('refuses two different keys', async () => {
    const { key } = await app.create()
    const answer = await search({ 'x-api-key': key, ...bearer('another') })
    expect(answer).toMatchObject({ status: 401, body: { code: 'AMBIGUOUS_KEY' } })
    expect((await search({ 'x-api-key': key, ...bearer(key) })).status).toBe(200)
  })

  test('tells the missing scopes, also as a problem', async () => {
    const { key } = await app.create()
    const headers = { 'x-api-key': key, accept: 'application/problem+json' }
    const response = await fetch(`${app.url()}/api/documents/42`, { headers })
    expect(response.status).toBe(403)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(response.headers.get('vary')).toContain('Accept')
    expect(response.headers.get('www-authenticate')).toBe(
      'Bearer realm="API", error="insufficient_scope", scope="documents:read"',
    )
    expect(await response.json()).toEqual({
      type: 'about:blank',
      title: 'Forbidden',
      status: 403,
      detail: 'API key lacks a required scope',
      code: 'INSUFFICIENT_SCOPE',
      missingScopes: ['documents:read'],
    })
  })

  test('refuses what is no key, an unknown id and a wrong secret with one answer', async () => {
    const { key, id, start } = await app.create()
    const other = await app.create()
    const [{ key: stored, lookup }] = (await app.sql(
      'SELECT "key", "lookup" FROM "ApiKey" WHERE "id" = $1',
      [id],
    )) as [{ key: string; lookup: string }]
    const wrong = [
      'made up',
      `${key}x`,
      key.slice(0, -1),
      key.slice(0, -1) + (key.endsWith('0') ? '1' : '0'),
      start + other.key.slice(other.start.length),
      id,
      start,
      stored,
      lookup,
      'x'.repeat(8_000),
    ]
    for (const text of wrong) {
      const { status, body } = await search({ 'x-api-key': text })
      expect({ status, body }).toEqual(invalid)
    }
  })

  test('refuses an expired and a disabled key', async () => {
    const { id, key } = await app.create()
    const { status } = await search({ 'x-api-key': key })
    expect(status).toBe(200)
    await app.keys('PATCH', { id, expiresAt: '2020-01-01T00:00:00Z' })
    const expired = await search({ 'x-api-key': key })
    expect(expired).toMatchObject({ status: 401, body: { error: 'Invalid API key' } })
    await app.keys('PATCH', { id, expiresAt: null, isActive: false })
    const disabled = await search({ 'x-api-key': key })
    expect(disabled).toMatchObject({ status: 401, body: { error: 'Invalid API key' } })
    await app.keys('PATCH', { id, isActive: true })
    expect((await search({ 'x-api-key': key })).status).toBe(200)
  })

  test('refuses over the limit, and says when to come back', async () => {
    const limits = { rateLimit: 2, rateLimitWindowSeconds: 3_600 }
    const { key } = await app.create(limits)
    for (const remaining of ['1', '0']) {
      const { status, headers } = await search({ 'x-api-key': key })
      expect(status).toBe(200)
      expect(headers.get('ratelimit-policy')).toBe('"api-key";q=2;w=3600')
      expect(headers.get('ratelimit')).toMatch(new RegExp(`^"api-key";r=${remaining};t=[1-9]\\d*$`))
    }
    const refused = await search({ 'x-api-key': key })
    expect(refused).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } })
    expectRetryAfter(refused)
    const again = await search({ 'x-api-key': key })
    expect(again.status).toBe(429)
    expectRetryAfter(again)
  })
})

describe('an allow-list', () => {
  let behindProxy: Server
  let behindKnownProxies: Server
  beforeAll(async () => {
    behindProxy = await startServer({ ...app.environment(), API_KEYS_TRUSTED_HOPS: '1' })
    behindKnownProxies = await startServer({
      ...app.environment(),
      API_KEYS_TRUSTED_PROXIES: '192.0.2.0/24, fd00::/8',
    })
  })
  afterAll(() => Promise.all([behindProxy?.stop(), behindKnownProxies?.stop()]))

  const from = (key: string, forwarded: string, server = behindProxy): Promise<Answer> =>
    send(`${server.url}/api/search`, {
      headers: { 'x-api-key': key, 'x-forwarded-for': forwarded },
    })

  test('refuses an address that is unknown, whatever the client claims', async () => {
    const { key } = await app.create({ allowedIps: ['10.0.0.0/8', '127.0.0.1', '::1'] })
    const claimed: Record<string, string>[] = [
      {},
      { 'x-forwarded-for': '10.0.0.1' },
      { forwarded: 'for=10.0.0.1' },
    ]
    for (const claims of claimed) {
      const { status, body } = await search({ 'x-api-key': key, ...claims })
      expect({ status, body }).toMatchObject({ status: 403, body: { code: 'IP_NOT_ALLOWED' } })
    }
  })

  test('holds for the address that the declared proxy has seen', async () => {
    const { key } = await app.create({ allowedIps: ['10.0.0.0/8'] })
    expect((await from(key, '10.1.2.3')).status).toBe(200)
    expect((await from(key, '6.6.6.6, 10.1.2.3')).status).toBe(200)
    expect((await from(key, '::ffff:10.1.2.3')).status).toBe(200)
    for (const forwarded of ['6.6.6.6', '10.1.2.3, 6.6.6.6', '10.1.2.3,', 'nonsense', '']) {
      const { status, body } = await from(key, forwarded)
      expect({ status, body }).toMatchObject({ status: 403, body: { code: 'IP_NOT_ALLOWED' } })
    }
  })

  test('holds for the address that known proxies have seen', async () => {
    const { key } = await app.create({ allowedIps: ['10.0.0.0/8'] })
    for (const forwarded of ['10.1.2.3', '6.6.6.6, 10.1.2.3, 192.0.2.7, fd00::1'])
      expect((await from(key, forwarded, behindKnownProxies)).status).toBe(200)
    for (const forwarded of ['10.1.2.3, 6.6.6.6, 192.0.2.7', '10.1.2.3, junk', '192.0.2.7', '']) {
      const { status, body } = await from(key, forwarded, behindKnownProxies)
      expect({ status, body }).toMatchObject({ status: 403, body: { code: 'IP_NOT_ALLOWED' } })
    }
  })
})

describe('the route of two layers', () => {
  const inAMinute = () => Math.floor(Date.now() / 1_000) + 60
  const userToken = (claims: object, secret = userJwtSecret, alg = 'HS256'): string =>
    jwt({ alg, typ: 'JWT' }, { sub: 'user-1', exp: inAMinute(), ...claims }, secret)

  test('is open to a signed-in user', async () => {
    const { status, body } = await whoami(bearer(userToken({})))
    expect(status).toBe(200)
    expect(body).toEqual({ type: 'user', userId: 'user-1' })
  })

  test('is open to an API key, in either header', async () => {
    const { key } = await app.create({ name: 'Dual', clientId: 'shop' })
    for (const headers of [{ 'x-api-key': key }, bearer(key)]) {
      const { status, body } = await whoami(headers)
      expect(status).toBe(200)
      expect(body).toEqual({ type: 'apiKey', clientId: 'shop', keyName: 'Dual' })
    }
  })

  test('takes no session of a user for a wrong key', async () => {
    const server = await startServer({
      ...app.environment(),
      API_KEYS_TRUSTED_HOPS: '1',
      API_KEYS_THROTTLE: '3',
    })
    try {
      const ask = (headers: Record<string, string>, address: string): Promise<Answer> =>
        send(`${server.url}/api/whoami`, { headers: { ...headers, 'x-forwarded-for': address } })
      for (let time = 0; time < 10; time++)
        expect((await ask(bearer(userToken({ jti: time })), '192.0.2.1')).status).toBe(200)
      // Not in the memory of this process yet, so a throttled address could not use it.
      const { key } = await app.create()
      expect((await ask(bearer(key), '192.0.2.1')).status).toBe(200)
      const other = await app.create()
      for (let time = 0; time < 3; time++)
        expect((await ask(bearer(`wrong-key-number-${time}`), '192.0.2.2')).status).toBe(401)
      const throttled = await ask(bearer(other.key), '192.0.2.2')
      expect(throttled).toMatchObject({ status: 429, body: { code: 'THROTTLED' } })
    } finally {
      await server.stop()
    }
  })

  test('is closed to everybody else', async () => {
    expect(await whoami({})).toMatchObject(missing)
    const now = Math.floor(Date.now() / 1_000)
    const admin = { type: 'admin', name: 'A', iat: now }
    const wrong = [
      'made-up',
      'a.b.c',
      userToken({}, 'another secret, of 32 bytes and more'),
      userToken({}, userJwtSecret, 'none'),
      userToken({}, userJwtSecret, 'HS512'),
      userToken({ exp: now - 1 }),
      userToken({ exp: undefined }),
      userToken({ sub: undefined }),
      userToken(admin, jwtSecret),
    ]
    for (const token of wrong) {
      const { status, body } = await whoami(bearer(token))
      expect({ status, body }).toEqual(invalid)
    }
  })

  test('a disabled key does not become a user', async () => {
    const { id, key } = await app.create()
    await app.keys('PATCH', { id, isActive: false })
    const { status, body } = await whoami(bearer(key))
    expect({ status, body }).toMatchObject({ status: 401, body: { error: 'Invalid API key' } })
  })
})
