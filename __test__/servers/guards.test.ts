import { nativeCalls } from '../support/native-calls.js'
import { once } from 'node:events'
import { createServer, request as send, type IncomingMessage } from 'node:http'
import {
  connect,
  constants,
  createServer as createHttp2Server,
  type ClientHttp2Session,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { addon } from '../support/addon.js'
import { runScript } from '../support/child.js'
import { eventually } from '../support/eventually.js'
import { expectFailure, read } from '../support/next.js'
import { useSetting } from '../support/setting.js'
import { load, type Server } from './support/framework.js'
import { listening } from './support/listening.js'

// What is particular to a server. What is the same in all of them is in `servers.test.ts`.

const setting = useSetting({ trustedProxies: ['10.0.0.0/8'] })

const { withApiKey } = load(
  '../../../lib/servers/node.js',
) as typeof import('../../lib/servers/node.js')
const { requireApiKey: expressGuard } = load(
  '../../../lib/servers/express.js',
) as typeof import('../../lib/servers/express.js')
const fastifyGuard = load(
  '../../../lib/servers/fastify.js',
) as typeof import('../../lib/servers/fastify.js')
const { requireApiKey: honoGuard } = load(
  '../../../lib/servers/hono.js',
) as typeof import('../../lib/servers/hono.js')
const { requireApiKey: koaGuard } = load(
  '../../../lib/servers/koa.js',
) as typeof import('../../lib/servers/koa.js')
const nestGuard = load('../../../lib/servers/nest.js') as typeof import('../../lib/servers/nest.js')

const open: Server[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.close()
})
async function serve(listener: (...args: any[]) => unknown): Promise<string> {
  const server = await listening(createServer(listener).listen(0, '127.0.0.1'))
  open.push(server)
  return server.url
}

const keyed = (key: string, headers: Record<string, string> = {}) => ({
  headers: { 'x-api-key': key, ...headers },
})
const warmKey = async (fields: object = {}): Promise<string> =>
  (await setting.warmKeys(1, fields))[0]!.key
const perDay = { rateLimit: 10, rateLimitWindowSeconds: 86_400 }
const left = async (key: string): Promise<number | undefined> =>
  (await addon.verifyApiKey(key, { peek: true })).rateLimit?.remaining

test('no module loads a framework, and only that of Nest loads a package', async () => {
  const { reports } = await runScript(`
    const { createRequire } = require('node:module')
    for (const name of ['express', 'fastify', 'hono', 'koa', 'node'])
      require('./lib/servers/' + name + '.js')
    report(Object.keys(require.cache).filter((file) => file.includes('node_modules')))`)
  expect(reports).toEqual([[]])
})

test.each(['before', 'after'])(
  'an app may put another Promise in place %s it loads the guards',
  async (when) => {
    const { key } = await addon.createApiKey({ name: 'Key', clientId: 'client' })
    const load = `
      const { requireApiKey } = require('./lib/servers/express.js')
      const { withApiKey } = require('./next.js')`
    const replace = `
      const Original = Promise
      globalThis.Promise = class Other {
        constructor(run) { this.original = new Original(run) }
        static of(original) { return new Other((resolve, reject) => original.then(resolve, reject)) }
        static resolve(value) { return Other.of(Original.resolve(value)) }
        static reject(error) { return Other.of(Original.reject(error)) }
        static all(values) { return Other.of(Original.all(values)) }
        static race(values) { return Other.of(Original.race(values)) }
        static allSettled(values) { return Other.of(Original.allSettled(values)) }
        static withResolvers() { return Original.withResolvers() }
        then(...callbacks) { return Other.of(this.original.then(...callbacks)) }
        catch(callback) { return this.then(undefined, callback) }
        finally(callback) { return Other.of(this.original.finally(callback)) }
      }`
    const { reports, stderr } = await runScript(`
      ${when === 'before' ? replace + load : load + replace}
      api.configure(${JSON.stringify({ databaseUrl: setting.tap.url })})
      const guard = requireApiKey()
      const server = require('node:http').createServer((request, response) =>
        guard(request, response, (error) => {
          response.statusCode = error ? 500 : 200
          response.end()
        }))
      await require('node:events').once(server.listen(0, '127.0.0.1'), 'listening')
      const url = 'http://127.0.0.1:' + server.address().port
      const GET = withApiKey(() => new Response())
      const statuses = []
      // The second time from memory.
      for (const headers of [{}, { 'x-api-key': 'none' }, ...Array(2).fill({ 'x-api-key': ${JSON.stringify(key)} })]) {
        statuses.push((await fetch(url, { headers })).status)
        statuses.push((await GET(new Request(url, { headers }), {})).status)
      }
      report(statuses)
      server.close()
      await api.close()`)
    expect(reports, stderr).toEqual([[401, 401, 401, 401, 200, 200, 200, 200]])
  },
)

