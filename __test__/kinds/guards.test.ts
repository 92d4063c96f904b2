import { afterAll, describe, expect, test, vi } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { runScript } from '../support/child.js'
import { ask, expectFailure, hello, HOST, next, read, untyped } from '../support/next.js'
import { useSetting } from '../support/setting.js'

// The guard of a route: which kinds and environments it takes, and what it tells browsers.

const { withApiKey } = next

const setting = useSetting({
  kinds: { secret: { prefix: 'sk' }, publishable: { prefix: 'pk' } },
  environment: ['live', 'test'],
})
afterAll(() => vi.restoreAllMocks())

type Fields = Partial<Parameters<typeof addon.createApiKey>[0]>
const keyWith = async (fields: Fields = {}): Promise<string> =>
  (await addon.createApiKey({ name: 'Key', clientId: 'acme', ...fields })).key

const page = 'https://app.example.com'
const publishable: Fields = { kind: 'publishable', origins: [page] }

test.each([
  [{}, ['secret live', 'secret test']],
  [{ kinds: ['secret'] }, ['secret live', 'secret test']],
  [{ kinds: ['publishable'] }, ['publishable live', 'publishable test']],
  [
    { kinds: ['secret', 'publishable'], environments: ['live'] },
    ['secret live', 'publishable live'],
  ],
  [{ environments: ['test'] }, ['secret test']],
  [{ environments: ['live', 'test'] }, ['secret live', 'secret test']],
] as [object, string[]][])('%j takes %j', async (options, taken) => {
  const route = withApiKey(hello, options)
  for (const kind of ['secret', 'publishable'])
    for (const environment of ['live', 'test'] as const) {
      const key = await keyWith({ kind, environment })
      const isKind = taken.some((one) => one.startsWith(kind))
      for (let round = 0; round < 2; round++) {
        const answer = await ask(route, { 'x-api-key': key })
        if (taken.includes(`${kind} ${environment}`)) expect(answer.status).toBe(200)
        else expectWrong(answer, isKind ? 'WRONG_ENVIRONMENT' : 'WRONG_KIND')
        await addon.verifyApiKey(key)
      }
    }
})

function expectWrong(answer: Awaited<ReturnType<typeof ask>>, code: string): void {
  expect(answer).toMatchObject({ status: 401, body: { code } })
  expect(answer.headers['www-authenticate']).toBe('Bearer realm="API", error="invalid_token"')
}

test('the wrong kind costs no statement', async () => {
  const route = withApiKey(hello)
  const [key] = await setting.coldKeys(1, { kind: 'publishable' })
  const cost = await setting.cost(async () => {
    for (let round = 0; round < 20; round++)
      expectWrong(await ask(route, { 'x-api-key': key!.key }), 'WRONG_KIND')
  })
  expect(cost).toEqual({ selects: 0, hashes: 0, statements: [] })
})

test('options stay as they were when the guard was made', async () => {
  const kinds = ['publishable']
  const route = withApiKey(hello, { kinds, scopes: () => ['docs:read'] })
  kinds[0] = 'secret'
  const key = await keyWith({ ...publishable, scopes: ['docs:read'] })
  expect((await ask(route, { 'x-api-key': key })).status).toBe(200)
})

test.each([
  [{ kinds: [] }, /'kinds' has a wrong value: it must not be empty/],
  [{ kinds: ['other'] }, /^withApiKey: A guard names the kind other, which is not configured$/],
  [{ kinds: ['secret', 'other'], environments: ['test'], scopes: ['docs:read'] }, /kind other/],
  [{ kinds: 'secret' }, /'kinds' has a wrong value: it must be an array/],
  [{ kinds: null }, /'kinds' has a wrong value/],
  [{ kinds: ['a,b'] }, /'kinds\[0\]' has a wrong value/],
  [{ environments: [] }, /'environments' has a wrong value: it must not be empty/],
  [{ environments: ['prod'] }, /'environments\[0\]' has a wrong value/],
])('%j throws when the guard is made', (options, message) => {
  const make = () => untyped.withApiKey!(hello, options)
  expect(make).toThrow(TypeError)
  expect(make).toThrow(message)
})

