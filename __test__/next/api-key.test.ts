import { describe, expect, test, vi } from 'vitest'
import { addon } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'
import {
  ask,
  expectFailure,
  hello,
  HOST,
  namesakes,
  next,
  read,
  secondsIn,
  untyped,
  type Answer,
} from '../support/next.js'

const { createApiKey, flush, getApiKey, patchApiKey, setClient } = addon
const { withApiKey } = next

const { sql } = useAddon({ trustedHops: 1 })

const create = (fields: object = {}): ReturnType<typeof createApiKey> =>
  createApiKey({ name: 'Search', clientId: 'acme', ...fields })
const perDay = (rateLimit: number) => ({ rateLimit, rateLimitWindowSeconds: 86_400 })

const route = withApiKey((_request, { apiKey }) => Response.json(apiKey))

describe('a valid key', () => {
  test('opens the route, in either header, and the handler learns whose it is', async () => {
    const { id, key, scopes } = await create({ scopes: ['docs:*'], metadata: { plan: 'free' } })
    for (const headers of [
      { 'x-api-key': key },
      { authorization: `Bearer ${key}` },
      { authorization: `bearer   ${key}` },
      { 'x-api-key': '', authorization: `Bearer ${key}` },
    ]) {
      const { status, body } = await ask(route, headers)
      expect(status).toBe(200)
      expect(body).toEqual({
        valid: true,
        code: 'VALID',
        keyId: id,
        name: 'Search',
        clientId: 'acme',
        kind: 'secret',
        environment: 'live',
        scopes,
        metadata: { plan: 'free' },
        expiresAt: null,
        client: null,
        rateLimit: null,
        limits: [],
        charge: null,
      })
    }
  })

  test('may be in both headers', async () => {
    const { key } = await create()
    const headers = { 'x-api-key': key, authorization: `Bearer ${key}` }
    expect((await ask(route, headers)).status).toBe(200)
  })

  test("the handler gets the request as it is, and the framework's context with apiKey", async () => {
    const { key } = await create()
    const seen: unknown[] = []
    const spy = withApiKey<{ params: Promise<{ id: string }>; env: string }>((...args) => {
      seen.push(...args)
      return hello()
    })
    const request = new Request(HOST, { headers: { 'x-api-key': key } })
    const context = { params: Promise.resolve({ id: '7' }), env: 'test' }
    await spy(request, context)
    const [gotten, got] = seen as [Request, typeof context & { apiKey: { clientId: string } }]
    expect(gotten).toBe(request)
    expect(got.params).toBe(context.params)
    expect(got).toMatchObject({ env: 'test', apiKey: { clientId: 'acme' } })
    expect(context).not.toHaveProperty('apiKey')
  })

  test('a key without a limit gets no headers about one', async () => {
    const { key } = await create()
    const { headers } = await ask(route, { 'x-api-key': key })
    expect(Object.keys(headers).filter((name) => name.startsWith('ratelimit'))).toEqual([])
  })
})

