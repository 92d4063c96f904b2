'use strict'

// What clients are answered, other than by the app's own handlers.

const CACHE_CONTROL = 'Cache-Control'

/** JSON that nobody may store: it says who may do what, or holds a key. */
function json(body, status = 200, headers = {}) {
  return Response.json(body, { status, headers: { [CACHE_CONTROL]: 'no-store', ...headers } })
}

/** A refusal or a fault. */
function failure({ status, code, message, issues, retryAfterMs }, headers = {}) {
  const retryAfter = retryAfterMs === undefined ? {} : { 'Retry-After': seconds(retryAfterMs) }
  return json({ error: message, code, issues }, status, { ...retryAfter, ...headers })
}

/** Whole seconds, rounded up, at least one: who comes back earlier is only refused again. */
const seconds = (ms) => String(Math.max(1, Math.ceil(ms / 1000)))

/** A 401 with its challenge (RFC 9110, 11.6.1). */
const unauthorized = (challenge, refusal) =>
  failure({ status: 401, ...refusal }, { 'WWW-Authenticate': challenge })

/** A 400 that names the field which is wrong; the path of the whole body is ''. */
const invalidInput = (message, path = '') =>
  failure({ status: 400, code: 'INVALID_INPUT', message, issues: [{ path, message }] })

/** The cause is for the operator only. */
function internalError(error) {
  console.error(error)
  return failure({ status: 500, code: 'INTERNAL', message: 'Internal server error' })
}

/** The response with these headers; one from `fetch` or `Response.redirect` cannot be changed, so it is made anew. */
function withHeaders(response, headers) {
  try {
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
    return response
  } catch {
    const { status, statusText } = response
    const copy = new Response(response.body, { status, statusText, headers: response.headers })
    return withHeaders(copy, headers)
  }
}

/**
 * Makes a route handler of `answer`. Faults of the addon become responses; what else is thrown, like Next's `redirect()`, is
 * for the framework.
 */
function routeHandler(answer) {
  return async (request, context) => finished(request, await answered(answer, request, context))
}

async function answered(answer, request, context) {
  try {
    return await answer(request, context)
  } catch (error) {
    if (error?.name !== 'ApiKeyError') throw error
    return error.status === 500 ? internalError(error) : failure(error)
  }
}

/** A cache would hand an answer for one client to others: a key in `x-api-key` does not stop it. */
function finished(request, response) {
  if (!response?.headers) return response
  const stored = response.headers.has(CACHE_CONTROL)
  const guarded = stored ? response : withHeaders(response, { [CACHE_CONTROL]: 'no-store' })
  return request.method === 'HEAD' && guarded.body ? withoutBody(guarded) : guarded
}

function withoutBody(response) {
  const { status, statusText, headers } = response
  response.body.cancel().catch(() => {})
  return new Response(null, { status, statusText, headers })
}

/** A fault for which the options of the guard are to blame is the server's, not the client's. */
function asked(call) {
  return call.catch((fault) => {
    if (fault.code === 'INVALID_INPUT') fault.status = 500
    throw fault
  })
}

module.exports = {
  asked,
  failure,
  internalError,
  invalidInput,
  json,
  routeHandler,
  unauthorized,
  withHeaders,
}
