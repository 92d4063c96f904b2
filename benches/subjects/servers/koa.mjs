/** (l) Koa. */
import { OPTIONS, announcement, listening, opening, require, verified } from './guarded.mjs'

export const { open } = opening('Koa', () => {
  const { requireApiKey } = require('../../../lib/servers/koa.js')
  const Koa = require('koa')
  const app = new Koa()
  const checks = {
    '/bare': (_ctx, next) => next(),
    '/verified': async (ctx, next) => {
      ctx.state.apiKey = await verified(ctx.get('x-api-key'), ctx.ip)
      return next()
    },
    '/announced': async (ctx, next) => {
      ctx.state.apiKey = await verified(ctx.get('x-api-key'), ctx.ip)
      ctx.set(announcement(ctx.state.apiKey))
      return next()
    },
    '/guarded': requireApiKey(OPTIONS),
  }
  app.use((ctx, next) => checks[ctx.path](ctx, next))
  app.use((ctx) => {
    ctx.body = { clientId: ctx.state.apiKey?.clientId ?? 'client-0' }
  })
  return listening(app.callback())
})