describe('a refusal', () => {
  test('of no key is 401 with a challenge, and a hint at what is expected', async () => {
    const none = [{}, { 'x-api-key': '' }, { 'x-api-key': ' ' }]
    const others = ['Basic dXNlcjpwYXNz', 'Bearer', 'Bearer a b', 'sophra_live_key'].map(
      (authorization) => ({ authorization }),
    )
    for (const headers of [...none, ...others]) {
      const answer = await ask(route, headers)
      expectFailure(answer, 401, 'MISSING_KEY', 'Missing required header: x-api-key')
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="API"')
      for (const header of ['x-api-key: <key>', 'Authorization: Bearer <key>'])
        expect(answer.body.hint).toContain(header)
      const isAnother = 'authorization' in headers
      expect(answer.body.hint.includes('holds no Bearer token')).toBe(isAnother)
      expect(JSON.stringify(answer.body)).not.toContain('dXNlcjpwYXNz')
    }
  })

  test('of a key that is none, expired or disabled is 401', async () => {
    const { id, key } = await create()
    const refused = async (presented: string, code: string): Promise<void> => {
      const answer = await ask(route, { 'x-api-key': presented })
      expectFailure(answer, 401, code, 'Invalid API key')
      const challenge = answer.headers['www-authenticate']
      expect(challenge).toBe('Bearer realm="API", error="invalid_token"')
    }
    await refused('made up', 'INVALID_KEY')
    await refused(`${key}, ${key}`, 'INVALID_KEY')
    await refused('x'.repeat(100_000), 'INVALID_KEY')
    await patchApiKey({ id, expiresAt: new Date(0) })
    await refused(key, 'EXPIRED')
    await patchApiKey({ id, expiresAt: null, isActive: false })
    await refused(key, 'DISABLED')
  })

  test('of two different keys is 401, before either is verified', async () => {
    const { id, key } = await create()
    for (const [named, token] of [
      [key, 'made-up'],
      ['made-up', key],
      ['made', 'up'],
    ]) {
      const answer = await ask(route, { 'x-api-key': named, authorization: `Bearer ${token}` })
      expectFailure(answer, 401, 'AMBIGUOUS_KEY')
      const challenge = answer.headers['www-authenticate']
      expect(challenge).toBe('Bearer realm="API", error="invalid_request"')
    }
    // Another scheme does not count as a key.
    const other = await ask(route, { 'x-api-key': key, authorization: 'Basic dXNlcjpwYXNz' })
    expect(other.status).toBe(200)
    await flush()
    expect((await getApiKey(id))!.usageCount).toBe(1)
  })

  test('for a scope is 403, and names those that are missing', async () => {
    const { key } = await create({ scopes: ['docs:read'] })
    const guarded = withApiKey(hello, { scopes: ['docs:read', 'docs:write', { any: ['a', 'b'] }] })
    const missing = ['docs:write', 'a', 'b']
    // Cold, and then warm.
    for (let time = 0; time < 2; time++) {
      const answer = await ask(guarded, { 'x-api-key': key })
      expectFailure(answer, 403, 'INSUFFICIENT_SCOPE')
      expect(answer.body.missingScopes).toEqual(missing)
      const challenge = 'Bearer realm="API", error="insufficient_scope"'
      expect(answer.headers['www-authenticate']).toBe(`${challenge}, scope="docs:write a b"`)
    }
    const none = await ask(withApiKey(hello, { scopes: { any: [] } }), { 'x-api-key': key })
    expectFailure(none, 403, 'INSUFFICIENT_SCOPE')
    expect(none.body.missingScopes).toEqual([])
    expect(none.headers['www-authenticate']).toBe('Bearer realm="API", error="insufficient_scope"')
    const allowed = withApiKey(hello, { scopes: ['docs:read'] })
    expect((await ask(allowed, { 'x-api-key': key })).status).toBe(200)
  })

  test('for many scopes has a header that is not too long', async () => {
    const { key } = await create()
    const scopes = Array.from({ length: 2_000 }, (_, at) => `${at}`.padEnd(100, 'x'))
    const answer = await ask(withApiKey(hello, { scopes }), { 'x-api-key': key })
    expect(answer.body.missingScopes).toEqual(scopes)
    const [, listed] = /scope="([^"]+)"$/.exec(answer.headers['www-authenticate']!)!
    expect(listed!.split(' ')).toEqual(scopes.slice(0, 10))
  })

  test('for an address is 403', async () => {
    const { key } = await create({ allowedIps: ['10.0.0.0/8'] })
    const from = (line?: string) =>
      ask(route, { 'x-api-key': key, ...(line === undefined ? {} : { 'x-forwarded-for': line }) })
    expect((await from('10.1.2.3')).status).toBe(200)
    expect((await from('203.0.113.7, [::ffff:10.1.2.3]:51234')).status).toBe(200)
    for (const line of [undefined, '', '203.0.113.7', '10.1.2.3, 203.0.113.7', '10.1.2.3,'])
      expectFailure(await from(line), 403, 'IP_NOT_ALLOWED')
  })

  test('over the limit is 429 and says when to come back', async () => {
    const { key } = await create({ rateLimit: 2, rateLimitWindowSeconds: 7_200 })
    for (const remaining of [1, 0]) {
      const { status, headers } = await ask(route, { 'x-api-key': key })
      expect(status).toBe(200)
      expect(headers['ratelimit-policy']).toBe('"api-key";q=2;w=7200')
      expect(headers['ratelimit']).toBe(`"api-key";r=${remaining};t=${7_200 - remaining * 3_600}`)
    }
    const answer = await ask(route, { 'x-api-key': key })
    expectFailure(answer, 429, 'RATE_LIMITED', 'Rate limit exceeded')
    // One request returns in an hour. `Retry-After` is not before the end of what `RateLimit` tells.
    expect(answer.headers['retry-after']).toBe('3600')
    expect(answer.headers['ratelimit-policy']).toBe('"api-key";q=2;w=7200')
    expect(answer.headers['ratelimit']).toBe('"api-key";r=0;t=3600')
  })

  test('for a cost above the limit is 429, and no waiting helps', async () => {
    const { key } = await create(perDay(5))
    const dear = withApiKey(hello, { cost: 6 })
    const answer = await ask(dear, { 'x-api-key': key })
    expectFailure(answer, 429, 'RATE_LIMITED')
    expect(answer.headers).not.toHaveProperty('retry-after')
    const cheap = withApiKey(hello, { cost: 5 })
    const { status, headers } = await ask(cheap, { 'x-api-key': key })
    expect({ status, left: headers['ratelimit'] }).toEqual({
      status: 200,
      left: '"api-key";r=0;t=86400',
    })
  })

  test('of a suspended key is 429', async () => {
    const { id, key } = await create(perDay(2))
    // Stored by another process.
    await addon.close()
    const until = new Date(Date.now() + 90_000).toISOString().replace('Z', '')
    await sql(`UPDATE "ApiKey" SET "suspendedUntil" = '${until}' WHERE "id" = '${id}'`)
    const answer = await ask(route, { 'x-api-key': key })
    expectFailure(answer, 429, 'SUSPENDED')
    expect(secondsIn(answer)).toBeGreaterThan(60)
    expect(secondsIn(answer)).toBeLessThanOrEqual(90)
  })

  test('runs no handler and counts no usage', async () => {
    const { id, key } = await create({ isActive: false })
    const handler = vi.fn(hello)
    await ask(withApiKey(handler), { 'x-api-key': key })
    await ask(withApiKey(handler))
    expect(handler).not.toHaveBeenCalled()
    await flush()
    expect((await getApiKey(id))!.usageCount).toBe(0)
  })
})