describe('node:http', () => {
  test('a request with a warm key asks the native side once', async () => {
    const key = await warmKey({ allowedIps: ['127.0.0.1'] })
    const url = await serve(withApiKey((_request, response) => void response.end('OK')))
    const ask = async (): Promise<void> => {
      const answer = await fetch(url, keyed(key, { 'x-forwarded-for': '10.1.2.3' }))
      expect(answer.status).toBe(200)
    }
    await ask()
    const calls = await nativeCalls(ask)
    expect(calls).toEqual(['verifyWarmRequest'])
  })

  test('an ApiKeyError of the handler is answered, and anything else rejects', async () => {
    const key = await warmKey()
    const rejected: unknown[] = []
    const listener = withApiKey(async ({ url }) => {
      if (url === '/conflict') await addon.patchApiKey({ id: 'unknown', name: 'Name' })
      throw new RangeError('a fault of the app')
    })
    const url = await serve((request, response) =>
      listener(request, response).catch((error: unknown) => {
        rejected.push(error)
        response.statusCode = 418
        response.end()
      }),
    )
    expectFailure(await read(await fetch(`${url}/conflict`, keyed(key))), 404, 'NOT_FOUND')
    expect(rejected).toEqual([])
    expect((await fetch(url, keyed(key))).status).toBe(418)
    expect(rejected).toEqual([new RangeError('a fault of the app')])
  })

  test('a response that has begun is broken off, so that nobody takes it for the whole', async () => {
    const key = await warmKey()
    const url = await serve(
      withApiKey(async (_request, response) => {
        response.write('half')
        await addon.patchApiKey({ id: 'unknown', name: 'Name' })
      }),
    )
    const answer = await fetch(url, keyed(key))
    await expect(answer.text()).rejects.toThrow()
  })

  test('a client that goes away cannot have its charge given back', async () => {
    const key = await warmKey(perDay)
    const refundOn = vi.fn(() => true)
    let gone: () => void
    const handled = new Promise<void>((resolve) => (gone = resolve))
    const url = await serve(
      withApiKey(
        async (request, response) => {
          await once(request.socket, 'close')
          response.statusCode = 503
          response.end()
          gone()
        },
        { refundOn },
      ),
    )
    const request = send(url, keyed(key)).on('error', () => {})
    request.end()
    await eventually(async () => expect(await left(key)).toBe(8))
    request.destroy()
    await handled
    expect(refundOn).not.toHaveBeenCalled()
    expect(await left(key)).toBe(8)
  })

  test('a socket that is closed does not make the header believed', async () => {
    const key = await warmKey({ allowedIps: ['203.0.113.7'] })
    const handler = vi.fn()
    const outcome = withApiKey(handler, {
      cost: async (request: IncomingMessage) => {
        request.socket.destroy()
        return 1
      },
    })
    let done: Promise<void> | undefined
    const url = await serve((request, response) => (done = outcome(request, response)))
    const headers = { 'x-forwarded-for': '203.0.113.7' }
    await expect(fetch(url, keyed(key, headers))).rejects.toThrow()
    await done
    expect(handler).not.toHaveBeenCalled()
  })

  test.each([
    ['nothing', {}, {}, 1],
    ['nothing, and the client is nearby itself', {}, { headers: {} }, 0],
    ['hops', { trustedHops: 1 }, {}, 0],
    ['networks', { trustedProxies: ['127.0.0.1'] }, {}, 0],
  ])(
    'of a proxy that is not declared it warns once: %s',
    async (_what, declared, sent, warnings) => {
      const forwarded = { headers: { 'x-forwarded-for': '203.0.113.7' }, ...sent }
      const { reports } = await runScript(`
      const { createServer } = require('node:http')
      const { once } = require('node:events')
      const { close, configure, onEvent } = require('./index.js')
      const { withApiKey } = require('./lib/servers/node.js')
      configure(${JSON.stringify({ databaseUrl: setting.tap.url, ...declared })})
      onEvent((event) => event.type === 'configuration.warning' && report(event.message))
      const server = createServer(withApiKey(() => {})).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const url = 'http://127.0.0.1:' + server.address().port
      for (let round = 0; round < 3; round++)
        await (await fetch(url, ${JSON.stringify({ ...forwarded, headers: { 'x-api-key': 'none', ...forwarded.headers } })})).text()
      server.close()
      await close()`)
      const about = reports.filter((message) => /reverse proxy/.test(String(message)))
      expect(about).toHaveLength(warnings)
    },
  )

  test('an answer that the app has sent meanwhile stays', async () => {
    const url = await serve((request, response) => {
      response.statusCode = 504
      response.end('too late')
      return withApiKey(() => {})(request, response)
    })
    const answer = await read(await fetch(url))
    expect(answer).toMatchObject({ status: 504, body: 'too late' })
  })

  test('what other code adds to Object.prototype is no header', async () => {
    const url = await serve(withApiKey((_request, response) => void response.end('OK')))
    const key = await warmKey()
    const polluted = Object.prototype as unknown as Record<string, string>
    polluted['x-api-key'] = key
    try {
      expect((await fetch(url)).status).toBe(401)
    } finally {
      delete polluted['x-api-key']
    }
  })
})

