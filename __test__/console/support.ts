import { createRequire } from 'node:module'
import { read, type Answer } from '../support/next.js'

/** The subpath as an application loads it. */
export const { consoleRoutes } = createRequire(import.meta.url)(
  '../../lib/console.js',
) as typeof import('../../lib/console.js')

export const JWT_SECRET = 'the secret of the console, of 32 bytes or more'
export const ORIGIN = 'https://console.example'
export const MOUNT = `${ORIGIN}/admin`
export const COOKIE = '__Host-api-keys-console'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
type Headers = Record<string, string>
type Send = (request: Request, context?: unknown) => Promise<Response>

/** What the pages send with a change. */
export const OWN: Headers = {
  host: 'console.example',
  origin: ORIGIN,
  'x-api-keys-console': '1',
}

export function requestOf(method: Method, path: string, headers: Headers, body?: unknown): Request {
  const text = typeof body === 'string' || body === undefined ? body : JSON.stringify(body)
  return new Request(MOUNT + path, { method, headers, ...(text !== undefined && { body: text }) })
}

/** A browser with the console open in it. It keeps the one cookie that the console sets. */
export function browser(routes: Record<Method, Send> = consoleRoutes()) {
  const own = { cookie: undefined as string | undefined }
  async function send(
    method: Method,
    path: string,
    body?: unknown,
    headers: Headers = {},
  ): Promise<Answer> {
    const cookie: Headers = own.cookie ? { cookie: `theme=dark; ${own.cookie}` } : {}
    const all = { ...(method === 'GET' ? {} : OWN), ...cookie, ...headers }
    const answer = await read(await routes[method](requestOf(method, path, all, body)))
    const set = answer.headers['set-cookie']?.split(';')[0]
    if (set !== undefined) own.cookie = set.endsWith('=') ? undefined : set
    return answer
  }
  return {
    own,
    send,
    get: (path: string, headers?: Headers) => send('GET', path, undefined, headers),
    signIn: (credential: { token: string } | { code: string }) =>
      send('POST', '/api/session', credential),
    signOut: () => send('DELETE', '/api/session'),
  }
}
