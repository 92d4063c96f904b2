'use strict'

// `@sophra/api-keys/hono`: a middleware for Hono.

const { CACHE_CONTROL, NO_STORE } = require('../guard/answers.js')
const { keyGuard } = require('../guard/key-guard.js')
const { announce, view: ofMessage } = require('../guard/node.js')
const { responseOf, withHeaders } = require('../next/responses.js')
const { view: ofRequest } = require('../next/view.js')

const view = {
  header: (context, name) => ofRequest.header(context.req.raw, name),
  method: (context) => context.req.raw.method,
  path: (context) => ofRequest.path(context.req.raw),
  // `@hono/node-server` shows the message of `node:http`.
  peer: ({ env }) => (env?.incoming ? ofMessage.peer(env.incoming) : undefined),
}

exports.requireApiKey = (options = {}) => {
  const { admit, refund } = keyGuard('requireApiKey', options, view)
  return async (context, next) => {
    const outcome = await admit(context)
    if (outcome.status) return responseOf(outcome)
    context.set('apiKey', outcome.apiKey)
    const message = messageFor(context, outcome.headers)
    if (message) announce(message, outcome.headers)
    await next()
    if (refund) await refund(outcome.apiKey, context.res)
    if (message) return
    const isStorable = !context.res.headers.has(CACHE_CONTROL)
    setHeaders(context, isStorable ? { ...NO_STORE, ...outcome.headers } : outcome.headers)
  }
}

/**
 * The message of `node:http` that the response becomes, if the headers can be set there: that costs a small part of what it costs to
 * set those of a response of the Web. What a handler sets takes their place, so that `Vary`, which has to stay, is none of them.
 */
const messageFor = ({ env }, headers) =>
  env?.outgoing?.setHeader && !headers.Vary ? env.outgoing : undefined

/** Not by `context.header`, which makes a new response for each, and costs several times as much. */
function setHeaders(context, headers) {
  const response = withHeaders(context.res, headers)
  if (response === context.res) return
  // Otherwise Hono would copy the headers of one to the other.
  context.res = undefined
  context.res = response
}
