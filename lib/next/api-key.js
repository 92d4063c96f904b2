'use strict'

const { verifyCold } = require('../cold.js')
const { verifyWarmRequest } = require('../warm.js')
const { clientOf, pathOf } = require('./client-ip.js')
const { checkHandler, checkKeyOptions } = require('./options.js')
const { keyOf, missing, notAccepted } = require('./presented-key.js')
const responses = require('./responses.js')

const POLICY = '"api-key"'

/** Guards a route: the handler runs only for a valid API key, and finds its verification in `context.apiKey`. */
exports.withApiKey = (handler, options = {}) => {
  checkHandler('withApiKey', handler)
  const requirements = checkKeyOptions('withApiKey', options)
  const { scopes, cost, tag, refundOn } = requirements
  return responses.routeHandler(async (request, context) => {
    const key = keyOf(request)
    if (!key) return missing(request)
    const required =
      typeof cost === 'function'
        ? { scopes, cost: (await cost(request)) ?? NaN, tag }
        : requirements
    const verified = warm(key, request, required) ?? (await any(key, request, required))
    const { result: apiKey, windows } = verified
    // Which key it was is for the app only.
    if (!apiKey.valid) return refused(apiKey, windows)
    // Not enumerable: a copy of the verification is plain data.
    Object.defineProperty(apiKey, 'settle', { value: settleOf(apiKey) })
    const handle = () => handler(request, { ...context, apiKey })
    const response = await (refundOn ? refunding(handle, apiKey, refundOn) : handle())
    if (!response?.headers) return response
    return responses.withHeaders(response, rateLimitOf(apiKey, windows))
  })
}

const settleOf =
  ({ charge }) =>
  async (actualCost) =>
    charge !== null && responses.byGuard(require('../../index.js').settle(charge, actualCost))

/**
 * The response of a handler. What the request was charged is given back if the app says so of the response. What cannot be given
 * back stays charged: the response is the same.
 */
async function refunding(handle, apiKey, refundOn) {
  const refundFor = async (response) => {
    if (await refundOn(response)) await apiKey.settle(0).catch(() => false)
  }
  let response
  try {
    response = await handle()
  } catch (error) {
    // Next.js throws signals of its own, such as that of `redirect()`. They carry a digest.
    if (typeof error?.digest !== 'string')
      await refundFor(responses.ofError(error)).catch(console.error)
    throw error
  }
  if (response?.headers) await refundFor(response)
  return response
}

/** The verification of a key that is in memory, by one native call; `undefined` if that is not enough. */
function warm(key, request, requirements) {
  const forwarded = request.headers.get('x-forwarded-for') ?? ''
  return verifyWarmRequest(key, forwarded, requirements, pathOf(request.url))
}

function any(key, request, { scopes, cost, tag }) {
  const { ip, claimedIp, path } = clientOf(request)
  return responses.byGuard(verifyCold(key, { ip, claimedIp, scopes, cost, tag, path }, true))
}

function refused(refusal, windows) {
  if (refusal.status === 401) return notAccepted(refusal)
  return responses.failure(refusal, rateLimitOf(refusal, windows))
}

/**
 * The headers of draft-ietf-httpapi-ratelimit-headers-11, with an item for each limit. There are none without a limit; quotas
 * have no items.
 */
function rateLimitOf({ code, limits = [], limitedBy, retryAfterMs = Infinity }, windows) {
  if (limits.length === 0) return {}
  const policies = limits.map(
    (limit, index) => `${policyOf(limit)};q=${limit.limit};w=${windows[index]}`,
  )
  const states = limits.map((limit) => {
    // `Retry-After` must not be earlier than the reset that the header announces.
    const isLimiting = code === 'RATE_LIMITED' && isOf(limitedBy, limit)
    const resetMs = isLimiting ? Math.min(limit.resetMs, retryAfterMs) : limit.resetMs
    return `${policyOf(limit)};r=${limit.remaining};t=${Math.ceil(resetMs / 1000)}`
  })
  return { 'RateLimit-Policy': policies.join(', '), RateLimit: states.join(', ') }
}

/** Whether a limit is the one that refused. A quota may have the same level and name. */
const isOf = (limitedBy, { level, name }) => limitedBy.level === level && limitedBy.name === name

/** The name of a limit in the headers: that of the key's own rate limit is `api-key`. */
function policyOf({ level, name }) {
  if (level !== 'key' || `"${name}"` === POLICY) return `"${level}/${name}"`
  return name === 'default' ? POLICY : `"${name}"`
}