test('a kind that is not configured is found at the first request, where the guard was made before', async () => {
  const child = await runScript(`
    const { withApiKey } = require('./next.js')
    const { configure, createApiKey, close } = require('./index.js')
    const route = withApiKey(() => new Response('passed'), { kinds: ['other'] })
    configure(${JSON.stringify({ databaseUrl: setting.tap.url, ...cheapHashing })})
    const { key } = await createApiKey({ name: 'Key', clientId: 'acme' })
    console.error = (error) => report([error.code, error.message])
    for (let round = 0; round < 2; round++) {
      const response = await route(new Request('${HOST}', { headers: { 'x-api-key': key } }))
      report([response.status, (await response.json()).code])
    }
    await close()
  `)
  const problem = ['CONFIGURATION', 'A guard names the kind other, which is not configured']
  const answer = [500, 'CONFIGURATION']
  expect(child.reports).toEqual([problem, answer, problem, answer])
})

describe('a guard of publishable keys', () => {
  const route = withApiKey(
    () => Response.json({ hello: true }, { headers: { vary: 'Accept-Language' } }),
    { kinds: ['publishable'] },
  )
  const from = (origin: string, headers: object = {}, method = 'GET'): Promise<Response> =>
    route(new Request(HOST, { method, headers: { origin, ...headers } as never }))
  const preflighted = { 'access-control-request-method': 'POST' }

  test('answers a preflight request without a key, and asks nothing of the database', async () => {
    let response: Response
    const cost = await setting.cost(async () => {
      response = await from(
        page,
        { ...preflighted, 'access-control-request-headers': 'X-A,x-b' },
        'OPTIONS',
      )
    })
    expect(cost).toEqual({ selects: 0, hashes: 0, statements: [] })
    expect(response!.status).toBe(204)
    expect(await response!.text()).toBe('')
    expect(Object.fromEntries(response!.headers)).toEqual({
      'access-control-allow-origin': page,
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'x-api-key, authorization, content-type, x-a, x-b',
      'access-control-max-age': '600',
      'cache-control': 'no-store',
      vary: 'Access-Control-Request-Method, Access-Control-Request-Headers, Origin',
    })
  })

  test.each([
    ['GET', { ...preflighted, origin: page }],
    ['OPTIONS', { origin: page }],
    ['OPTIONS', preflighted],
  ])('takes %s %j for no preflight request', async (method, headers) => {
    const answer = await read(await route(new Request(HOST, { method, headers: headers as never })))
    expect(answer).toMatchObject({ status: 401, body: { code: 'MISSING_KEY' } })
  })

  test('repeats nothing that is no name', async () => {
    const headers = {
      'access-control-request-method': 'a b',
      'access-control-request-headers': `x y, "q", ${'a'.repeat(65)}, ok, ${Array.from({ length: 99 }, (_, at) => `h${at}`)}`,
    }
    const response = await from(page, headers, 'OPTIONS')
    expect(response.headers.has('access-control-allow-methods')).toBe(false)
    const names = response.headers.get('access-control-allow-headers')!.split(', ')
    expect(names.slice(0, 4)).toEqual(['x-api-key', 'authorization', 'content-type', 'ok'])
    expect(names).toHaveLength(53)
  })

  test('tells pages of the right origin that they may read the answer', async () => {
    const key = await keyWith(publishable)
    for (let round = 0; round < 2; round++) {
      const { status, headers } = await from(page, { 'x-api-key': key })
      expect(status).toBe(200)
      expect(headers.get('access-control-allow-origin')).toBe(page)
      expect(headers.get('vary')).toBe('Accept-Language, Origin')
      expect(headers.has('access-control-allow-credentials')).toBe(false)
    }
    const plain = await ask(route, { 'x-api-key': key })
    expect(plain.status).toBe(200)
    expect(plain.headers).not.toHaveProperty('access-control-allow-origin')
  })

  test('varies by the origin where there is none, so that caches keep no answer for pages', async () => {
    const key = await keyWith(publishable)
    for (const headers of [{ 'x-api-key': key }, {}] as Record<string, string>[]) {
      const answer = await ask(route, headers)
      expect(answer.headers.vary).toMatch(/, Origin$/)
      expect(answer.headers).not.toHaveProperty('access-control-allow-origin')
    }
  })

  test('varies by no more when the app sends the same response again', async () => {
    const key = await keyWith(publishable)
    const empty = new Response(null, { status: 204, headers: { vary: 'origin' } })
    const again = withApiKey(() => empty, { kinds: ['publishable'] })
    for (let round = 0; round < 3; round++) {
      const answer = await ask(again, { 'x-api-key': key, origin: page })
      expect(answer.headers).toMatchObject({ 'access-control-allow-origin': page, vary: 'origin' })
    }
  })

  test('lets pages read what an ApiKeyError of the handler becomes', async () => {
    const fails = withApiKey(
      async () => {
        await addon.patchApiKey({ id: 'unknown', name: 'Name' })
        return hello()
      },
      { kinds: ['publishable'] },
    )
    const answer = await ask(fails, { 'x-api-key': await keyWith(publishable), origin: page })
    expect(answer).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } })
    expect(answer.headers['access-control-allow-origin']).toBe(page)
    expect(answer.headers.vary).toBe('Accept, Origin')
  })

  test('leaves it to the app who may read its answer to a refusal, if it says so', async () => {
    const headers = { 'access-control-allow-origin': 'https://docs.example.com' }
    const onRefused = () => new Response('no', { status: 418, headers })
    const own = withApiKey(hello, { kinds: ['publishable'], onRefused })
    const answer = await ask(own, { origin: page })
    expect(answer).toMatchObject({ status: 418, headers: { ...headers, vary: 'Origin' } })
  })

  test('tells others nothing', async () => {
    const key = await keyWith(publishable)
    const long = `https://${'a'.repeat(100_000)}.example.com`
    for (const origin of ['https://evil.example', 'null', 'https://app.example.com:8443', long])
      for (let round = 0; round < 2; round++) {
        const answer = await read(await from(origin, { 'x-api-key': key }))
        expectFailure(answer, 403, 'ORIGIN_NOT_ALLOWED', 'Origin not allowed for this API key')
        expect(answer.headers).not.toHaveProperty('access-control-allow-origin')
      }
  })

  test('lets pages read other refusals, also in the form of problems', async () => {
    const key = await keyWith({ ...publishable, rateLimit: 1, rateLimitWindowSeconds: 86_400 })
    expect((await from(page, { 'x-api-key': key })).status).toBe(200)
    const refused = await from(page, { 'x-api-key': key, accept: 'application/problem+json' })
    expect(refused.status).toBe(429)
    expect(refused.headers.get('access-control-allow-origin')).toBe(page)
    expect(refused.headers.get('vary')).toBe('Accept, Origin')
  })

  test('lets pages read what the app answers to a refusal', async () => {
    const onRefused = () =>
      new Response('no', { status: 418, headers: { vary: 'Accept-Language' } })
    const own = withApiKey(hello, { kinds: ['publishable'], onRefused })
    const response = await own(new Request(HOST, { headers: { origin: page } }))
    expect(response.status).toBe(418)
    expect(response.headers.get('access-control-allow-origin')).toBe(page)
    expect(response.headers.get('vary')).toBe('Accept-Language, Origin')
  })

  test('one that takes no publishable keys says nothing of origins', async () => {
    const secret = withApiKey(hello)
    const headers = { 'x-api-key': await keyWith(), origin: page }
    const answer = await ask(secret, headers)
    expect(answer.status).toBe(200)
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin')
    const preflight = new Request(HOST, {
      method: 'OPTIONS',
      headers: { ...preflighted, origin: page },
    })
    expect((await secret(preflight)).status).toBe(401)
  })
})
