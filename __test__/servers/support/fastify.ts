import type { FastifyInstance } from 'fastify'
import { load, versionOf, type Framework, type Route } from './framework.js'

const { apiKeys, requireApiKey } = load(
  '../../../lib/servers/fastify.js',
) as typeof import('../../../lib/servers/fastify.js')

type Variant = 'hook' | 'plugin'

/** The hook of each route; or the plugin, in a context of its own for each route. */
export const fastify = (name: 'fastify' | 'fastify4', variant: Variant): Framework => ({
  name: variant === 'hook' ? 'Fastify, hook' : 'Fastify, plugin',
  version: versionOf(name),
  guard: requireApiKey as Framework['guard'],
  async serve(routes) {
    const app: FastifyInstance = load(name)()
    for (const route of routes) {
      if (variant === 'hook')
        add(app, route, route.options && { onRequest: requireApiKey(route.options) })
      else
        app.register(async (context) => {
          if (route.options) context.register(apiKeys, route.options)
          add(context, route)
        })
    }
    return { url: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
  },
})

function add(app: FastifyInstance, { method, path, handle }: Route, hooks: object = {}): void {
  app[method](path, hooks, async (request, reply) => {
    const { apiKey, body } = request
    const result = await handle({ apiKey, body: async () => body })
    return reply
      .code(result.status ?? 200)
      .headers(result.headers ?? {})
      .send(result.body)
  })
}