describe('several limits', () => {
  const named = (name: string, limit: number) => ({ name, limit, windowSeconds: 86_400 })
  /** Without the seconds, which pass while the test runs. */
  const stateIn = ({ headers }: Answer): string => headers['ratelimit']!.replace(/;t=\d+/g, '')

  test('are told item by item: those of the key, its client and the clients above', async () => {
    await setClient({ clientId: 'above all', limits: [named('default', 400)] })
    await setClient({ clientId: 'above', parentId: 'above all', limits: [named('tokens', 300)] })
    const shared = [named('default', 200), named('images', 20)]
    await setClient({ clientId: 'below', parentId: 'above', limits: shared })
    const own = { rateLimit: 100, rateLimitWindowSeconds: 3_600, limits: [named('tokens', 10)] }
    const { key } = await create({ clientId: 'below', ...own })
    const other = await create({ clientId: 'below' })
    // Cold, and then warm.
    for (const left of [1, 2]) {
      const answer = await ask(route, { 'x-api-key': key })
      expect(answer.status).toBe(200)
      expect(answer.headers['ratelimit-policy']).toBe(
        '"api-key";q=100;w=3600, "tokens";q=10;w=86400, ' +
          '"client/default";q=200;w=86400, "client/images";q=20;w=86400, ' +
          '"parent/tokens";q=300;w=86400, "grandparent/default";q=400;w=86400',
      )
      expect(answer.headers['ratelimit']).toMatch(/^("[a-z/-]+";r=\d+;t=[1-9]\d*(, |$)){6}$/)
      expect(stateIn(answer)).toBe(
        `"api-key";r=${100 - left}, "tokens";r=${10 - left}, ` +
          `"client/default";r=${200 - left}, "client/images";r=${20 - left}, ` +
          `"parent/tokens";r=${300 - left}, "grandparent/default";r=${400 - left}`,
      )
      expect(answer.body.limits).toHaveLength(6)
    }
    // The other key of the client has no limit of its own, and shares the rest.
    expect(stateIn(await ask(route, { 'x-api-key': other.key }))).toBe(
      '"client/default";r=197, "client/images";r=17, "parent/tokens";r=297, "grandparent/default";r=397',
    )
  })

  test('each cost what the guard says of their names, also of names that a key does not have', async () => {
    const guarded = withApiKey(hello, { cost: { tokens: 25, images: 3, default: 0 } })
    const { key } = await create({ ...perDay(9), limits: [named('tokens', 100)] })
    const unlimited = await create()
    for (const left of [75, 50]) {
      const answer = await ask(guarded, { 'x-api-key': key })
      expect([answer.status, stateIn(answer)]).toEqual([200, `"api-key";r=9, "tokens";r=${left}`])
      const free = await ask(guarded, { 'x-api-key': unlimited.key })
      expect([free.status, free.headers['ratelimit']]).toEqual([200, undefined])
    }
    // A limit that is not named costs 1.
    const { key: calling } = await create({ limits: [named('tokens', 100), named('calls', 2)] })
    expect(stateIn(await ask(guarded, { 'x-api-key': calling }))).toBe('"tokens";r=75, "calls";r=1')
  })

  test('are charged all or none, and the one that refuses says when to come back', async () => {
    const limits = [{ name: 'tokens', limit: 20, windowSeconds: 7_200 }, named('images', 5)]
    const { key } = await create({ ...perDay(9), limits })
    const dear = withApiKey(hello, { cost: { tokens: 20 } })
    expect((await ask(dear, { 'x-api-key': key })).status).toBe(200)
    for (let time = 0; time < 2; time += 1) {
      const refused = await ask(route, { 'x-api-key': key })
      expectFailure(refused, 429, 'RATE_LIMITED', 'Rate limit exceeded')
      expect(stateIn(refused)).toBe('"api-key";r=8, "tokens";r=0, "images";r=4')
      // One unit returns in six minutes, before the whole of a limit that did not refuse.
      expect(secondsIn(refused)).toBeLessThanOrEqual(360)
      const [, tokens] = /"tokens";r=0;t=(\d+)/.exec(refused.headers['ratelimit']!)!
      expect(Number(tokens)).toBe(secondsIn(refused))
      expect(refused.headers['ratelimit']).toMatch(/"api-key";r=8;t=9[56]\d\d,/)
    }
    const free = withApiKey(hello, { cost: { tokens: 0 } })
    expect(stateIn(await ask(free, { 'x-api-key': key }))).toBe(
      '"api-key";r=7, "tokens";r=0, "images";r=3',
    )
  })
})