describe('HTTP/2', () => {
  const unavailable = { refundOn: ({ status }: Response) => status === 503 }
  type Guarded = ReturnType<typeof withApiKey<Http2ServerRequest, Http2ServerResponse>>
  async function serveHttp2(listener: Guarded): Promise<string> {
    const server = createHttp2Server(listener).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const url = `http://127.0.0.1:${port}`
    open.push({ url, close: () => new Promise((resolve) => server.close(resolve)) })
    return url
  }
  const session = (url: string): ClientHttp2Session => {
    const client = connect(url).on('error', () => {})
    open.unshift({ url, close: async () => client.destroy() })
    return client
  }

  const servers = {
    node: () =>
      serveHttp2(
        withApiKey((_request, response) => {
          response.statusCode = 503
          response.end()
        }, unavailable),
      ),
    async fastify() {
      const app = load('fastify')({ http2: true })
      const onRequest = fastifyGuard.requireApiKey(unavailable)
      app.get('/', { onRequest }, (_request: unknown, reply: any) => reply.code(503).send())
      const url: string = await app.listen({ port: 0, host: '127.0.0.1' })
      open.push({ url, close: () => app.close() })
      return url
    },
  }

  test.each(['node', 'fastify'] as const)('%s is guarded alike', async (name) => {
    const client = session(await servers[name]())
    const ask = async (headers: Record<string, string> = {}) => {
      const [answer] = await once(client.request(headers).resume(), 'response')
      return answer
    }
    const refused = await ask()
    expect(refused).toMatchObject({ ':status': 401, 'www-authenticate': 'Bearer realm="API"' })
    const bound = await ask({ 'x-api-key': await warmKey({ allowedIps: ['127.0.0.1'] }) })
    expect(bound[':status']).toBe(503)

    const key = await warmKey(perDay)
    const before = await left(key)
    const answer = await ask({ 'x-api-key': key })
    expect(answer).toMatchObject({ ':status': 503, 'cache-control': 'no-store' })
    expect(answer.ratelimit).toMatch(/^"api-key";r=8;t=\d+$/)
    await eventually(async () => expect(await left(key)).toBe(before))
  })

  test.each(['stream', 'session'] as const)(
    'a client that closes its %s cannot have its charge given back',
    async (closed) => {
      const key = await warmKey(perDay)
      const refundOn = vi.fn(() => true)
      let gone: () => void
      const handled = new Promise<void>((resolve) => (gone = resolve))
      const url = await serveHttp2(
        withApiKey<Http2ServerRequest, Http2ServerResponse>(
          async ({ stream }, response) => {
            response.write('half')
            await once(stream, 'close')
            response.end()
            gone()
          },
          { refundOn },
        ),
      )
      const client = session(url)
      const stream = client.request({ 'x-api-key': key }).on('error', () => {})
      await once(stream, 'response')
      if (closed === 'stream') stream.close(constants.NGHTTP2_CANCEL)
      else client.destroy()
      await handled
      expect(refundOn).not.toHaveBeenCalled()
      expect(await left(key)).toBe(8)
    },
  )

  test('a session that is closed does not make the header believed', async () => {
    const key = await warmKey({ allowedIps: ['203.0.113.7'] })
    const handler = vi.fn()
    const guarded = withApiKey<Http2ServerRequest, Http2ServerResponse>(handler, {
      cost: async ({ stream }) => {
        stream.session!.destroy()
        return 1
      },
    })
    let told: (outcome: PromiseSettledResult<void>) => void
    const outcome = new Promise((resolve) => (told = resolve))
    const url = await serveHttp2(async (request, response) => {
      const [settled] = await Promise.allSettled([guarded(request, response)])
      told(settled)
    })
    const headers = { 'x-api-key': key, 'x-forwarded-for': '203.0.113.7' }
    session(url)
      .request(headers)
      .on('error', () => {})
    expect(await outcome).toMatchObject({ status: 'fulfilled' })
    expect(handler).not.toHaveBeenCalled()
  })
})

