/** (l) Each framework with a route that does little else, bare and behind the guard for it. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { FAST_HASH, GUARDED, SCOPES, issueKeys } from '../keys.mjs'

const require = createRequire(import.meta.url)
const OPTIONS = { scopes: SCOPES }

export async function open({ databaseUrl }) {
  const fields = { ...GUARDED, allowedIps: ['127.0.0.0/8'] }
  const [key] = await issueKeys({ databaseUrl, ...FAST_HASH }, 1, fields)
  const rows = []
  for (const [name, serve] of Object.entries(servers)) {
    const server = await serve()
    if (!server.listening) await once(server, 'listening')
    const url = `http://127.0.0.1:${server.address().port}`
    for (const path of ['/bare', '/guarded'])
      rows.push({
        title: `${name} ${path}`,
        server: `${name}, limit, allow-list, scopes and usage`,
        load: { url: url + path, headers: { 'x-api-key': key }, connections: 64 },
      })
  }
  return rows
}

const servers = {
  '`node:http`': () => {
    const { withApiKey } = require('../../lib/servers/node.js')
    const respond = (response, clientId) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ clientId }))
    }
    const guarded = withApiKey(
      ({ apiKey }, response) => respond(response, apiKey.clientId),
      OPTIONS,
    )
    return listening((request, response) =>
      request.url === '/bare' ? respond(response, 'client-0') : guarded(request, response),
    )
  },
  Express: () => {
    const { requireApiKey } = require('../../lib/servers/express.js')
    const app = require('express')()
    app.get('/bare', (_request, response) => response.json({ clientId: 'client-0' }))
    app.get('/guarded', requireApiKey(OPTIONS), ({ apiKey: { clientId } }, response) =>
      response.json({ clientId }),
    )
    return listening(app)
  },
  Fastify: async () => {
    const { requireApiKey } = require('../../lib/servers/fastify.js')
    const app = require('fastify')()
    app.decorateRequest('apiKey', null)
    app.get('/bare', async () => ({ clientId: 'client-0' }))
    const guard = { onRequest: requireApiKey(OPTIONS) }
    app.get('/guarded', guard, async ({ apiKey: { clientId } }) => ({ clientId }))
    await app.listen({ port: 0, host: '127.0.0.1' })
    return app.server
  },
  Hono: () => {
    const { requireApiKey } = require('../../lib/servers/hono.js')
    const { Hono } = require('hono')
    const { getRequestListener } = require('@hono/node-server')
    const app = new Hono()
    app.get('/bare', (c) => c.json({ clientId: 'client-0' }))
    app.get('/guarded', requireApiKey(OPTIONS), (c) =>
      c.json({ clientId: c.get('apiKey').clientId }),
    )
    return listening(getRequestListener(app.fetch))
  },
  Koa: () => {
    const { requireApiKey } = require('../../lib/servers/koa.js')
    const Koa = require('koa')
    const app = new Koa()
    const guard = requireApiKey(OPTIONS)
    app.use((ctx, next) => (ctx.path === '/bare' ? next() : guard(ctx, next)))
    app.use((ctx) => {
      ctx.body = { clientId: ctx.state.apiKey?.clientId ?? 'client-0' }
    })
    return listening(app.callback())
  },
  'NestJS on Express': async () => {
    const { ApiKey, RequireApiKey } = require('../../lib/servers/nest.js')
    const { Controller, Get, Module } = require('@nestjs/common')
    const { NestFactory } = require('@nestjs/core')
    // As the decorators of TypeScript do it.
    class Routes {
      bare() {
        return { clientId: 'client-0' }
      }
      guarded({ clientId }) {
        return { clientId }
      }
    }
    const decorate = (name, ...decorators) => {
      const method = Object.getOwnPropertyDescriptor(Routes.prototype, name)
      for (const decorator of decorators) decorator(Routes.prototype, name, method)
    }
    decorate('bare', Get('bare'))
    decorate('guarded', Get('guarded'), RequireApiKey(OPTIONS))
    ApiKey()(Routes.prototype, 'guarded', 0)
    Controller()(Routes)
    class App {}
    Module({ controllers: [Routes] })(App)
    const app = await NestFactory.create(App, { logger: false })
    await app.listen(0, '127.0.0.1')
    return app.getHttpServer()
  },
}

const listening = (listener) => createServer(listener).listen(0, '127.0.0.1')
