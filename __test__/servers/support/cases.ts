import { expect, vi } from 'vitest'
import { addon, cheapHashing } from '../../support/addon.js'
import { freshDatabase, type Database } from '../../support/database.js'
import { eventually } from '../../support/eventually.js'
import { expectFailure, read, secondsIn, type Answer } from '../../support/next.js'
import { startPeer, type Peer } from '../../support/peer.js'
import { startProxy, type Proxy } from '../../support/proxy.js'
import type { Framework, Server } from './framework.js'

type Fields = Partial<Parameters<typeof addon.createApiKey>[0]>
type Options = NonNullable<Parameters<typeof addon.configure>[0]>

/** A database that this process reaches through a proxy, and another process that makes keys which this one has never seen. */
export interface Backend {
  proxy: Proxy
  coldKey(fields?: Fields): Promise<string>
  /** Settles when this process knows of everything that was committed before. */
  caughtUp(): Promise<void>
  /** Starts the addon of this process anew. */
  configure(options: Options): Promise<void>
  close(): Promise<void>
}

const kinds = { secret: { prefix: 'sophra' }, publishable: { prefix: 'page' } }

export async function startBackend(): Promise<Backend> {
  const database: Database = await freshDatabase()
  const proxy = await startProxy(database.url)
  // The cases do not tell an overloaded machine from one whose database is away.
  const patience = { statementTimeoutMs: 10_000 }
  const settings = { suspensionSeconds: 0, throttle: 0, kinds, ...patience, ...cheapHashing }
  addon.configure({ databaseUrl: proxy.url, ...settings })
  await addon.migrate()
  const peer: Peer = await startPeer({ databaseUrl: database.url, ...settings })
  return {
    proxy,
    coldKey: (fields = {}) =>
      peer.run(async ({ api }, fields) => {
        const given = { name: 'Key', clientId: 'acme', scopes: ['docs:read'], ...fields }
        return (await api.createApiKey(given)).key
      }, fields),
    caughtUp: async () => {
      const start = performance.now()
      await eventually(async () => {
        const passed = performance.now() - start
        expect((await addon.health()).staleForMs).toBeLessThan(passed)
      })
    },
    configure: async (options) => {
      // It rejects after an outage: uses could not be stored.
      await addon.close().catch(() => {})
      addon.configure({ databaseUrl: proxy.url, ...settings, ...options })
    },
    close: async () => {
      await peer.stop()
      await addon.close()
      await proxy.close()
      await database.drop()
    },
  }
}

/** What a case has at hand. */
export interface Bench extends Backend {
  framework: Framework
  server: Server
}

export interface Case {
  /** What the table in the docs calls it. */
  name: string
  run(bench: Bench): Promise<void>
}

const perDay = (rateLimit: number): Fields => ({ rateLimit, rateLimitWindowSeconds: 86_400 })

export async function ask(
  { server }: Bench,
  path: string,
  key?: string,
  init: RequestInit & { headers?: Record<string, string> } = {},
): Promise<Answer> {
  const headers = { ...(key === undefined ? {} : { 'x-api-key': key }), ...init.headers }
  return read(await fetch(server.url + path, { ...init, headers }))
}

/** What a browser asks for in a preflight request. */
const wanted = {
  'access-control-request-method': 'GET',
  'access-control-request-headers': 'x-trace, x-api-key',
}

const left = async (key: string): Promise<number | undefined> =>
  (await addon.verifyApiKey(key, { peek: true })).rateLimit?.remaining