describe('the response of the handler', () => {
  const answerOf = async (response: unknown): Promise<Response> => {
    const { key } = await create(perDay(9))
    const handler = withApiKey((() => response) as () => Response)
    return handler(new Request(HOST, { headers: { 'x-api-key': key } }))
  }

  test('keeps status, headers, cookies and body', async () => {
    const headers = new Headers({ 'x-own': 'yes', 'cache-control': 'private, max-age=60' })
    headers.append('set-cookie', 'a=1')
    headers.append('set-cookie', 'b=2')
    const response = await answerOf(new Response('text', { status: 207, headers }))
    expect(response.status).toBe(207)
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(await read(response)).toMatchObject({
      headers: { 'x-own': 'yes', 'cache-control': 'private, max-age=60' },
      body: 'text',
    })
  })

  test('may not be stored unless it says so', async () => {
    expect((await answerOf(hello())).headers.get('cache-control')).toBe('no-store')
  })

  test('may be one whose headers are immutable', async () => {
    const redirected = await answerOf(Response.redirect(`${HOST}/there`, 307))
    expect(redirected.status).toBe(307)
    expect(redirected.headers.get('location')).toBe(`${HOST}/there`)
    expect(redirected.headers.get('ratelimit')).toMatch(/^"api-key";r=8;t=\d+$/)
    const fetched = await answerOf(await fetch('data:application/json,{"a":1}'))
    expect(fetched.headers.get('cache-control')).toBe('no-store')
    expect(await fetched.json()).toEqual({ a: 1 })
  })

  test('may be a stream, which is not read ahead', async () => {
    let pulls = 0
    const body = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array([++pulls])),
    })
    const response = await answerOf(new Response(body))
    expect(pulls).toBeLessThanOrEqual(1)
    await response.body!.cancel()
  })

  test('is left to the framework where it is none', async () => {
    expect(await answerOf(undefined)).toBeUndefined()
  })
})

describe('what the handler throws', () => {
  const thrownBy = async (thrown: unknown): Promise<Response> => {
    const { key } = await create()
    const handler = withApiKey(() => Promise.reject(thrown))
    return handler(new Request(HOST, { headers: { 'x-api-key': key } }))
  }

  test('goes on to the framework', async () => {
    const signal = Object.assign(new Error('NEXT_REDIRECT'), { digest: 'NEXT_REDIRECT;…' })
    for (const thrown of [signal, new TypeError('own'), 'text', undefined, ...namesakes()])
      await expect(thrownBy(thrown)).rejects.toBe(thrown)
  })

  test('is answered where the addon has thrown it', async () => {
    const fault = await createApiKey({} as never).catch((fault: unknown) => fault)
    const answer = await read(await thrownBy(fault))
    expectFailure(answer, 400, 'INVALID_INPUT')
    expect(answer.body.issues.map(({ path }: { path: string }) => path)).toEqual([
      'name',
      'clientId',
    ])
  })
})