describe.each(['express', 'express4'])('%s', (name) => {
  test.each([undefined, null, '', 'route', 'router'])(
    'an option that throws %j does not let the request pass',
    async (thrown) => {
      const app = load(name)()
      app.set('env', 'test')
      const handler = vi.fn((_request, response) => response.end('OK'))
      const onRefused = () => {
        throw thrown
      }
      app.use(expressGuard({ onRefused }))
      app.get('/', handler)
      const url = await serve(app)
      expect((await fetch(url)).status).toBe(500)
      expect(handler).not.toHaveBeenCalled()
    },
  )

  test('what the response varies by already, it varies by still', async () => {
    const app = load(name)()
    app.use((_request: unknown, response: any, next: () => void) => {
      response.vary('Origin')
      next()
    })
    app.use(expressGuard())
    const answer = await fetch(await serve(app))
    expect(answer.status).toBe(401)
    expect(answer.headers.get('vary')).toBe('Origin, Accept')
  })

  test('a mounted router is named in the audit log by the path of the client', async () => {
    const [app, router] = [load(name)(), load(name).Router()]
    router.get('/list', expressGuard({ scopes: ['never:held'] }), () => {})
    app.use('/documents', router)
    const url = await serve(app)
    const { status } = await fetch(`${url}/documents/list?page=1`, keyed(await warmKey()))
    expect(status).toBe(403)
    await addon.flush()
    const { events } = await addon.listAuditEvents({ type: 'key.refused' })
    expect(events.map(({ path }) => path)).toContain('/documents/list')
  })
})

describe.each(['koa', 'koa2'])('%s', (name) => {
  test.each([undefined, null, '', 0])('an option that throws %j is answered', async (thrown) => {
    const app = new (load(name))()
    app.silent = true
    const handler = vi.fn()
    const onRefused = () => {
      throw thrown
    }
    app.use(koaGuard({ onRefused }))
    app.use(handler)
    const url = await serve(app.callback())
    expect((await fetch(url)).status).toBe(500)
    expect(handler).not.toHaveBeenCalled()
  })
})

