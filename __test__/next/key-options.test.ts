import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { addon } from '../support/addon.js'
import { ask, expectFailure, hello, HOST, namesakes, next, read, untyped } from '../support/next.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, flush, getApiKey, verifyApiKey } = addon
const { withApiKey } = next

useAddon()

const create = (fields: object = {}): ReturnType<typeof createApiKey> =>
  createApiKey({ name: 'Search', clientId: 'acme', ...fields })
const limited = { rateLimit: 100, rateLimitWindowSeconds: 86_400 }
const left = async (key: string): Promise<number> => {
  const answer = await verifyApiKey(key, { peek: true, cost: 0 })
  return answer.rateLimit!.remaining
}

const logged: unknown[] = []
beforeEach(() => {
  logged.length = 0
  vi.spyOn(console, 'error').mockImplementation((error: unknown) => void logged.push(error))
})
afterEach(() => vi.restoreAllMocks())
const broken = (): never => {
  throw new Error('broken')
}
const signal = Object.assign(new Error('NEXT_REDIRECT'), { digest: 'NEXT_REDIRECT;…' })
const signalled = (): never => {
  throw signal
}

/** A fault of the server, which is logged and does not tell its cause. */
async function expectFault(
  route: Parameters<typeof ask>[0],
  headers: Parameters<typeof ask>[1],
): Promise<void> {
  logged.length = 0
  expectFailure(await ask(route, headers), 500, 'INTERNAL', 'Internal server error')
  expect(logged).toHaveLength(1)
}

describe('getKey', () => {
  const route = withApiKey(hello, {
    getKey: (request) => new URL(request.url).searchParams.get('key'),
  })

  test('finds the key, and no header is read', async () => {
    const { key } = await create()
    const headers = { 'x-api-key': 'made up', authorization: 'Bearer of a user' }
    expect((await ask(route, headers, `/?key=${key}`)).status).toBe(200)
    expectFailure(await ask(route, { 'x-api-key': key }, '/?key=x'), 401, 'INVALID_KEY')
  })

  test.each(['/', '/?key='])('finds none at %s', async (path) => {
    const { key } = await create()
    const answer = await ask(route, { 'x-api-key': key }, path)
    expectFailure(answer, 401, 'MISSING_KEY', 'Missing API key')
    expect(answer.body).not.toHaveProperty('hint')
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="API"')
  })

  test('that answers anything else is a fault of the server', async () => {
    const { id, key } = await create()
    const handler = vi.fn(hello)
    const wrong = [undefined, 5, true, [key], { key }, new String(key), Promise.resolve(key)]
    for (const value of wrong) {
      const guarded = untyped.withApiKey!(handler, { getKey: () => value, optional: true })
      await expectFault(guarded, { 'x-api-key': key })
      expect(String(logged[0])).not.toContain(key)
    }
    // Nobody else awaits it.
    const rejected = (): unknown => Promise.reject(new Error('later'))
    await expectFault(untyped.withApiKey!(handler, { getKey: rejected }), {})
    await expectFault(withApiKey(handler, { getKey: broken }), {})
    expect(handler).not.toHaveBeenCalled()
    await flush()
    expect((await getApiKey(id))!.usageCount).toBe(0)
  })

  test('that throws a signal of Next.js hands it on', async () => {
    await expect(ask(withApiKey(hello, { getKey: signalled }))).rejects.toBe(signal)
  })
})

describe('optional', () => {
  const route = withApiKey(
    (_request, { apiKey }) => Response.json({ keyId: apiKey?.keyId ?? null }),
    {
      optional: true,
      scopes: ['docs:read'],
    },
  )

  test('lets a request without a key through, whatever scopes say', async () => {
    const others = [{}, { 'x-api-key': '' }, { authorization: 'Basic dXNlcjpwYXNz' }]
    for (const headers of others) {
      const answer = await ask(route, headers)
      expect([answer.status, answer.body]).toEqual([200, { keyId: null }])
      expect(answer.headers['cache-control']).toBe('no-store')
    }
    const never = withApiKey(hello, { optional: true, scopes: { any: [] }, cost: 5 })
    expect((await ask(never)).status).toBe(200)
  })

  test('has the verification of a key, and refuses a wrong one', async () => {
    const { id, key } = await create({ scopes: ['docs:*'] })
    expect((await ask(route, { 'x-api-key': key })).body).toEqual({ keyId: id })
    expectFailure(await ask(route, { 'x-api-key': 'made up' }), 401, 'INVALID_KEY')
    const both = { 'x-api-key': key, authorization: 'Bearer made-up' }
    expectFailure(await ask(route, both), 401, 'AMBIGUOUS_KEY')
    const other = await create()
    expectFailure(await ask(route, { 'x-api-key': other.key }), 403, 'INSUFFICIENT_SCOPE')
  })

  test('asks nobody whether to refund a request without a key', async () => {
    const refundOn = vi.fn(() => true)
    const refunding = withApiKey(hello, { optional: true, refundOn })
    expect((await ask(refunding)).status).toBe(200)
    expect(refundOn).not.toHaveBeenCalled()
  })

  test('that is false changes nothing', async () => {
    expectFailure(await ask(withApiKey(hello, { optional: false })), 401, 'MISSING_KEY')
  })

  test('is not read from a polluted prototype', async () => {
    const polluted = Object.prototype as Record<string, unknown>
    const fields = { optional: true, apiKey: null, refusal: null, failure: { error: 'x' } }
    try {
      Object.assign(polluted, fields)
      expectFailure(await ask(withApiKey(hello)), 401, 'MISSING_KEY')
      expect((await ask(route)).body).toEqual({ keyId: null })
    } finally {
      for (const name of Object.keys(fields)) delete polluted[name]
    }
  })
})