describe('HEAD and OPTIONS', () => {
  const send = async (method: string, headers: Record<string, string> = {}) =>
    read(await route(new Request(HOST, { method, headers })))

  test('HEAD is answered as GET is, without a body', async () => {
    const { key } = await create(perDay(9))
    const accepted = await send('HEAD', { 'x-api-key': key })
    expect(accepted).toMatchObject({ status: 200, body: '' })
    expect(accepted.headers['ratelimit']).toMatch(/^"api-key";r=8;/)
    const refused = await send('HEAD')
    expect(refused).toMatchObject({ status: 401, body: '' })
    expect(refused.headers['www-authenticate']).toBe('Bearer realm="API"')
    expect(refused.headers['content-type']).toBe('application/json')
  })

  test('OPTIONS is guarded like every method', async () => {
    const { key } = await create()
    expectFailure(await send('OPTIONS'), 401, 'MISSING_KEY')
    expect((await send('OPTIONS', { 'x-api-key': key })).status).toBe(200)
  })
})

describe('a guard that is put up wrongly', () => {
  const wrong: unknown[][] = [
    [],
    [undefined, {}],
    [{ scopes: ['a'] }, hello],
    [hello, 'docs:read'],
    [hello, { scope: ['docs:read'] }],
    [hello, { scopes: 'docs:read' }],
    [hello, { scopes: undefined }],
    [hello, { scopes: [undefined] }],
    [hello, { scopes: [''] }],
    [hello, { scopes: [] }],
    [hello, { scopes: {} }],
    [hello, { scopes: { all: ['a'], any: ['a'] } }],
    [hello, { scopes: { none: ['a'] } }],
    [hello, { scopes: { any: 'a' } }],
    [hello, { scopes: Object.create({ any: ['a'] }) }],
    [hello, { scopes: [{ any: ['a', { all: ['a b'] }] }] }],
    [hello, { scopes: [['a']] }],
    [hello, { scopes: ['|', 'a', ')'] }],
    [hello, { getKey: 'x-key' }],
    [hello, { onRefused: true }],
    [hello, { optional: 1 }],
    [hello, { optional: undefined }],
    [hello, { isFixed: true }],
    [hello, { tag: '' }],
    [hello, { tag: 'x'.repeat(65) }],
    [hello, { cost: -1 }],
    [hello, { cost: { tokens: -1 } }],
    [hello, { cost: '5' }],
    [hello, { permission: 'keys:read' }],
    [hello, { cost: 1_000_001 }],
    [hello, { cost: 1.5 }],
    [hello, { cost: null }],
    [hello, { scopes: ['a b'] }],
    [hello, { scopes: ['x'.repeat(101)] }],
    [hello, { scopes: Array(2_001).fill('a') }],
    [hello, null],
  ]
  test.each(wrong)('does not come up: %j %j', (...args) => {
    expect(() => untyped.withApiKey!(...args)).toThrow(TypeError)
  })

  test('names the option and the rule', () => {
    expect(() => withApiKey(hello, { cost: 1_000_001 })).toThrow(
      "withApiKey: 'cost' has a wrong value: it must be a whole number from 0 to 1000000",
    )
    expect(() => withApiKey(hello, { scopes: ['ok', 'a b'] })).toThrow("'scopes[1]'")
  })

  test.each([
    [{ optional: 'yes' }, "'optional' has a wrong value: it must be true or false"],
    [{ getKey: 'x-key' }, "'getKey' has a wrong value: it must be a function"],
    [{ onRefused: true }, "'onRefused' has a wrong value: it must be a function"],
    [{ refundOn: null }, "'refundOn' has a wrong value: it must be a function"],
    [{ scopes: undefined }, "'scopes' has a wrong value: it must be neither null nor undefined"],
    [['docs:read'], 'the options must be an object'],
  ])('says what is wrong with %j', (options, problem) => {
    expect(() => untyped.withApiKey!(hello, options)).toThrow(
      new TypeError(`withApiKey: ${problem}`),
    )
  })

  test('takes what the addon takes', async () => {
    const { key } = await create({ scopes: ['*'] })
    for (const options of [{ cost: 1_000_000 }, { scopes: Array(100).fill('x'.repeat(100)) }])
      expect((await ask(withApiKey(hello, options), { 'x-api-key': key })).status).toBe(200)
  })
})
