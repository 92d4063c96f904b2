'use strict'

// The answers of the guards and the routes as responses of the Web.

const answers = require('../guard/answers.js')
const { invalidInput: INVALID_INPUT } = require('../constants.js')
const { negotiated } = require('../guard/problem.js')

const { besideVary, CACHE_CONTROL, NO_STORE } = answers

/** The answers of those responses that some clients want in another form. */
const answered = new WeakMap()

function responseOf(answer) {
  const { status, headers, body } = answer
  const pairs = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value) => [name, value]),
  )
  const response = new Response(body, { status, headers: pairs })
  if (answer.failure) answered.set(response, answer)
  return response
}

/** Makes responses of what a function answers. */
const responding =
  (answer) =>
  (...args) =>
    responseOf(answer(...args))

const [failure, internalError, json, unauthorized] = [
  answers.failure,
  answers.internalError,
  answers.json,
  answers.unauthorized,
].map(responding)

/** A success whose body is JSON already. */
function jsonStream(body, headers = {}) {
  const fixed = { 'Content-Type': 'application/json', ...NO_STORE }
  return new Response(body, { headers: { ...fixed, ...headers } })
}

/** A success that has nothing to tell. */
const noContent = () => new Response(null, { status: 204 })

/** A 400 that names the wrong field. The path of the body itself is ''. */
const invalidInput = (message, path = '') =>
  failure({ ...INVALID_INPUT, message, issues: [{ path, message }] })

/** The same of a request that does not say which key it is about. */
const missingId = () => invalidInput('API key ID is required', 'id')

/** Sets headers of a response. A response from `fetch` or `Response.redirect` is immutable, so a copy is made. */
function withHeaders(response, headers) {
  try {
    const target = response.headers
    const all = besideVary(headers, target.get('Vary'))
    for (const name of Object.keys(all)) target.set(name, all[name])
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
      response = responseOf(answers.faultOf(error))
    }
    return finished(request, inFormFor(request, response))
  }
}

/** A refusal or an error in the form that the client accepts. */
function inFormFor(request, response) {
  const answer = answered.get(response)
  return answer ? responseOf(negotiated(answer, request.headers.get('accept'))) : response
}

/** Stands for the response that a server makes of what a handler has thrown. */
function ofError(error) {
  const status = Number(error?.status ?? error?.statusCode)
  const isStatus = Number.isInteger(status) && status >= 400 && status <= 599
  return new Response(null, { status: isStatus ? status : 500 })
}

/** Adds `no-store` if the handler has not set `Cache-Control`. */
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

module.exports = {
  failure,
  internalError,
  invalidInput,
  json,
  jsonStream,
  missingId,
  noContent,
  ofError,
  responseOf,
  routeHandler,
  unauthorized,
  withHeaders,
}
