import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { GuardedRequest } from '../../../lib/servers/node.js'
import { load, type Framework, type Route } from './framework.js'
import { jsonIn, listening } from './listening.js'

const { withApiKey } = load(
  '../../../lib/servers/node.js',
) as typeof import('../../../lib/servers/node.js')

export const node: Framework = {
  name: 'node:http',
  // It belongs to the Node.js that runs this.
  version: '',
  guard: (options) => withApiKey(() => {}, options as object),
  async serve(routes) {
    const listeners = new Map(routes.map((route) => [route.path, listenerOf(route)]))
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url!, 'http://localhost')
      // What a listener throws is the business of the app.
      listeners.get(pathname)!(request, response).catch(() => {
        response.statusCode = 500
        response.end('Error')
      })
    })
    return listening(server.listen(0, '127.0.0.1'))
  },
}

type Listener = (request: IncomingMessage, response: ServerResponse) => Promise<void>

function listenerOf({ options, handle }: Route): Listener {
  const listener = async (request: IncomingMessage, response: ServerResponse) => {
    const { apiKey } = request as GuardedRequest
    const result = await handle({ apiKey, body: () => jsonIn(request) })
    const headers = { 'content-type': 'application/json', ...result.headers }
    response.writeHead(result.status ?? 200, headers).end(JSON.stringify(result.body))
  }
  return options ? withApiKey(listener, options) : listener
}
