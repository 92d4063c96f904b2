/** (l) Fastify. */
import { OPTIONS, announcement, opening, require, verified } from './guarded.mjs'

export const { open } = opening('Fastify', async () => {
  const { requireApiKey } = require('../../../lib/servers/fastify.js')
  const app = require('fastify')()
  app.decorateRequest('apiKey', null)
  app.get('/bare', async () => ({ clientId: 'client-0' }))
  const check = async (request) => {
    request.apiKey = await verified(request.headers['x-api-key'], request.ip)
  }
  const announce = async (request, reply) => {
    await check(request)
    reply.headers(announcement(request.apiKey))
  }
  const respond = async ({ apiKey: { clientId } }) => ({ clientId })
  app.get('/verified', { onRequest: check }, respond)
  app.get('/announced', { onRequest: announce }, respond)
  app.get('/guarded', { onRequest: requireApiKey(OPTIONS) }, respond)
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app.server
})
