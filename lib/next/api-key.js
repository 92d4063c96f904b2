'use strict'

const native = require('../addon.js')
const { invalidKey } = require('../constants.js')
const { verifyApiKey } = require('../../index.js')
const { clientOf } = require('./client-ip.js')
const { checkHandler, checkOptions } = require('./options.js')
const responses = require('./responses.js')

const CHALLENGE = 'Bearer realm="API"'
const POLICY = '"api-key"'

/** Guards a route: the handler runs only for a valid API key, and finds its verification in `context.apiKey`. */
exports.withApiKey = (handler, options = {}) => {
  checkHandler('withApiKey', handler)
  const { scopes, cost } = checkOptions('withApiKey', options, ['scopes', 'cost'])
  return responses.routeHandler(async (request, context) => {
    const key = request.headers.get('x-api-key') || bearerToken(request)
    if (!key) return missing()
    const { ip, claimedIp, path } = clientOf(request)
    const about = { ip, claimedIp, scopes, cost, path }
    const apiKey = await responses.byGuard(verifyApiKey(key, about))
    if (!apiKey.valid) return refused(apiKey)
    const response = await handler(request, { ...context, apiKey })
    return response?.headers ? responses.withHeaders(response, rateLimitOf(apiKey)) : response
  })
}

/** The token of `Authorization: Bearer <token>`. */
function bearerToken(request) {
  return /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
}

function missing() {
  const message = 'Missing required header: x-api-key'
  return responses.unauthorized(CHALLENGE, { ...invalidKey, message })
}

function refused(refusal) {
  if (refusal.status === 401)
    return responses.unauthorized(`${CHALLENGE}, error="invalid_token"`, refusal)
  return responses.failure(refusal, rateLimitOf(refusal))
}

/** The headers of draft-ietf-httpapi-ratelimit-headers-11. There are none if the result has no rate limit. */
function rateLimitOf({ keyId, rateLimit, retryAfterMs = Infinity }) {
  if (!rateLimit) return {}
  const { limit, remaining, resetMs } = rateLimit
  const window = native.rateLimitWindow(keyId)
  // `Retry-After` must not be earlier than the reset that the header announces.
  const resetSeconds = Math.ceil(Math.min(resetMs, retryAfterMs) / 1000)
  return {
    'RateLimit-Policy': `${POLICY};q=${limit}${window > 0 ? `;w=${window}` : ''}`,
    RateLimit: `${POLICY};r=${remaining};t=${resetSeconds}`,
  }
}
