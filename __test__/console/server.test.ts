import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listening } from '../servers/support/listening.js'
import type { Server } from '../servers/support/framework.js'
import { addon } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'
import { consoleRoutes, JWT_SECRET, type Method } from './support.js'

// The console in a server of `node:http`, which makes a `Request` of what it gets: as any server can.

useAddon({ jwtSecret: JWT_SECRET })

const routes = consoleRoutes()
let server: Server
beforeAll(async () => {
  server = await listening(
    createServer((request, response) => void serve(request, response)).listen(0, '127.0.0.1'),
  )
})
afterAll(() => server.close())

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const method = request.method as Method
  const answer = await routes[method](
    new Request(`http://${request.headers.host}${request.url}`, {
      method,
      headers: request.headers as Record<string, string>,
      ...(method !== 'GET' && { body: Readable.toWeb(request) as never, duplex: 'half' }),
    } as RequestInit),
  )
  response.writeHead(answer.status, Object.fromEntries(answer.headers))
  if (!answer.body) return void response.end()
  Readable.fromWeb(answer.body as ReadableStream).pipe(response)
}

test('pages, files and data are served, and administrators sign in', async () => {
  const mount = `${server.url}/tools/console`
  const page = await (await fetch(mount)).text()
  const base = new URL(/<base href="([^"]*)"/.exec(page)![1]!, mount)
  expect(base.href).toBe(`${mount}/`)
  for (const [, address] of page.matchAll(/(?:src|href)="((?:\.\/)?assets\/[^"]*)"/g)) {
    const file = await fetch(new URL(address!, base))
    expect(file.status).toBe(200)
    expect((await file.text()).length).toBeGreaterThan(0)
  }
  const { token } = await addon.createAdminToken({ name: 'Ops', permissions: ['*'] })
  const own = { origin: server.url, 'x-api-keys-console': '1' }
  const signedIn = await fetch(`${mount}/api/session`, {
    method: 'POST',
    headers: own,
    body: JSON.stringify({ token }),
  })
  expect(signedIn.status).toBe(200)
  const cookie = signedIn.headers.get('set-cookie')!.split(';')[0]!
  const made = await fetch(`${mount}/api/keys`, {
    method: 'POST',
    headers: { ...own, cookie },
    body: JSON.stringify({ name: 'n', clientId: 'c' }),
  })
  expect(made.status).toBe(201)
  const exported = await fetch(`${mount}/api/keys/export`, { headers: { cookie } })
  expect((await exported.text()).split('\r\n')).toHaveLength(3)
  const evil = await fetch(`${mount}/api/keys`, {
    method: 'POST',
    headers: { ...own, cookie, origin: 'http://evil.example' },
    body: '{}',
  })
  expect(evil.status).toBe(403)
})

test('paths that climb are nothing to a server that does not clean them', async () => {
  const { request } = await import('node:http')
  const status = await new Promise<number>((resolve, reject) => {
    const { port } = new URL(server.url)
    const path = '/admin/assets/..%2f..%2f..%2fpackage.json'
    request({ port, host: '127.0.0.1', path }, (answer) => {
      answer.resume()
      resolve(answer.statusCode!)
    })
      .on('error', reject)
      .end()
  })
  expect(status).toBe(404)
})
