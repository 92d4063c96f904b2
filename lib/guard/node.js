'use strict'

// What the adapters of servers on `node:http` have in common.

const { besideVary, CACHE_CONTROL, NO_STORE } = require('./answers.js')

/** How a guard sees a request of `node:http`, or one of Express or Fastify, which shows the same and what it was before rewriting. */
exports.view = {
  // Own fields only: other code may have added one to `Object.prototype`.
  header: ({ headers }, name) => (Object.hasOwn(headers, name) ? headers[name] : undefined),
  method: (request) => request.method,
  path: (request) => pathOf(request.originalUrl ?? request.url),
  // A socket that was closed no longer says it: that is no peer that can be trusted, unlike a Unix socket, which has no address.
  peer: ({ socket }) => socket?.remoteAddress ?? (socket?.destroyed ? '' : undefined),
}

function pathOf(url) {
  const end = url.indexOf('?')
  return end < 0 ? url : url.slice(0, end)
}

/**
 * What an option has thrown, for a framework: some take values for no error, such as `undefined`. Express would let the request pass,
 * and Koa would never respond.
 */
exports.thrown = (error) =>
  typeof error === 'object' && error !== null
    ? error
    : new Error('requireApiKey: an option threw a value that is no error', { cause: error })

/** Sends the answer of a guard, unless something else, such as a timeout of the app, has answered meanwhile. */
exports.send = (response, { status, headers, body }) => {
  if (response.headersSent) return
  response.statusCode = status
  setHeaders(response, headers)
  response.end(body ?? undefined)
}

/** Sets what a guard adds to the response, before the handler runs, which may set its own. */
exports.announce = (response, headers) => {
  if (response.headersSent) return
  if (!response.hasHeader(CACHE_CONTROL)) setHeaders(response, NO_STORE)
  setHeaders(response, headers)
}

function setHeaders(response, headers) {
  const all = headers.Vary ? besideVary(headers, response.getHeader('Vary')) : headers
  for (const name of Object.keys(all)) response.setHeader(name, all[name])
}

/**
 * Asks the app once the response was sent whether to give back what the request was charged. `reply` knows the headers, where the
 * framework keeps them itself.
 */
exports.refundAfter = (response, apiKey, refund, reply = response) => {
  const ask = async () => refund(apiKey, responseOf(response.statusCode, reply.getHeaders()))
  // A response of HTTP/2 also finishes when the client breaks it off; its stream tells the two apart.
  const stream = response.req?.httpVersionMajor > 1 ? response.stream : undefined
  const sent = stream ?? response
  sent.once('finish', () => stream?.aborted || void ask().catch(console.error))
}

/** HTTP/2 has the status among the headers, as `:status`. */
const isPseudo = (name) => name.startsWith(':')

/** What can still be said of a response that was sent. */
function responseOf(status, sent) {
  const headers = new Headers()
  for (const name of Object.keys(sent))
    if (!isPseudo(name))
      for (const value of [sent[name]].flat()) headers.append(name, String(value))
  return new Response(null, { status, headers })
}
