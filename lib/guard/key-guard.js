'use strict'

// The guard of keys, which knows no framework. It sees a request through a view of its server:
//
//   header(request, name)  the value of a header, whose name is in lower case; nothing if it is absent
//   method(request)        the method
//   path(request)          the path that the client asked for, without the query
//   peer(request)          the address at the other end of the socket; nothing where the server does not show it
//
// `request` is what the app's own functions get, such as `cost`.

const { verifyCold } = require('../cold.js')
const { verifyWarmRequest } = require('../warm.js')
const { byGuard, failure, faultOf } = require('./answers.js')
const { clientOf } = require('./client.js')
const { checkKeyOptions } = require('./options.js')
const { keyOf, missing, notAccepted } = require('./presented-key.js')
const { rateLimitOf } = require('./rate-limit.js')

/**
 * Makes a guard by its options, which are checked now:
 *
 *   admit(request)            `{ apiKey, headers }`, the headers to add to the response; or, for a refusal and for an error of the
 *                             addon, the answer `{ status, headers, body }` to send in place of that of the handler
 *   refund(apiKey, response)  gives back what the request was charged if the app says so of the response; absent if it never does
 */
exports.keyGuard = (name, options, view) => {
  const requirements = checkKeyOptions(name, options)
  const { refundOn } = requirements
  const admit = async (request) => {
    try {
      return await outcomeOf(request, requirements, view)
    } catch (error) {
      return faultOf(error)
    }
  }
  // What cannot be given back stays charged: the response is the same.
  const refund = async (apiKey, response) => {
    if (await refundOn(response)) await apiKey.settle(0).catch(() => false)
  }
  return { admit, refund: refundOn ? refund : undefined }
}

async function outcomeOf(request, requirements, view) {
  const key = keyOf(view, request)
  if (!key) return missing(view, request)
  const { scopes, cost, tag } = requirements
  const required =
    typeof cost === 'function' ? { scopes, cost: (await cost(request)) ?? NaN, tag } : requirements
  const verified = warm(key, request, required, view) ?? (await any(key, request, required, view))
  const { result: apiKey, windows } = verified
  // Which key it was is for the app only.
  if (!apiKey.valid) return refused(apiKey, windows)
  // Not enumerable: a copy of the verification is plain data.
  Object.defineProperty(apiKey, 'settle', { value: settleOf(apiKey) })
  return { apiKey, headers: rateLimitOf(apiKey, windows) }
}

/** The verification of a key that is in memory, by one native call; `undefined` if that is not enough. */
function warm(key, request, requirements, view) {
  const forwarded = view.header(request, 'x-forwarded-for') ?? ''
  return verifyWarmRequest(key, forwarded, requirements, view.path(request))
}

function any(key, request, { scopes, cost, tag }, view) {
  const { ip, claimedIp, path } = clientOf(view, request)
  return byGuard(verifyCold(key, { ip, claimedIp, cost, tag, path }, scopes))
}

function refused(refusal, windows) {
  if (refusal.status === 401) return notAccepted(refusal)
  return failure(refusal, rateLimitOf(refusal, windows))
}

const settleOf =
  ({ charge }) =>
  async (actualCost) =>
    charge !== null && byGuard(require('../../index.js').settle(charge, actualCost))
