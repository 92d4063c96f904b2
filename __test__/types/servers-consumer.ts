// Compiled, never run: what an application of each framework writes against the types of its subpath.
import { createServer } from 'node:http'
import {
  createSecureServer,
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2'
import type { ValidVerification } from '@sophra/api-keys'
import { requireApiKey as expressGuard } from '@sophra/api-keys/express'
import { apiKeys, requireApiKey as fastifyGuard } from '@sophra/api-keys/fastify'
import { requireApiKey as honoGuard, type ApiKeyEnv } from '@sophra/api-keys/hono'
import { requireApiKey as koaGuard, type ApiKeyState } from '@sophra/api-keys/koa'
import { ApiKey, RequireApiKey, type GuardedApiKey } from '@sophra/api-keys/nest'
import { withApiKey, type GuardedRequest } from '@sophra/api-keys/node'
import express from 'express'
import fastify, { type FastifyRequest, type FastifyTypeProvider } from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'

const onExpress = express()
onExpress.use(expressGuard())
onExpress.get('/:id', expressGuard({ scopes: ['docs:read'], tag: '/:id' }), (request, response) => {
  const verification: ValidVerification = request.apiKey
  const settled: Promise<boolean> = request.apiKey.settle({ tokens: 5 })
  response.json({ client: verification.clientId, id: request.params.id, settled })
})
onExpress.get('/documents/:id', expressGuard(), (request, response) => {
  response.json({ id: request.params.id.toUpperCase() })
  // @ts-expect-error no such parameter in the path
  request.params.name
})
expressGuard({ cost: (request) => (request.get('x-large') ? 5 : 1) })
expressGuard<express.Request<{ id: string }>>({
  scopes: ({ params }) => [`docs:${params.id.trim()}`],
})
export const handlers: express.RequestHandler[] = [expressGuard(), expressGuard({ optional: true })]
// @ts-expect-error no such option
expressGuard({ scope: ['docs:read'] })
// @ts-expect-error a list
expressGuard({ scopes: 'docs:read' })

const onFastify = fastify()
onFastify.register(apiKeys, { scopes: ['docs:read'] })
onFastify.register(apiKeys)
const hook = fastifyGuard({ cost: async (request) => (request.method === 'GET' ? 1 : 5) })
onFastify.addHook('onRequest', hook)
onFastify.get('/', { onRequest: hook }, async (request) => request.apiKey.clientId.length)
onFastify.get('/list', { onRequest: [hook] }, (request, reply) => reply.send(request.apiKey.scopes))
onFastify.get<{ Params: { id: string } }>(
  '/documents/:id',
  {
    onRequest: fastifyGuard<FastifyRequest<{ Params: { id: string } }>>({
      scopes: ({ params }) => [`docs:${params.id}`],
    }),
  },
  async (request) => request.params.id.toUpperCase(),
)
interface BySchema extends FastifyTypeProvider {
  // Fastify 4 turns `input` into `output`, and 5 `schema` into `validator`.
  readonly input: unknown
  readonly schema: unknown
  validator: this['schema'] extends { names: infer Name extends string }
    ? Record<Name, string>
    : unknown
  output: this['input'] extends { names: infer Name extends string }
    ? Record<Name, string>
    : unknown
}
onFastify
  .withTypeProvider<BySchema>()
  .get(
    '/pages/:page',
    { schema: { params: { names: 'page' } as const }, onRequest: [fastifyGuard()] },
    async (request) => request.params.page.toUpperCase(),
  )
const onHttp2 = fastify({ http2: true })
onHttp2.get('/', { onRequest: fastifyGuard() }, async (request) => request.apiKey.clientId)
onHttp2.register(apiKeys)
// @ts-expect-error no such option
fastifyGuard({ scope: ['docs:read'] })
// @ts-expect-error no such option
onFastify.register(apiKeys, { scope: ['docs:read'] })

const onHono = new Hono()
onHono.get('/:id', honoGuard({ scopes: ['docs:read'] }), (c) => {
  const apiKey: GuardedApiKey = c.get('apiKey')
  return c.json({ client: apiKey.clientId, id: c.req.param('id') })
})
const typed = new Hono<ApiKeyEnv>()
typed.use(
  honoGuard({ cost: (c) => Number(c.req.query('cost')), refundOn: ({ status }) => status === 503 }),
)
typed.get('/', (c) => c.text(c.var.apiKey.name))
// @ts-expect-error no such option
honoGuard({ scope: ['docs:read'] })

const optional = new Hono()
optional.get('/', honoGuard({ optional: true }), (c) => {
  // @ts-expect-error there may be none
  c.get('apiKey').clientId
  return c.json({ client: c.get('apiKey')?.clientId ?? null })
})

const onKoa = new Koa<ApiKeyState>()
onKoa.use(koaGuard({ cost: (ctx) => (ctx.method === 'GET' ? 1 : 5) }))
onKoa.use((ctx) => {
  const client: string = ctx.state.apiKey.clientId
  ctx.body = { client }
})
new Koa().use(koaGuard())
// @ts-expect-error no such option
koaGuard({ scope: ['docs:read'] })

@RequireApiKey()
export class Controller {
  @RequireApiKey({ scopes: ['docs:read'], cost: ({ method }) => (method === 'GET' ? 1 : 5) })
  list(@ApiKey() apiKey: GuardedApiKey): string {
    return apiKey.clientId
  }

  @RequireApiKey<express.Request>({ cost: (request) => (request.get('x-large') ? 5 : 1) })
  async costly(): Promise<void> {}

  // @ts-expect-error no such option
  @RequireApiKey({ scope: ['docs:read'] })
  wrong(): void {}
}

createServer(
  withApiKey(async (request, response) => {
    const client: string = request.apiKey.clientId
    response.end(client)
  }),
)
createSecureServer(
  withApiKey<Http2ServerRequest, Http2ServerResponse>(({ apiKey, authority }, { stream }) => {
    stream.end(apiKey.clientId + authority)
  }),
)
createHttp2Server(
  withApiKey((request: GuardedRequest<Http2ServerRequest>, response: Http2ServerResponse) => {
    response.end(request.apiKey.clientId)
  }),
)
export const guarded: (request: GuardedRequest) => string = ({ apiKey, url }) => apiKey.name + url
// @ts-expect-error there may be no key
withApiKey(({ apiKey }) => apiKey.clientId, { optional: true })
withApiKey(({ apiKey }) => apiKey?.clientId, {
  optional: true,
  getKey: ({ headers }) => headers.cookie ?? null,
  onRefused: ({ code, message }, { url }) => new Response(`${code} ${message} ${url}`),
  scopes: ({ url }) => ({ any: [`path:${url}`, 'path:*'] }),
})
// @ts-expect-error no such option
withApiKey(() => {}, { scope: ['docs:read'] })
// @ts-expect-error the handler comes first
withApiKey({ scopes: ['docs:read'] }, () => {})
