import { beforeAll, describe, expect, test, vi } from 'vitest'
import { addon } from '../support/addon.js'
import { ask, hello, HOST, next } from '../support/next.js'
import { useAddon } from '../support/use-addon.js'

const { createAdminToken, createApiKey } = addon
const { apiKeyRoutes, clientRoutes, presentedKeyRoutes, withAdminAuth, withApiKey } = next

useAddon({ jwtSecret: 'the secret of the problems, of 32 bytes or more' })

const PROBLEM = 'application/problem+json'
let key: string
let limited: string
let token: string
beforeAll(async () => {
  key = (await createApiKey({ name: 'n', clientId: 'c', scopes: ['a'] })).key
  limited = (await createApiKey({ name: 'n', clientId: 'c', rateLimit: 1 })).key
  token = (await createAdminToken({ name: 'Ops', permissions: ['*'] })).token
})

const { GET, POST } = apiKeyRoutes()
const scoped = withApiKey(hello, { scopes: ['a', 'b', 'b'] })
const broken = withApiKey(hello, {
  cost: () => {
    throw new Error('broken')
  },
})
type Sent = Record<string, string>
const posted = async (request: Request): Promise<Response> =>
  POST(new Request(request, { method: 'POST', body: '{"name":5}' }))

/** Each route, what is sent to it, and the answer. */
const failures: [string, (request: Request) => Promise<Response>, () => Sent, object][] = [
  ['a guard without a key', withApiKey(hello), () => ({}), { status: 401, code: 'MISSING_KEY' }],
  [
    'a guard with two',
    withApiKey(hello),
    () => ({ 'x-api-key': 'a', authorization: 'Bearer b' }),
    { status: 401, code: 'AMBIGUOUS_KEY' },
  ],
  [
    'a guard of scopes',
    scoped,
    () => ({ 'x-api-key': key }),
    { status: 403, code: 'INSUFFICIENT_SCOPE' },
  ],
  ['a guard that fails', broken, () => ({ 'x-api-key': key }), { status: 500, code: 'INTERNAL' }],
  [
    'a guard with a cost that no limit has',
    withApiKey(hello, { cost: 5 }),
    () => ({ 'x-api-key': limited }),
    { status: 429, code: 'RATE_LIMITED' },
  ],
  [
    'a handler that throws an error of the package',
    withApiKey(() => createApiKey({} as never) as never),
    () => ({ 'x-api-key': key }),
    { status: 400, code: 'INVALID_INPUT' },
  ],
  ['a guard of admins', withAdminAuth(hello), () => ({}), { status: 401, code: 'MISSING_TOKEN' }],
  [
    'a wrong admin token',
    withAdminAuth(hello),
    () => ({ 'x-admin-token': 'x' }),
    { status: 401, code: 'INVALID_TOKEN' },
  ],
  ['a list of keys', GET, () => ({}), { status: 401, code: 'MISSING_TOKEN' }],
  [
    'a wrong body',
    posted,
    () => ({ 'x-admin-token': token }),
    { status: 400, code: 'INVALID_INPUT' },
  ],
  [
    'a missing id',
    clientRoutes().DELETE,
    () => ({ 'x-admin-token': token }),
    { status: 400, code: 'INVALID_INPUT' },
  ],
  [
    'a presented key',
    presentedKeyRoutes().DELETE,
    () => ({ 'x-api-key': 'x' }),
    { status: 401, code: 'INVALID_KEY' },
  ],
]
const titles: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
}

describe.each(failures)('%s', (_what, route, sent, { status, code }: any) => {
  test('is answered as a problem where Accept names it, and as ever otherwise', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {})
    const plain = await ask(route, sent())
    expect(plain).toMatchObject({ status, body: { code } })
    expect(plain.headers).toMatchObject({ 'content-type': 'application/json', vary: 'Accept' })
    const problem = await ask(route, { ...sent(), accept: PROBLEM })
    expect(problem).toMatchObject({ status, headers: { 'content-type': PROBLEM, vary: 'Accept' } })
    const { error, ...members } = plain.body
    expect(JSON.parse(problem.body)).toEqual({
      type: 'about:blank',
      title: titles[status],
      status,
      detail: error,
      ...members,
    })
    for (const name of ['www-authenticate', 'cache-control', 'ratelimit-policy'])
      expect(problem.headers[name]).toEqual(plain.headers[name])
    vi.restoreAllMocks()
  })
})

test('missing scopes are a member of the problem', async () => {
  const { body } = await ask(scoped, { 'x-api-key': key, accept: PROBLEM })
  expect(JSON.parse(body)).toMatchObject({ code: 'INSUFFICIENT_SCOPE', missingScopes: ['b'] })
})

test.each([
  [PROBLEM, true],
  ['Application/Problem+JSON', true],
  [`text/html, ${PROBLEM};q=0.1`, true],
  [`application/json,${PROBLEM} ; charset=utf-8 ; q=0.001`, true],
  [`${PROBLEM};q=1`, true],
  [`${PROBLEM};q=0`, false],
  [`${PROBLEM}; Q=0.000, */*`, false],
  [`${PROBLEM} ;q = 0.`, false],
  ['application/json', false],
  ['application/*', false],
  ['*/*', false],
  ['application/problem', false],
  ['application/problem+xml', false],
  [`x${PROBLEM}`, false],
  ['', false],
  [`${','.repeat(15_000)}`, false],
])('Accept: %s', async (accept, isProblem) => {
  const { headers } = await ask(withApiKey(hello), { accept })
  expect(headers['content-type']).toBe(isProblem ? PROBLEM : 'application/json')
})

test('a success is the same for all, and so is a response of the app', async () => {
  const own = withApiKey(hello, { onRefused: () => Response.json({}, { status: 401 }) })
  for (const [route, headers] of [
    [withApiKey(hello), { 'x-api-key': key, accept: PROBLEM }],
    [own, { accept: PROBLEM }],
  ] as const) {
    const answer = await ask(route, headers)
    expect(answer.headers['content-type']).toBe('application/json')
    expect(answer.headers).not.toHaveProperty('vary')
  }
})

test('HEAD has the headers of a problem, and no body', async () => {
  const request = new Request(HOST, { method: 'HEAD', headers: { accept: PROBLEM } })
  const response = await withApiKey(hello)(request)
  expect([response.status, response.headers.get('content-type')]).toEqual([401, PROBLEM])
  expect(await response.text()).toBe('')
})
