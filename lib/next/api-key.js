'use strict'

const { missingKey } = require('../constants.js')
const { verifyApiKey } = require('../../index.js')
const { verifyWarmRequest } = require('../warm.js')
const { clientOf, pathOf } = require('./client-ip.js')
const { checkHandler, checkKeyOptions } = require('./options.js')
const responses = require('./responses.js')

const CHALLENGE = 'Bearer realm="API"'
const POLICY = '"api-key"'

/** Guards a route: the handler runs only for a valid API key, and finds its verification in `context.apiKey`. */
exports.withApiKey = (handler, options = {}) => {
  checkHandler('withApiKey', handler)
  const requirements = checkKeyOptions('withApiKey', options)
  return responses.routeHandler(async (request, context) => {
    const key = request.headers.get('x-api-key') || bearerToken(request)
    if (!key) return missing(request)
    const apiKey = warm(key, request, requirements) ?? (await any(key, request, requirements))
    // Which key it was is for the app only.
    if (!apiKey.valid) return refused(apiKey)
    const response = await handler(request, { ...context, apiKey })
    return response?.headers ? responses.withHeaders(response, rateLimitOf(apiKey)) : response
  })
}

/** The verification of a key that is in memory, by one native call; `undefined` if that is not enough. */
function warm(key, request, requirements) {
  const forwarded = request.headers.get('x-forwarded-for') ?? ''
  return verifyWarmRequest(key, forwarded, requirements, pathOf(request.url))
}

function any(key, request, { scopes, cost }) {
  const { ip, claimedIp, path } = clientOf(request)
  return responses.byGuard(verifyApiKey(key, { ip, claimedIp, scopes, cost, path }))
}

/** The token of `Authorization: Bearer <token>`. */
function bearerToken(request) {
  return /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
}

/** Names what was expected: `Authorization` may hold another scheme. */
function missing(request) {
  const hint = request.headers.get('authorization')
    ? 'The Authorization header holds no Bearer token: send Authorization: Bearer <key>, or x-api-key: <key>'
    : 'Send x-api-key: <key>, or Authorization: Bearer <key>'
  return responses.unauthorized(CHALLENGE, { ...missingKey, hint })
}

function refused(refusal) {
  if (refusal.status === 401)
    return responses.unauthorized(`${CHALLENGE}, error="invalid_token"`, refusal)
  return responses.failure(refusal, rateLimitOf(refusal))
}

/** The headers of draft-ietf-httpapi-ratelimit-headers-11. There are none if the result has no rate limit. */
function rateLimitOf({ rateLimit, retryAfterMs = Infinity }) {
  if (!rateLimit) return {}
  const { limit, remaining, resetMs, windowSeconds } = rateLimit
  // `Retry-After` must not be earlier than the reset that the header announces.
  const resetSeconds = Math.ceil(Math.min(resetMs, retryAfterMs) / 1000)
  return {
    'RateLimit-Policy': `${POLICY};q=${limit};w=${windowSeconds}`,
    RateLimit: `${POLICY};r=${remaining};t=${resetSeconds}`,
  }
}