describe('onRefused', () => {
  test('is told each refusal with its request', async () => {
    const told: any[] = []
    const onRefused = (...args: unknown[]): undefined => void told.push(args)
    const route = withApiKey(hello, { onRefused, scopes: ['a'] })
    const { id, key } = await create({ scopes: ['b'], ...limited })
    const expected: [Record<string, string>, number, object][] = [
      [{}, 401, { code: 'MISSING_KEY', hint: expect.any(String) }],
      [{ 'x-api-key': 'x', authorization: 'Bearer y' }, 401, { code: 'AMBIGUOUS_KEY' }],
      [{ 'x-api-key': 'made up' }, 401, { code: 'INVALID_KEY' }],
      [{ 'x-api-key': key }, 403, { code: 'INSUFFICIENT_SCOPE', keyId: id, missingScopes: ['a'] }],
    ]
    for (const [headers, status, refusal] of expected) {
      told.length = 0
      const request = new Request(HOST, { headers })
      const usual = await read(await route(request))
      expect(usual.status).toBe(status)
      const message = usual.body.error
      expect(told).toEqual([[{ valid: false, status, message, ...refusal }, request]])
      expect(told[0][1]).toBe(request)
    }
    expect((await ask(withApiKey(hello, { onRefused }), { 'x-api-key': key })).status).toBe(200)
    expect(told).toHaveLength(1)
  })

  test('answers with a response of its own, which may not be stored', async () => {
    const headers = new Headers({ 'x-own': 'yes', 'cache-control': 'public, max-age=60' })
    headers.append('set-cookie', 'a=1')
    headers.append('set-cookie', 'b=2')
    const onRefused = async (): Promise<Response> => new Response('own', { status: 418, headers })
    const response = await withApiKey(hello, { onRefused })(new Request(HOST))
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(await read(response)).toMatchObject({
      status: 418,
      headers: { 'x-own': 'yes', 'cache-control': 'no-store' },
      body: 'own',
    })
    const elsewhere = (): Response => Response.redirect(`${HOST}/login`, 302)
    const redirected = await ask(withApiKey(hello, { onRefused: elsewhere }))
    expect([redirected.status, redirected.headers.location]).toEqual([302, `${HOST}/login`])
  })

  test('answers with a response whose length is not what it says', async () => {
    const headers = { 'content-length': '1', 'transfer-encoding': 'chunked' }
    const onRefused = (): Response => new Response('decompressed', { headers })
    const { headers: sent, body } = await ask(withApiKey(hello, { onRefused }))
    expect(body).toBe('decompressed')
    expect(sent).not.toHaveProperty('content-length')
    expect(sent).not.toHaveProperty('transfer-encoding')
  })

  test.each([undefined, null, false, 'text', {}, { status: 200, headers: {} }])(
    'that answers %j leaves the usual response',
    async (value) => {
      const route = untyped.withApiKey!(hello, { onRefused: async () => value })
      expectFailure(await ask(route), 401, 'MISSING_KEY')
    },
  )

  test('that answers what cannot be sent leaves the usual response, and no handler runs', async () => {
    const handler = vi.fn(hello)
    for (const value of [Response.error(), { ...hello(), status: 0 }, { status: NaN }]) {
      const route = untyped.withApiKey!(handler, { onRefused: () => value })
      expectFailure(await ask(route), 401, 'MISSING_KEY')
    }
    expect(handler).not.toHaveBeenCalled()
  })

  test('cannot change the usual response', async () => {
    const onRefused = (refusal: { status: number }): void => void (refusal.status = 200)
    const route = untyped.withApiKey!(hello, { onRefused })
    for (const headers of [{}, { 'x-api-key': 'made up' }])
      expect((await ask(route, headers)).status).toBe(401)
    expect((await ask(route)).status).toBe(401)
  })

  test('is not told faults', async () => {
    const { key } = await create()
    const onRefused = vi.fn()
    await expectFault(withApiKey(hello, { onRefused, cost: broken }), { 'x-api-key': key })
    expect(onRefused).not.toHaveBeenCalled()
  })

  test('that throws hands it on to the framework', async () => {
    for (const thrown of [signal, new TypeError('own'), 'text', ...namesakes()])
      await expect(
        ask(withApiKey(hello, { onRefused: () => Promise.reject(thrown) })),
      ).rejects.toBe(thrown)
  })
})