describe.each(['fastify', 'fastify4'])('%s', (name) => {
  test.each([undefined, null, '', 0])(
    'an option that throws %j does not let the request pass',
    async (thrown) => {
      const app = load(name)()
      const handler = vi.fn(async () => 'OK')
      const onRefused = () => {
        throw thrown
      }
      app.get('/', { onRequest: fastifyGuard.requireApiKey({ onRefused }) }, handler)
      expect((await app.inject('/')).statusCode).toBe(500)
      expect(handler).not.toHaveBeenCalled()
    },
  )

  test('a hook of the app can await the guard', async () => {
    const guard = fastifyGuard.requireApiKey()
    const app = load(name)()
    app.decorateRequest('apiKey', null)
    const onRequest = async (request: any, reply: any) => {
      await guard(request, reply)
      if (!reply.sent) request.headers.tenant = request.apiKey.clientId
    }
    app.get('/', { onRequest }, async (request: any) => request.headers.tenant)
    const headers = { 'x-api-key': await warmKey() }
    for (let time = 0; time < 2; time += 1)
      expect((await app.inject({ url: '/', headers })).statusCode).toBe(200)
    expect((await app.inject('/')).statusCode).toBe(401)
  })
})

describe.each(['fastify', 'fastify4'])('the plugin of %s', (name) => {
  test('guards the context in which it is registered, before and after, and no other', async () => {
    const app = load(name)()
    app.get('/before', async () => 'OK')
    app.register(fastifyGuard.apiKeys)
    app.get('/after', async (request: any) => request.apiKey.clientId)
    app.register(async (child: any) => void child.get('/child', async () => 'OK'))
    const url: string = await app.listen({ port: 0, host: '127.0.0.1' })
    open.push({ url, close: () => app.close() })
    for (const path of ['/before', '/after', '/child']) {
      expect([path, (await fetch(url + path)).status]).toEqual([path, 401])
      expect((await fetch(url + path, keyed(await warmKey()))).status).toBe(200)
    }

    const other = load(name)()
    other.register(async (child: any) => {
      await child.register(fastifyGuard.apiKeys, { scopes: ['docs:read'] })
      child.get('/inside', async () => 'OK')
    })
    other.get('/outside', async () => 'OK')
    const otherUrl: string = await other.listen({ port: 0, host: '127.0.0.1' })
    open.push({ url: otherUrl, close: () => other.close() })
    expect((await fetch(`${otherUrl}/inside`)).status).toBe(401)
    expect((await fetch(`${otherUrl}/outside`)).status).toBe(200)
  })

  test('refuses a wrong option when the app starts', async () => {
    const app = load(name)()
    app.register(fastifyGuard.apiKeys, { scope: ['docs:read'] })
    await expect(app.ready()).rejects.toThrow("apiKeys: 'scope' is not a known option")
  })
})

describe.each(['hono', 'hono3'])('%s', (name) => {
  test('sets the headers of a response that cannot be changed, too', async () => {
    const app = new (load(name).Hono)()
    app.get('/', honoGuard(), () => Response.redirect('http://localhost/elsewhere', 302))
    const key = await warmKey(perDay)
    const answer: Response = await app.request('/', keyed(key))
    expect(answer.status).toBe(302)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('ratelimit')).toMatch(/^"api-key";r=8;t=\d+$/)
    expect(answer.headers.get('location')).toBe('http://localhost/elsewhere')
  })
})

describe('Nest', () => {
  test('guards nothing but HTTP', async () => {
    class Gateway {}
    nestGuard.RequireApiKey()(Gateway)
    const [guard] = Reflect.getMetadata('__guards__', Gateway) as {
      canActivate(context: object): Promise<boolean>
    }[]
    const context = { getType: () => 'ws' }
    await expect(guard!.canActivate(context)).rejects.toThrow(
      'RequireApiKey guards HTTP routes only',
    )
  })
})

declare namespace Reflect {
  function getMetadata(key: string, target: object): unknown
}
