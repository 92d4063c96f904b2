/**
 * What the servers of (l) have in common: a route that does little else, bare; behind a bare verify that an app without the guard has
 * put where the framework has such checks, as its documentation shows it; behind one that adds the headers of the guard, too; and
 * behind the guard.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import addon from '../../../index.js'
import { FAST_HASH, GUARDED, SCOPES, issueKeys } from '../../keys.mjs'

const PATHS = ['/bare', '/verified', '/announced', '/guarded']

export const OPTIONS = { scopes: SCOPES }

/** Frameworks are loaded as most apps load them. */
export const require = createRequire(import.meta.url)

/** Opens the subject of a framework. `serve` returns its server. */
export const opening = (title, serve) => ({
  async open({ databaseUrl }) {
    // A limit that several routes behind one key do not reach.
    const fields = { ...GUARDED, rateLimitWindowSeconds: 1, allowedIps: ['127.0.0.0/8'] }
    const [key] = await issueKeys({ databaseUrl, ...FAST_HASH }, 1, fields)
    const server = await serve()
    if (!server.listening) await once(server, 'listening')
    const url = `http://127.0.0.1:${server.address().port}`
    return PATHS.map((path) => ({
      title: `${title} ${path}`,
      server: title,
      load: { url: url + path, headers: { 'x-api-key': key }, connections: 64 },
    }))
  },
})

export const listening = (listener) => createServer(listener).listen(0, '127.0.0.1')

/** The check of an app that has no guard. */
export async function verified(key, ip) {
  const apiKey = await addon.verifyApiKey(key, { ip, scopes: SCOPES })
  if (!apiKey.valid) throw new Error('The key was refused')
  return apiKey
}

/** What the guard adds to a response, written for a key that has one limit. */
export const announcement = ({ rateLimit: { limit, remaining, resetMs, windowSeconds } }) => ({
  'Cache-Control': 'no-store',
  'RateLimit-Policy': `"api-key";q=${limit};w=${windowSeconds}`,
  RateLimit: `"api-key";r=${remaining};t=${Math.ceil(resetMs / 1000)}`,
})
