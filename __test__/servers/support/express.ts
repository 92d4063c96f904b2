import type { NextFunction, Request, Response } from 'express'
import { load, versionOf, type Framework } from './framework.js'
import { jsonIn, listening } from './listening.js'

const { requireApiKey } = load(
  '../../../lib/servers/express.js',
) as typeof import('../../../lib/servers/express.js')

export const express = (name: 'express' | 'express4'): Framework => ({
  name: 'Express',
  version: versionOf(name),
  guard: requireApiKey as Framework['guard'],
  async serve(routes) {
    const app = load(name)()
    for (const { method, path, options, handle } of routes) {
      const guards = options ? [requireApiKey(options)] : []
      app[method](path, ...guards, (request: Request, response: Response, next: NextFunction) => {
        const answer = async () => {
          const { apiKey } = request
          const result = await handle({ apiKey, body: () => jsonIn(request) })
          response
            .status(result.status ?? 200)
            .set(result.headers ?? {})
            .json(result.body)
        }
        answer().catch(next)
      })
    }
    return listening(app.listen(0, '127.0.0.1'))
  },
})
