import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { rolldown } from 'rolldown'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { addon } from '../support/addon.js'
import { root } from '../support/child.js'
import { claimsOf } from '../support/jwt.js'
import { useAddon } from '../support/use-addon.js'
import { createTokenVerifier, derived, headerOf, jwks, jwtSecret } from './support.js'

useAddon({ jwtSecret })

let id: string
let key: string
let token: string
beforeAll(async () => {
  ;({ id, key } = await addon.createApiKey({
    name: 'Key',
    clientId: 'acme',
    scopes: ['docs:*', 'project:*:read', 'search'],
  }))
  token = await derived(key)
})

// A server of the public keys and of the list, which may fail.
let server: Server
let asked: Record<string, number>
let served: Record<string, unknown>
let status: number
beforeAll(async () => {
  server = createServer((request, response) => {
    const { url } = request
    asked[url!] = (asked[url!] ?? 0) + 1
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(typeof served[url!] === 'string' ? served[url!] : JSON.stringify(served[url!]))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(() => void server.close())
beforeEach(async () => {
  asked = {}
  served = { '/jwks': await jwks(), '/revoked': { revoked: [] } }
  status = 200
})
afterEach(() => void vi.useRealTimers())

const at = (place: string): string =>
  `http://127.0.0.1:${(server.address() as AddressInfo).port}${place}`

/** Moves the clock, by which the verifier decides what to fetch. */
const pass = (ms: number): void => {
  const now = Date.now() + ms
  vi.useFakeTimers({ toFake: ['Date'], now })
}

test('a token is answered with what it says', async () => {
  const { verify } = createTokenVerifier({ jwks: await jwks() })
  const claims = claimsOf(token)
  expect(await verify(token)).toEqual({
    valid: true,
    code: 'VALID',
    keyId: id,
    clientId: 'acme',
    scopes: ['docs:*', 'project:*:read', 'search'],
    claims,
    expiresAt: new Date((claims.exp as number) * 1000),
  })
})

test('it is for its audience alone', async () => {
  const forBilling = await derived(key, { audience: 'billing' })
  const keys = await jwks()
  const [billing, other, any] = ['billing', 'other', undefined].map((audience) =>
    createTokenVerifier({ jwks: keys, audience }),
  )
  expect((await billing!.verify(forBilling)).code).toBe('VALID')
  expect((await billing!.verify(token)).code).toBe('INVALID_KEY')
  expect((await other!.verify(forBilling)).code).toBe('INVALID_KEY')
  expect((await any!.verify(forBilling)).code).toBe('INVALID_KEY')
})

describe('the scopes that are asked for', () => {
  const held: [unknown, string[] | undefined][] = [
    [[], undefined],
    [['docs:read', 'search'], undefined],
    [['docs:read:own', 'project:7:read'], undefined],
    [['docs', 'docs:'], ['docs']],
    [
      ['project:7:write', 'project:7'],
      ['project:7:write', 'project:7'],
    ],
    [
      ['billing', 'search', 'billing', 'mail'],
      ['billing', 'mail'],
    ],
    [['project::read'], ['project::read']],
    [['*'], ['*']],
    [{ all: [] }, undefined],
    [{ any: [] }, []],
    [{ any: ['billing', 'search'] }, undefined],
    [{ any: ['billing', { all: ['search', 'mail'] }] }, ['billing', 'mail']],
    [[{ any: ['search'] }, { all: ['docs:x'] }], undefined],
  ]
  test.each(held)('%j are held, or %j are missing', async (scopes, missing) => {
    const { verify } = createTokenVerifier({ jwks: await jwks() })
    const answer = await verify(token, { scopes: scopes as never })
    if (missing === undefined) expect(answer.code).toBe('VALID')
    else
      expect(answer).toEqual({
        valid: false,
        code: 'INSUFFICIENT_SCOPE',
        status: 403,
        message: 'API key lacks a required scope',
        missingScopes: missing,
        keyId: id,
      })
  })

  const deep = (levels: number): unknown =>
    Array.from({ length: levels }).reduce((part) => ({ all: [part] }), 'search' as unknown)
  test.each([
    'search',
    7,
    true,
    {},
    { any: 'search' },
    { all: [], any: [] },
    { none: [] },
    [7],
    [null],
    [''],
    ['a b'],
    [['search']],
    [{ __proto__: { all: [] } }],
    deep(100),
  ])('that are none, as %j, are INVALID_INPUT', async (scopes) => {
    const { verify } = createTokenVerifier({ jwks: await jwks() })
    expect(await verify(token, { scopes: scopes as never })).toMatchObject({
      valid: false,
      code: 'INVALID_INPUT',
      status: 500,
    })
    expect(await verify(token, { scope: ['docs:read'] } as never)).toMatchObject({
      code: 'INVALID_INPUT',
    })
    expect(await verify(token, { scopes: deep(20) as never })).toMatchObject({ valid: true })
  })
})

test('nothing throws, whatever is presented', async () => {
  const { verify } = createTokenVerifier({ jwks: await jwks() })
  const hostile = new Proxy(
    {},
    {
      get: () => {
        throw new Error()
      },
      ownKeys: () => {
        throw new Error()
      },
    },
  )
  for (const missing of [undefined, null, ''])
    expect(await verify(missing)).toMatchObject({ code: 'MISSING_KEY', status: 401 })
  for (const junk of [
    0,
    7,
    {},
    [token],
    hostile,
    Symbol('x'),
    7n,
    () => {},
    'x',
    '..',
    'a.b.c',
    'é'.repeat(9_000),
  ])
    expect(await verify(junk as never)).toMatchObject({ code: 'INVALID_KEY' })
  expect(await verify(token, hostile as never)).toMatchObject({ code: 'INVALID_INPUT' })
  expect(await verify(token, null as never)).toMatchObject({ valid: true })
})

test('wrong options throw when the verifier is made', async () => {
  const keys = await jwks()
  for (const options of [
    undefined,
    null,
    {},
    { jwks: 7 },
    { jwks: {} },
    { jwks: keys, audience: '' },
    { jwks: keys, audience: ['a'] },
    { jwks: keys, revoked: {} },
    { jwks: keys, issuer: 'x' },
    Object.create({ jwks: keys }),
  ])
    expect(() => createTokenVerifier(options as never)).toThrow(TypeError)
})

describe('the public keys of a URL', () => {
  test('are fetched once for many tokens, and again after 5 minutes', async () => {
    const { verify } = createTokenVerifier({ jwks: new URL(at('/jwks')) })
    const answers = await Promise.all(Array.from({ length: 20 }, () => verify(token)))
    expect(answers.every(({ valid }) => valid)).toBe(true)
    await verify(token)
    expect(asked).toEqual({ '/jwks': 1 })
    pass(299_000)
    await verify(token)
    expect(asked).toEqual({ '/jwks': 1 })
    pass(2_000)
    await verify(token)
    expect(asked).toEqual({ '/jwks': 2 })
  })

  test('are fetched again for a key that is unknown, at most once in 30 seconds', async () => {
    const all = await jwks()
    served['/jwks'] = { keys: [] }
    const { verify } = createTokenVerifier({ jwks: at('/jwks') })
    for (let i = 0; i < 5; i++) expect((await verify(token)).code).toBe('INVALID_KEY')
    expect(asked).toEqual({ '/jwks': 1 })
    served['/jwks'] = all
    pass(29_000)
    expect((await verify(token)).code).toBe('INVALID_KEY')
    pass(2_000)
    expect((await verify(token)).code).toBe('VALID')
    expect(asked).toEqual({ '/jwks': 2 })
    const [head, ...rest] = token.split('.')
    const unknown = Buffer.from(head!, 'base64url')
      .toString()
      .replace(headerOf(token).kid as string, '00000000-0000-4000-8000-000000000000')
    const forged = [Buffer.from(unknown).toString('base64url'), ...rest].join('.')
    for (let i = 0; i < 5; i++) expect((await verify(forged)).code).toBe('INVALID_KEY')
    expect(asked).toEqual({ '/jwks': 2 })
  })

  test('that cannot be fetched are UNAVAILABLE, until they can; those that were go on', async () => {
    const { verify } = createTokenVerifier({ jwks: at('/jwks') })
    status = 500
    const unavailable = { valid: false, code: 'UNAVAILABLE', status: 503 }
    expect(await verify(token)).toMatchObject(unavailable)
    status = 200
    served['/jwks'] = 'no JSON'
    pass(1_100)
    expect(await verify(token)).toMatchObject(unavailable)
    served['/jwks'] = await jwks()
    pass(1_100)
    expect(await verify(token)).toMatchObject({ valid: true })
    status = 500
    const short = await derived(key, { ttlSeconds: 86_400 })
    pass(301_000)
    expect(await verify(short)).toMatchObject({ valid: true })
    const nowhere = createTokenVerifier({ jwks: 'http://127.0.0.1:1/' })
    expect(await nowhere.verify(token)).toMatchObject(unavailable)
    const nothing = createTokenVerifier({ jwks: 'no URL' })
    expect(await nothing.verify(token)).toMatchObject(unavailable)
  })
})

describe('the revoked keys', () => {
  test('are those of a list', async () => {
    const { verify } = createTokenVerifier({ jwks: await jwks(), revoked: [id] })
    expect(await verify(token)).toEqual({
      valid: false,
      code: 'REVOKED',
      status: 401,
      message: 'Invalid API key',
      keyId: id,
    })
  })

  test('of a URL are fetched at most once a second', async () => {
    const { verify } = createTokenVerifier({ jwks: await jwks(), revoked: at('/revoked') })
    await Promise.all(Array.from({ length: 20 }, () => verify(token)))
    expect(asked).toEqual({ '/revoked': 1 })
    served['/revoked'] = { revoked: [id] }
    pass(1_100)
    expect((await verify(token)).code).toBe('REVOKED')
    served['/revoked'] = { revoked: [] }
    pass(1_100)
    expect((await verify(token)).code).toBe('VALID')
  })

  test('that cannot be fetched are those of the last list for 30 seconds, and then nobody is let in', async () => {
    const { verify } = createTokenVerifier({ jwks: await jwks(), revoked: at('/revoked') })
    status = 503
    expect(await verify(token)).toMatchObject({ code: 'UNAVAILABLE', status: 503 })
    status = 200
    pass(1_100)
    expect((await verify(token)).code).toBe('VALID')
    status = 503
    pass(29_000)
    expect((await verify(token)).code).toBe('VALID')
    pass(2_000)
    expect((await verify(token)).code).toBe('UNAVAILABLE')
  })
})

describe('the list of a URL', () => {
  // Such as the answer of a proxy in front of the app, with a status as if nothing had happened.
  test.each(['{}', '[]', '{"error":"not now"}', '{"revoked":null}', '{"revoked":"none"}', 'null'])(
    'that answers %s lets nobody in, and does not replace the last one',
    async (answer) => {
      const { verify } = createTokenVerifier({ jwks: await jwks(), revoked: at('/revoked') })
      served['/revoked'] = answer
      expect((await verify(token)).code).toBe('UNAVAILABLE')
      served['/revoked'] = { revoked: [id] }
      pass(1_100)
      expect((await verify(token)).code).toBe('REVOKED')
      served['/revoked'] = answer
      pass(1_100)
      expect((await verify(token)).code).toBe('REVOKED')
    },
  )

  test('is fetched again when the clock is set back', async () => {
    const { verify } = createTokenVerifier({ jwks: at('/jwks'), revoked: at('/revoked') })
    expect((await verify(token)).code).toBe('VALID')
    served['/revoked'] = { revoked: [id] }
    pass(-3_600_000)
    expect((await verify(token)).code).toBe('REVOKED')
    status = 503
    pass(-3_600_000)
    expect((await verify(token)).code).toBe('UNAVAILABLE')
  })
})

test('it imports nothing, and takes at most 5,120 bytes bundled and minified', async () => {
  const file = path.join(root, 'lib/edge.js')
  expect(readFileSync(file, 'utf8')).not.toMatch(/\brequire\(|\bimport\b\s*[\w{*('"]/)
  const bundle = await rolldown({ input: file })
  const { output } = await bundle.generate({ format: 'esm', minify: true })
  await bundle.close()
  expect(output).toHaveLength(1)
  const bytes = Buffer.byteLength(output[0].code)
  console.log(`the verifier of the edge: ${bytes} bytes`)
  expect(bytes).toBeLessThanOrEqual(5_120)
})
