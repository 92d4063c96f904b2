'use strict'

// What clients get from the guards and the routes rather than from the app's own handlers, as `{ status, headers, body }`: each
// server has a way of its own to send it. A header is a text or a list of texts, and a body a text, a Buffer or `null`.

const { internal, invalidInput: INVALID_INPUT } = require('../constants.js')
const { isApiKeyError } = require('../errors.js')

const UNAVAILABLE = 'The database is unavailable'
/** In lower case, as servers keep names: one that they need not convert costs less. */
const CACHE_CONTROL = 'cache-control'
/** Caches do not tell clients apart by `x-api-key`. */
const NO_STORE = { [CACHE_CONTROL]: 'no-store' }

/** JSON that must not be stored: it may hold a key, or say who holds which permission. */
const json = (body, status = 200, headers = {}) => ({
  status,
  headers: { 'Content-Type': 'application/json', ...NO_STORE, ...headers },
  body: JSON.stringify(body),
  failure: null,
})

/** The answer to a refusal or an error. It has the members of its body, too: some clients want them in another form. */
function failure(failed, headers = {}) {
  const {
    status,
    code,
    message,
    reason,
    hint,
    issues,
    missingScopes,
    missingPermissions,
    keyId,
    retryAfterMs,
  } = failed
  const retryAfter = retryAfterMs === undefined ? {} : { 'Retry-After': seconds(retryAfterMs) }
  const body = { error: message, code, reason, hint, issues, missingScopes, missingPermissions }
  // A refusal knows the key too, but its id is not the client's business.
  if (code === 'CONFLICT') body.keyId = keyId
  return { ...json(body, status, { ...retryAfter, ...headers }), failure: body }
}

/** Whole seconds, rounded up, and at least one: an earlier retry would be refused again. */
const seconds = (ms) => String(Math.max(1, Math.ceil(ms / 1000)))

/** A 401 with its challenge (RFC 9110, 11.6.1), or a 403 that another token could do without (RFC 6750, 3.1). */
const unauthorized = (challenge, refusal) => failure(refusal, { 'WWW-Authenticate': challenge })

/** A 500 that does not name the cause, which only the operator gets to see. */
function internalError(error, code = internal.code) {
  console.error(error)
  return failure({ ...internal, code, message: 'Internal server error' })
}

/** What a function of the app has thrown, or a wrong value that it has answered. */
class FaultOfApp {
  constructor(error, code) {
    this.error = error
    this.code = code
  }
}

/** Whether it is a signal of Next.js, such as that of `redirect()`, which goes on to it. They carry a digest. */
const isSignal = (error) => typeof error?.digest === 'string'

/** Whether an error is one of the addon. A class of the app may have the same name, and must not decide what the answer is. */
const isOfAddon = (error) =>
  isApiKeyError(error) &&
  Number.isInteger(error.status) &&
  error.status >= 400 &&
  error.status <= 599

/** The answer to an error of the addon or of a function of the app. Anything else that is thrown is thrown on. */
function faultOf(error) {
  if (error instanceof FaultOfApp) return internalError(error.error, error.code)
  if (!isOfAddon(error)) throw error
  return error.status === 500 ? internalError(error) : failure(withoutPlace(error))
}

/** Where the database is, and why it cannot be reached, is for the operator only: the event says it. */
function withoutPlace(error) {
  return error.message.startsWith(UNAVAILABLE) ? { ...error, message: UNAVAILABLE } : error
}

/**
 * Awaits a verify of a guard. Its input comes from the options of the guard, so an invalid input is a mistake of the server, not of
 * the client.
 */
function byGuard(verify) {
  return verify.catch((error) => {
    if (error.code === INVALID_INPUT.code) error.status = 500
    throw error
  })
}

/** Headers that leave what the response varies by already, such as by `Origin`. */
const besideVary = (headers, present) =>
  present && headers.Vary ? { ...headers, Vary: variedBy(present, headers.Vary) } : headers

/** Each name once: an app may send the same response again and again. */
function variedBy(present, added) {
  const names = String(present).split(/ *, */)
  const known = names.map((name) => name.toLowerCase())
  const others = added.split(', ').filter((name) => !known.includes(name.toLowerCase()))
  return [...names, ...others].join(', ')
}

module.exports = {
  CACHE_CONTROL,
  FaultOfApp,
  NO_STORE,
  besideVary,
  byGuard,
  failure,
  faultOf,
  internalError,
  isOfAddon,
  isSignal,
  json,
  unauthorized,
}