describe('scopes of the request', () => {
  const route = withApiKey<{ params: { id: string } }>(hello as never, {
    scopes: async (request, { params }) => [
      `project:${params.id}:${request.method === 'GET' ? 'read' : 'write'}`,
    ],
  })
  const of = async (key: string, id: string, method = 'GET') =>
    read(
      await route(new Request(HOST, { method, headers: { 'x-api-key': key } }), { params: { id } }),
    )

  test('are those of the resource', async () => {
    const { key } = await create({ scopes: ['project:7:*'] })
    for (let time = 0; time < 2; time++) {
      expect((await of(key, '7')).status).toBe(200)
      expect((await of(key, '7', 'PUT')).status).toBe(200)
      const refused = await of(key, '8')
      expectFailure(refused, 403, 'INSUFFICIENT_SCOPE')
      expect(refused.body.missingScopes).toEqual(['project:8:read'])
    }
  })

  test('may be a group, and groups in a list', async () => {
    const { key } = await create({ scopes: ['a'] })
    const asked = (scopes: object) =>
      ask(untyped.withApiKey!(hello, { scopes: () => scopes }), { 'x-api-key': key })
    expect((await asked({ any: ['b', 'a'] })).status).toBe(200)
    expect((await asked(['a', { all: [] }])).status).toBe(200)
    expect((await asked({ any: [] })).status).toBe(403)
  })

  test('that are wrong are a fault of the server: nothing is charged, and no handler runs', async () => {
    const { key } = await create({ ...limited, scopes: ['*'] })
    const handler = vi.fn(hello)
    const wrong = [undefined, null, [], 'a', 5, {}, ['a b'], [['a']], { any: 'a' }, ['|', ')']]
    for (const value of wrong)
      await expectFault(untyped.withApiKey!(handler, { scopes: () => value }), { 'x-api-key': key })
    await expectFault(withApiKey(handler, { scopes: broken }), { 'x-api-key': key })
    // A path that is no scope.
    await expectFault(route.bind(null) as never, { 'x-api-key': key })
    expect(handler).not.toHaveBeenCalled()
    expect(await left(key)).toBe(100)
  })

  test('are not asked for without a key', async () => {
    const scopes = vi.fn(broken)
    expectFailure(await ask(withApiKey(hello, { scopes })), 401, 'MISSING_KEY')
    expect(scopes).not.toHaveBeenCalled()
  })

  test('that throw a signal of Next.js hand it on', async () => {
    const { key } = await create()
    for (const options of [{ scopes: signalled }, { cost: signalled }])
      await expect(ask(withApiKey(hello, options), { 'x-api-key': key })).rejects.toBe(signal)
  })
})

test('a polluted prototype adds nothing where functions say what is required', async () => {
  const { key } = await create({ ...limited, scopes: ['a'] })
  const route = withApiKey(hello, { scopes: () => ['a'] })
  const polluted = Object.prototype as Record<string, unknown>
  const fields = { cost: 0, audience: 'other', tag: 'other', scopes: '', head: '#other\n' }
  for (const [name, value] of Object.entries(fields)) {
    const before = await left(key)
    polluted[name] = value
    try {
      expect((await ask(route, { 'x-api-key': key })).status, name).toBe(200)
    } finally {
      delete polluted[name]
    }
    expect(await left(key), name).toBe(before - 1)
  }
})

test('a cost that throws is a fault of the server, whatever it throws', async () => {
  const { key } = await create(limited)
  const handler = vi.fn(hello)
  const fault = await createApiKey({} as never).catch((fault: unknown) => fault)
  for (const thrown of [new Error('broken'), fault, 'text', undefined])
    for (const cost of [
      () => Promise.reject(thrown),
      (): never => {
        throw thrown
      },
    ])
      await expectFault(withApiKey(handler, { cost }), { 'x-api-key': key })
  expect(handler).not.toHaveBeenCalled()
  expect(await left(key)).toBe(100)
})
