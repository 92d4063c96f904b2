/** (h) A small `node:http` server that does little else, so that the share of the check is at its largest. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import addon from '../../index.js'
import { FAST_HASH, GUARDED, SCOPES, issueKeys } from '../keys.mjs'

export async function open({ databaseUrl }) {
  const fields = { ...GUARDED, allowedIps: ['127.0.0.0/8'] }
  const [key] = await issueKeys({ databaseUrl, ...FAST_HASH }, 1, fields)
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${server.address().port}`
  const headers = { 'x-api-key': key }
  return ['/bare', '/protected'].map((path) => ({
    title: `node:http ${path}`,
    server: '`node:http`, limit, allow-list, scopes and usage',
    load: { url: url + path, headers, connections: 64 },
  }))
}

async function answer(request, response) {
  if (request.url === '/bare') return send(response, 200, { clientId: 'client-0' })
  const ip = request.socket.remoteAddress
  const client = await addon.verifyApiKey(request.headers['x-api-key'], { ip, scopes: SCOPES })
  if (client.valid) send(response, 200, { clientId: client.clientId })
  else send(response, client.status, { error: client.message })
}

function send(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
