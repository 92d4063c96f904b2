'use strict'

// The responses that clients get from the guards and the routes, rather than from the app's own handlers.

const { internal, invalidInput: INVALID_INPUT } = require('../constants.js')

const UNAVAILABLE = 'The database is unavailable'
const CACHE_CONTROL = 'Cache-Control'
const NO_STORE = { [CACHE_CONTROL]: 'no-store' }

/** A JSON response that must not be stored: it may hold a key, or say who holds which permission. */
function json(body, status = 200, headers = {}) {
  return Response.json(body, { status, headers: { ...NO_STORE, ...headers } })
}

/** The same of a body that is JSON already. */
function jsonStream(body, headers = {}) {
  const fixed = { 'Content-Type': 'application/json', ...NO_STORE }
  return new Response(body, { headers: { ...fixed, ...headers } })
}

/** A success that has nothing to tell. */
const noContent = () => new Response(null, { status: 204 })

/** The response for a refusal or an error. */
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

/** A 400 that names the wrong field. The path of the body itself is ''. */
const invalidInput = (message, path = '') =>
  failure({ ...INVALID_INPUT, message, issues: [{ path, message }] })

/** The same of a request that does not say which key it is about. */
const missingId = () => invalidInput('API key ID is required', 'id')

/** A 500 that does not name the cause, which only the operator gets to see. */
function internalError(error) {
  console.error(error)
  return failure({ ...internal, message: 'Internal server error' })
}

/** Sets headers of a response. A response from `fetch` or `Response.redirect` is immutable, so a copy is made. */
function withHeaders(response, headers) {
  try {
    const target = response.headers
    for (const name of Object.keys(headers)) target.set(name, headers[name])
    return response
  } catch {
    const { status, statusText } = response
    const copy = new Response(response.body, { status, statusText, headers: response.headers })
    return withHeaders(copy, headers)
  }
}

/**
 * Makes a route handler of `respond`. Errors of the addon become responses. Anything else that is thrown, such as the signal of
 * `redirect()` in Next.js, goes on to the framework.
 */
function routeHandler(respond) {
  return async (request, context) => {
    let response
    try {
      response = await respond(request, context)
    } catch (error) {
      response = failed(error)
    }
    return finished(request, response)
  }
}

function failed(error) {
  if (error?.name !== 'ApiKeyError') throw error
  return error.status === 500 ? internalError(error) : failure(withoutPlace(error))
}

/** Stands for the response that a server makes of what a handler has thrown. */
function ofError(error) {
  const status = Number(error?.status ?? error?.statusCode)
  const isStatus = Number.isInteger(status) && status >= 400 && status <= 599
  return new Response(null, { status: isStatus ? status : 500 })
}

/** Where the database is, and why it cannot be reached, is for the operator only: the event says it. */
function withoutPlace(error) {
  return error.message.startsWith(UNAVAILABLE) ? { ...error, message: UNAVAILABLE } : error
}

/** Adds `no-store` if the handler has not set `Cache-Control`: caches do not tell clients apart by `x-api-key`. */
function finished(request, response) {
  const headers = response?.headers
  if (!headers) return response
  const final = headers.has(CACHE_CONTROL) ? response : withHeaders(response, NO_STORE)
  return request.method === 'HEAD' && final.body ? withoutBody(final) : final
}

function withoutBody(response) {
  const { status, statusText, headers } = response
  response.body.cancel().catch(() => {})
  return new Response(null, { status, statusText, headers })
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
  byGuard,
  failure,
  internalError,
  invalidInput,
  json,
  jsonStream,
  missingId,
  noContent,
  ofError,
  routeHandler,
  unauthorized,
  withHeaders,
}
