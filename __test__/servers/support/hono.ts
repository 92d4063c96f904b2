import { once } from 'node:events'
import type { Server } from 'node:http'
import type { Hono } from 'hono'
import type { ApiKeyEnv } from '../../../lib/servers/hono.js'
import { load, versionOf, type Framework } from './framework.js'
import { listening } from './listening.js'

const { requireApiKey } = load(
  '../../../lib/servers/hono.js',
) as typeof import('../../../lib/servers/hono.js')

export const hono = (name: 'hono' | 'hono3'): Framework => ({
  name: 'Hono',
  version: versionOf(name),
  guard: requireApiKey as Framework['guard'],
  async serve(routes) {
    const app: Hono<ApiKeyEnv> = new (load(name).Hono)()
    for (const { method, path, options, handle } of routes) {
      if (options) app.use(path, requireApiKey(options))
      app[method](path, async (c) => {
        const result = await handle({ apiKey: c.get('apiKey'), body: () => c.req.json() })
        return c.json(result.body as object, (result.status ?? 200) as 200, result.headers ?? {})
      })
    }
    const { createAdaptorServer } = load('@hono/node-server')
    const server: Server = createAdaptorServer({ fetch: app.fetch })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return listening(server)
  },
})