export const cases: Case[] = [
  {
    name: 'valid key',
    async run(bench) {
      const key = await bench.coldKey()
      const table: Record<string, string>[] = [
        { 'x-api-key': key },
        { authorization: `Bearer ${key}` },
        { authorization: `bearer   ${key}` },
      ]
      for (const headers of table) {
        const answer = await ask(bench, '/documents', undefined, { headers })
        expect(answer).toMatchObject({ status: 200, body: { hello: 'acme' } })
        expect(answer.headers).toMatchObject({ 'cache-control': 'no-store' })
        expect(answer.headers).not.toHaveProperty('ratelimit')
      }
      const cached = await ask(bench, '/cached', key)
      expect(cached.headers).toMatchObject({ 'cache-control': 'private, max-age=60' })
    },
  },
  {
    name: 'missing key',
    async run(bench) {
      const answer = await ask(bench, '/documents')
      expectFailure(answer, 401, 'MISSING_KEY')
      expect(answer.body.hint).toBe('Send x-api-key: <key>, or Authorization: Bearer <key>')
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="API"')
      const basic = { authorization: 'Basic dTpw' }
      expectFailure(
        await ask(bench, '/documents', undefined, { headers: basic }),
        401,
        'MISSING_KEY',
      )
    },
  },
  {
    name: 'wrong key',
    async run(bench) {
      const answer = await ask(bench, '/documents', 'made up')
      expectFailure(answer, 401, 'INVALID_KEY', 'Invalid API key')
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="API", error="invalid_token"')
    },
  },
  {
    name: 'revoked key',
    async run(bench) {
      const { id, key } = await addon.createApiKey({ name: 'Key', clientId: 'acme' })
      expect((await ask(bench, '/cached', key)).status).toBe(200)
      await addon.revokeApiKey({ id })
      expectFailure(await ask(bench, '/cached', key), 401, 'REVOKED')
    },
  },
  {
    name: 'missing scope',
    async run(bench) {
      const key = await bench.coldKey({ scopes: ['docs:write'] })
      expectFailure(await ask(bench, '/documents', key), 403, 'INSUFFICIENT_SCOPE')
    },
  },
  {
    name: 'pages of other origins',
    async run(bench) {
      const origin = 'https://app.example.com'
      const page = await bench.coldKey({ kind: 'publishable', origins: [origin] })
      const asked = { method: 'OPTIONS', headers: { origin, ...wanted } }
      const preflight = await ask(bench, '/page', undefined, asked)
      expect(preflight).toMatchObject({ status: 204, body: '' })
      expect(preflight.headers).toMatchObject({
        'access-control-allow-origin': origin,
        'access-control-allow-methods': 'GET',
        'access-control-allow-headers': 'x-api-key, authorization, content-type, x-trace',
      })
      expect(preflight.headers.vary).toMatch(/Origin/)
      for (const key of [page, await bench.coldKey()]) {
        const passed = await ask(bench, '/page', key, { headers: { origin } })
        expect(passed).toMatchObject({ status: 200, body: { hello: 'page' } })
        expect(passed.headers['access-control-allow-origin']).toBe(origin)
        expect(passed.headers).not.toHaveProperty('access-control-allow-credentials')
      }
      const elsewhere = { headers: { origin: 'https://evil.example' } }
      const refused = await ask(bench, '/page', page, elsewhere)
      expectFailure(refused, 403, 'ORIGIN_NOT_ALLOWED')
      expect(refused.headers).not.toHaveProperty('access-control-allow-origin')
      expect((await ask(bench, '/page', page)).status).toBe(200)
      const missing = await ask(bench, '/page', undefined, { headers: { origin } })
      expect(missing.headers).toMatchObject({ 'access-control-allow-origin': origin })
      expect(missing).toMatchObject({ status: 401, body: { code: 'MISSING_KEY' } })
      // A guard that names no kinds.
      expectFailure(await ask(bench, '/documents', page), 401, 'WRONG_KIND')
    },
  },
  {
    name: 'rate limit',
    async run(bench) {
      const key = await bench.coldKey(perDay(1))
      const passed = await ask(bench, '/documents', key)
      expect(passed.status).toBe(200)
      expect(passed.headers['ratelimit']).toMatch(/^"api-key";r=0;t=\d+$/)
      expect(passed.headers['ratelimit-policy']).toBe('"api-key";q=1;w=86400')
      const refused = await ask(bench, '/documents', key)
      expectFailure(refused, 429, 'RATE_LIMITED')
      expect(secondsIn(refused)).toBeGreaterThan(0)
      expect(refused.headers['ratelimit']).toMatch(/^"api-key";r=0;t=\d+$/)
    },
  },
  {
    name: 'database away',
    async run(bench) {
      const [warm, cold] = [await bench.coldKey(), await bench.coldKey()]
      await bench.caughtUp()
      expect((await ask(bench, '/documents', warm)).status).toBe(200)
      bench.proxy.cut()
      try {
        const answer = await ask(bench, '/documents', cold)
        expectFailure(answer, 503, 'DATABASE_UNAVAILABLE')
        expect(secondsIn(answer)).toBeGreaterThan(0)
        expect(JSON.stringify(answer)).not.toMatch(/postgres|127\.0\.0\.1/)
        expect((await ask(bench, '/documents', warm)).status).toBe(200)
      } finally {
        bench.proxy.mend()
        // The others do not wait until it has noticed.
        await bench.configure({})
      }
      expect((await ask(bench, '/documents', cold)).status).toBe(200)
    },
  },
  {
    name: 'forged X-Forwarded-For',
    async run(bench) {
      const headers = { 'x-forwarded-for': '10.1.2.3' }
      const here = await bench.coldKey({ allowedIps: ['127.0.0.1'] })
      expect((await ask(bench, '/documents', here, { headers })).status).toBe(200)
      const elsewhere = await bench.coldKey({ allowedIps: ['10.0.0.0/8'] })
      for (let verify = 0; verify < 2; verify++) {
        const answer = await ask(bench, '/documents', elsewhere, { headers })
        expectFailure(answer, 403, 'IP_NOT_ALLOWED')
      }
    },
  },
  {
    name: 'HEAD',
    async run(bench) {
      const key = await bench.coldKey()
      const passed = await ask(bench, '/documents', key, { method: 'HEAD' })
      expect(passed).toMatchObject({ status: 200, body: '' })
      const refused = await ask(bench, '/documents', undefined, { method: 'HEAD' })
      expect(refused).toMatchObject({ status: 401, body: '' })
      expect(refused.headers).toMatchObject({ 'cache-control': 'no-store' })
      expect(refused.headers).toHaveProperty('www-authenticate')
    },
  },
  {
    name: 'body unread',
    async run(bench) {
      const body = JSON.stringify({ text: 'x'.repeat(90_000) })
      const headers = { 'content-type': 'application/json' }
      const post = { method: 'POST', headers, body }
      // The guard waits for the database while the body arrives.
      const answer = await ask(bench, '/echo', await bench.coldKey(), post)
      expect(answer).toMatchObject({ status: 200, body: JSON.parse(body) })
      expectFailure(await ask(bench, '/echo', undefined, post), 401, 'MISSING_KEY')
    },
  },
  {
    name: 'error of the handler',
    async run(bench) {
      const log = vi.spyOn(console, 'error').mockImplementation(() => {})
      const [bare, guarded] = [
        await ask(bench, '/bare-fails'),
        await ask(bench, '/fails', await bench.coldKey()),
      ]
      expect(bare.status).toBe(500)
      expect(guarded.status).toBe(bare.status)
      expect(guarded.headers['content-type']).toBe(bare.headers['content-type'])
      log.mockRestore()
    },
  },
  {
    name: 'unknown option',
    async run({ framework }) {
      const wrong: [unknown, RegExp][] = [
        [{ scope: ['docs:read'] }, /'scope' is not a known option/],
        [{ scopes: ['a b'] }, /'scopes\[0\]' has a wrong value/],
        [null, /the options must be an object/],
      ]
      for (const [options, message] of wrong) {
        expect(() => framework.guard(options)).toThrow(TypeError)
        expect(() => framework.guard(options)).toThrow(message)
      }
    },
  },
  {
    name: 'unknown kind or scope',
    async run(bench) {
      const log = vi.spyOn(console, 'error').mockImplementation(() => {})
      const handle = () => ({ body: 'passed' })
      const wrong = {
        '/kind': { kinds: ['other'] },
        '/scope': { scopes: ['docs:raed'] },
        '/both': { kinds: ['other', 'secret'], environments: ['live'], scopes: ['docs:read'] },
      }
      const catalogue = { 'docs:read': {} }
      await bench.configure({ scopes: catalogue })
      for (const options of Object.values(wrong))
        expect(() => bench.framework.guard(options)).toThrow(TypeError)
      // Guards that are made before the options are known find out with the first request.
      await addon.close()
      const made = Object.entries(wrong).map(([path, options]) => ({ path, options, handle }))
      const server = await bench.framework.serve(
        made.map((route) => ({ ...route, method: 'get' as const })),
      )
      try {
        await bench.configure({ scopes: catalogue })
        for (const key of [await bench.coldKey(), undefined])
          for (const { path } of made)
            for (let round = 0; round < 2; round++)
              expectFailure(await ask({ ...bench, server }, path, key), 500, 'CONFIGURATION')
      } finally {
        await server.close()
        await bench.configure({})
        log.mockRestore()
      }
    },
  },
  {
    name: 'problem details',
    async run(bench) {
      const headers = { accept: 'application/problem+json' }
      const answer = await ask(bench, '/documents', undefined, { headers })
      expect(answer.status).toBe(401)
      expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
      expect(answer.headers['vary']).toMatch('Accept')
      expect(JSON.parse(answer.body)).toMatchObject({ status: 401, code: 'MISSING_KEY' })
    },
  },
  {
    name: '`optional`',
    async run(bench) {
      const none = await ask(bench, '/optional')
      expect(none).toMatchObject({ status: 200, body: { hello: null } })
      const some = await ask(bench, '/optional', await bench.coldKey())
      expect(some).toMatchObject({ status: 200, body: { hello: 'acme' } })
      expectFailure(await ask(bench, '/optional', 'made up'), 401, 'INVALID_KEY')
    },
  },
  {
    name: '`getKey` and `onRefused`',
    async run(bench) {
      const response = await fetch(`${bench.server.url}/own`, {
        headers: { 'x-api-key': 'unread' },
      })
      const { status, headers } = response
      expect({ status, body: await response.text() }).toEqual({
        status: 418,
        body: '<h1>MISSING_KEY</h1>',
      })
      expect(headers.get('content-type')).toMatch(/^text\/html/)
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    },
  },
  {
    name: '`cost` and `settle`',
    async run(bench) {
      const key = await bench.coldKey(perDay(10))
      const answer = await ask(bench, '/settles', key)
      expect(answer).toMatchObject({ status: 200, body: [true, false] })
      expect(answer.headers['ratelimit']).toMatch(/^"api-key";r=5;t=\d+$/)
      expect(await left(key)).toBe(8)
    },
  },
  {
    name: '`refundOn`',
    async run(bench) {
      const key = await bench.coldKey(perDay(10))
      expect((await ask(bench, '/unavailable', key)).status).toBe(503)
      await eventually(async () => expect(await left(key)).toBe(10))
      expect((await ask(bench, '/available', key)).status).toBe(200)
      expect((await ask(bench, '/unavailable', key)).status).toBe(503)
      await eventually(async () => expect(await left(key)).toBe(9))
    },
  },
]
