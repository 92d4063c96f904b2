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
const { linesOf, verifyWarmRequest } = require('../warm.js')
const { byGuard, FaultOfApp, faultOf, isSignal, NO_STORE } = require('./answers.js')
const { clientOf, hopsOf } = require('./client.js')
const { isPreflight, preflight, readableBy } = require('./cors.js')
const { checkKeyOptions, configurationFault, scopesText } = require('./options.js')
const { keyByApp, keyOf } = require('./presented-key.js')
const { negotiated } = require('./problem.js')
const { rateLimitOf } = require('./rate-limit.js')
const { answerTo } = require('./refusals.js')

/**
 * Makes a guard by its options, which are checked now:
 *
 *   admit(request, context)   `{ apiKey, headers }`, the headers to add to the response; or, for a refusal and for an error of the
 *                             addon, the answer `{ status, headers, body }` to send in place of that of the handler. `apiKey` is
 *                             `null` if there is no key and none is needed. `context` is for functions of the app. For a valid key
 *                             in memory it is no promise, since promises would cost a good part of all that the guard does
 *   fault(request, error)     the answer to an error of the addon that the handler has thrown; throws any other error on
 *   refund(apiKey, response)  gives back what the request was charged if the app says so of the response; absent if it never does
 */
exports.keyGuard = (name, options, view) => {
  const requirements = checkKeyOptions(name, options)
  requirements.lines = requirements.isFixed ? linesOf(requirements) : undefined
  const { isForBrowsers, onRefused, refundOn } = requirements
  const readable = (request, answer) =>
    isForBrowsers ? readableBy(view.header(request, 'origin'), answer) : answer
  const answer = (request, usual) => negotiated(usual, view.header(request, 'accept'))
  const fault = (request, error) => readable(request, answer(request, faultOf(error)))
  const refuse = async (request, { refusal, windows }) => {
    const usual = answer(request, answerTo(refusal, windows))
    const own = await onRefused?.(refusal, request)
    const sent = isResponse(own) ? await answerOf(own) : usual
    return refusal.code === 'ORIGIN_NOT_ALLOWED' ? sent : readable(request, sent)
  }
  const decide = async (request, context, known) => {
    try {
      const outcome = known ?? (await outcomeOf(name, request, context, requirements, view, known))
      return outcome.refusal ? await refuse(request, outcome) : readable(request, outcome)
    } catch (error) {
      return fault(request, error)
    }
  }
  const admit = (request, context) => {
    if (isForBrowsers && isPreflight(view, request)) return preflight(view, request)
    const known = fromMemory(request, requirements, view)
    return known && !known.refusal ? readable(request, known) : decide(request, context, known)
  }
  // What cannot be given back stays charged: the response is the same.
  const refund = async (apiKey, response) => {
    if (apiKey && (await refundOn(response))) await apiKey.settle(0).catch(() => false)
  }
  return { admit, fault, refund: refundOn ? refund : undefined }
}

/** The outcome for a key in memory; `null` if it is not there, and `undefined` if there is more to do than to look for it. */
function fromMemory(request, requirements, view) {
  if (!requirements.isFixed || requirements.getKey || requirements.isUnchecked) return undefined
  const { key } = keyOf(view, request)
  if (key === null) return undefined
  const verified = warm(key, request, requirements, view)
  return verified === undefined ? null : outcomeOfVerified(verified)
}

/** `known` is `null` if the key is known not to be in memory. */
async function outcomeOf(name, request, context, requirements, view, known) {
  const { getKey, optional } = requirements
  if (requirements.isUnchecked) {
    requireConfigured(requirements.text)
    requirements.isUnchecked = false
  }
  const presented = getKey
    ? await byApp(() => keyByApp(name, getKey, request))
    : keyOf(view, request)
  const { key, refusal } = presented
  if (refusal) return optional && refusal.code === 'MISSING_KEY' ? NO_KEY : presented
  const required = requirements.isFixed
    ? requirements
    : await requiredOf(name, request, context, requirements)
  const remembered = known === null ? undefined : warm(key, request, required, view)
  const verified = remembered ?? (await any(key, request, required, view))
  return outcomeOfVerified(verified)
}

