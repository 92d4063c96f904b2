import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'

/** A request that arrived, with what its body says. */
export interface Arrived {
  id: string
  headers: IncomingHttpHeaders
  body: string
  notice: { type: string; timestamp: string; data: Record<string, any> }
}

export interface Receiver {
  url: string
  arrived: Arrived[]
  /** The statuses of the next answers; 204 when none is left. A function answers by itself. */
  answers: (number | ((response: ServerResponse) => void))[]
  /** The data of each notice of this type, in the order of arrival. */
  of(type: string): Record<string, any>[]
  close(): Promise<void>
}

/** A server that receives notices. */
export async function startReceiver(port = 0): Promise<Receiver> {
  const arrived: Arrived[] = []
  const answers: Receiver['answers'] = []
  const server: Server = createServer(async (request, response) => {
    const body = await text(request).catch(() => '')
    if (!body) return
    arrived.push({
      id: String(request.headers['webhook-id']),
      headers: request.headers,
      body,
      notice: JSON.parse(body) as Arrived['notice'],
    })
    const answer = answers.shift() ?? 204
    if (typeof answer === 'function') answer(response)
    else response.writeHead(answer, { location: '/elsewhere' }).end()
  }).listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    arrived,
    answers,
    of: (type) =>
      arrived.filter(({ notice }) => notice.type === type).map(({ notice }) => notice.data),
    close: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** Fails unless the request is signed with this secret, by the reference implementation of Standard Webhooks. */
export function expectSigned({ headers, body }: Arrived, secret: string): void {
  new Webhook(secret).verify(body, headers as Record<string, string>)
}
