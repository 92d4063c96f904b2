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
  const rows = (server, paths) =>
    paths.map((path) => ({
      title: `node:http ${path}`,
      server,
      load: { url: url + path, headers, connections: 64 },
    }))
  return [
    ...rows('`node:http`, limit, allow-list, scopes and usage', ['/bare', '/protected']),
    ...rows('the same, beside a bare route that reads and awaits as much', [
      '/awaiting',
      '/protected',
    ]),
  ]
}

async function answer(request, response) {
  if (request.url === '/bare') return send(response, 200, { clientId: 'client-0' })
  const ip = request.socket.remoteAddress
  if (request.url === '/awaiting') {
    const client = await unchecked(request.headers['x-api-key'], { ip, scopes: SCOPES })
    return send(response, 200, { clientId: client.clientId })
  }
  const client = await addon.verifyApiKey(request.headers['x-api-key'], { ip, scopes: SCOPES })
  if (client.valid) send(response, 200, { clientId: client.clientId })
  else send(response, client.status, { error: client.message })
}

/** What any asynchronous check costs that is given the key and the address: these are read, and a promise is awaited. */
async function unchecked(key, context) {
  return { valid: true, clientId: 'client-0', key, context }
}

function send(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
