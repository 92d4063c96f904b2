import type Koa from 'koa'
import { load, versionOf, type Framework } from './framework.js'
import { jsonIn, listening } from './listening.js'

const { requireApiKey } = load(
  '../../../lib/servers/koa.js',
) as typeof import('../../../lib/servers/koa.js')

export const koa = (name: 'koa' | 'koa2'): Framework => ({
  name: 'Koa',
  version: versionOf(name),
  guard: requireApiKey as Framework['guard'],
  async serve(routes) {
    const app: Koa = new (load(name))()
    app.silent = true
    for (const { path, options, handle } of routes) {
      const pass: Koa.Middleware = (_ctx, next) => next()
      const guard = (options ? requireApiKey(options) : pass) as Koa.Middleware
      app.use((ctx, next) => {
        if (ctx.path !== path) return next()
        return guard(ctx, async () => {
          const { apiKey } = ctx.state
          const result = await handle({ apiKey, body: () => jsonIn(ctx.req) })
          ctx.status = result.status ?? 200
          ctx.set(result.headers ?? {})
          ctx.body = result.body
        })
      })
    }
    return listening(app.listen(0, '127.0.0.1'))
  },
})
