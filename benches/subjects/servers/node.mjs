/** (l) node:http. */
import { OPTIONS, announcement, listening, opening, require, verified } from './guarded.mjs'

export const { open } = opening('`node:http`', () => {
  const { withApiKey } = require('../../../lib/servers/node.js')
  const respond = (response, clientId) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ clientId }))
  }
  const guarded = withApiKey(({ apiKey }, response) => respond(response, apiKey.clientId), OPTIONS)
  const check = ({ headers, socket }) => verified(headers['x-api-key'], socket.remoteAddress)
  const routes = {
    '/bare': (_request, response) => respond(response, 'client-0'),
    '/verified': async (request, response) => respond(response, (await check(request)).clientId),
    '/announced': async (request, response) => {
      const apiKey = await check(request)
      const headers = announcement(apiKey)
      for (const name of Object.keys(headers)) response.setHeader(name, headers[name])
      respond(response, apiKey.clientId)
    },
    '/guarded': guarded,
  }
  return listening((request, response) => routes[request.url](request, response))
})
