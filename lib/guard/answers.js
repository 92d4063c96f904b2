'use strict'

// What clients get from the guards and the routes rather than from the app's own handlers, as `{ status, headers, body }`: each
// server has a way of its own to send it.

const { internal, invalidInput: INVALID_INPUT } = require('../constants.js')

const UNAVAILABLE = 'The database is unavailable'
const CACHE_CONTROL = 'Cache-Control'
/** Caches do not tell clients apart by `x-api-key`. */
const NO_STORE = { [CACHE_CONTROL]: 'no-store' }

/** JSON that must not be stored: it may hold a key, or say who holds which permission. */
const json = (body, status = 200, headers = {}) => ({
  status,
  headers: { 'Content-Type': 'application/json', ...NO_STORE, ...headers },
  body: JSON.stringify(body),
})

/** The answer to a refusal or an error. */
function failure(failed, headers = {}) {
  const { status, code, message, reason, hint, issues, keyId, retryAfterMs } = failed
  const retryAfter = retryAfterMs === undefined ? {} : { 'Retry-After': seconds(retryAfterMs) }
  const body = { error: message, code, reason, hint, issues }
  // A refusal knows the key too, but its id is not the client's business.
  if (code === 'CONFLICT') body.keyId = keyId
  return json(body, status, { ...retryAfter, ...headers })
}

/** Whole seconds, rounded up, and at least one: an earlier retry would be refused again. */
const seconds = (ms) => String(Math.max(1, Math.ceil(ms / 1000)))

/** A 401 with its challenge (RFC 9110, 11.6.1). */
const unauthorized = (challenge, refusal) => failure(refusal, { 'WWW-Authenticate': challenge })

/** A 500 that does not name the cause, which only the operator gets to see. */
function internalError(error) {
  console.error(error)
  return failure({ ...internal, message: 'Internal server error' })
}

/** The answer to an error of the addon. Anything else that is thrown is thrown on. */
function faultOf(error) {
  if (error?.name !== 'ApiKeyError') throw error
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

module.exports = {
  CACHE_CONTROL,
  NO_STORE,
  byGuard,
  failure,
  faultOf,
  internalError,
  json,
  unauthorized,
}