function outcomeOfVerified({ result: apiKey, windows }) {
  if (!apiKey.valid) return { refusal: apiKey, windows }
  Object.setPrototypeOf(apiKey, settling)
  return { apiKey, headers: rateLimitOf(apiKey, windows), refusal: null }
}

/** Fails the request if the guard asks for scopes or kinds that are not configured. */
function requireConfigured(text) {
  const fault = configurationFault(text)
  if (fault) throw new FaultOfApp(fault, fault.code)
}

const NO_KEY = Object.freeze({ apiKey: null, headers: Object.freeze({}), refusal: null })

/** What a request must have and costs, where functions of the app say so. */
async function requiredOf(name, request, context, requirements) {
  const { scopes, cost } = requirements
  // An option that is absent must not be found in a polluted prototype.
  const required = { __proto__: null, ...requirements }
  if (typeof scopes === 'function') {
    required.scopes = await byApp(async () => scopesText(name, await scopes(request, context)))
    requireConfigured(required.scopes)
  }
  if (typeof cost === 'function') required.cost = (await byApp(() => cost(request))) ?? NaN
  required.lines = linesOf(required)
  return required
}

/**
 * What a function of the app answers. What it throws is a fault of the server, but for signals of Next.js.
 */
async function byApp(ask) {
  try {
    return await ask()
  } catch (error) {
    throw isSignal(error) ? error : new FaultOfApp(error)
  }
}

/** The verification of a key that is in memory, by one native call; `undefined` if that is not enough. */
function warm(key, request, requirements, view) {
  const lines = requirements.isForBrowsers
    ? linesOf(requirements, originOf(view, request, requirements))
    : requirements.lines
  const hops = hopsOf(view, request) ?? ''
  return verifyWarmRequest(key, hops, lines, requirements.cost, view.path(request))
}

function any(key, request, requirements, view) {
  const { scopes, cost, tag, audience, head } = requirements
  const origin = originOf(view, request, requirements)
  const { ip, claimedIp, path } = clientOf(view, request)
  const context = { ip, claimedIp, cost, tag, audience, path, origin }
  return byGuard(verifyCold(key, context, head + scopes))
}

/** The longest origin that a key may list has 300 characters. */
const ORIGIN_READ = 301

/** The origin of the page that sends the request. Only publishable keys are bound to some, and none to a longer one. */
const originOf = (view, request, { isForBrowsers }) =>
  isForBrowsers ? view.header(request, 'origin')?.slice(0, ORIGIN_READ) : undefined

/**
 * By what it can do: there are several classes of this name, such as that of a server that brings its own. That of a failed
 * `fetch` has the status 0 and cannot be sent.
 */
const isResponse = (value) =>
  Number.isInteger(value?.status) &&
  value.status >= 200 &&
  value.status <= 599 &&
  typeof value.headers?.entries === 'function' &&
  typeof value.arrayBuffer === 'function'

/** The response of the app to a refusal, which holds for this client only. */
async function answerOf(response) {
  const { status, headers, body } = response
  const own = Object.fromEntries(headers.entries())
  const cookies = headers.getSetCookie?.() ?? []
  if (cookies.length > 0) own['set-cookie'] = cookies
  delete own['cache-control']
  // The bytes are counted when they are sent. A response of `fetch` has their number before they were decompressed.
  delete own['content-length']
  delete own['transfer-encoding']
  const bytes = body === null ? null : Buffer.from(await response.arrayBuffer())
  return { status, headers: { ...own, ...NO_STORE }, body: bytes }
}

/**
 * What a verification has of a guard. It is inherited: a copy of the verification is plain data, and a property of each one's own would
 * cost as much as all else that the guard does.
 */
const settling = Object.create(Object.prototype, {
  settle: {
    __proto__: null,
    get() {
      const { charge } = this
      return async (actualCost) =>
        charge !== null && byGuard(require('../../index.js').settle(charge, actualCost))
    },
  },
})
