'use strict'

// `/.well-known/jwks.json` and its neighbour: what others need to verify derived tokens. Both are public.

const { jwks, revokedParents } = require('../derived-tokens.js')
const { CACHE_CONTROL } = require('../guard/answers.js')
const { checkOptions } = require('../guard/options.js')
const { json, routeHandler } = require('./responses.js')

// A token of a new key may come at once, and a key may be revoked at any time.
const JWKS_SECONDS = 60
const REVOKED_SECONDS = 1

/** The handlers of `/.well-known/jwks.json`. */
exports.jwksRoutes = (options = {}) => publicRoutes('jwksRoutes', options, JWKS_SECONDS, jwks)

/** The handlers of `/.well-known/revoked-keys.json`. */
exports.revokedKeysRoutes = (options = {}) =>
  publicRoutes('revokedKeysRoutes', options, REVOKED_SECONDS, async () => ({
    revoked: await revokedParents(),
  }))

function publicRoutes(name, options, maxAge, read) {
  checkOptions(name, options, [])
  const headers = { [CACHE_CONTROL]: `public, max-age=${maxAge}` }
  return { GET: routeHandler(async () => json(await read(), 200, headers)) }
}
