'use strict'

// `@sophra/api-keys/koa`: a middleware for Koa.

const { besideVary } = require('../guard/answers.js')
const { keyGuard } = require('../guard/key-guard.js')
const { announce, refundAfter, thrown, view: ofMessage } = require('../guard/node.js')

const view = {
  header: (context, name) => ofMessage.header(context.req, name),
  method: (context) => context.req.method,
  // As the client sent it: `url` may have been rewritten.
  path: (context) => ofMessage.path({ originalUrl: context.originalUrl }),
  peer: (context) => ofMessage.peer(context.req),
}

exports.requireApiKey = (options = {}) => {
  const { admit, refund } = keyGuard('requireApiKey', options, view)
  return async (context, next) => {
    let outcome
    try {
      outcome = await admit(context)
    } catch (error) {
      throw thrown(error)
    }
    if (outcome.status) return send(context, outcome)
    context.state.apiKey = outcome.apiKey
    announce(context.res, outcome.headers)
    if (refund) refundAfter(context.res, outcome.apiKey, refund)
    return next()
  }
}

function send(context, { status, headers, body }) {
  if (context.headerSent) return
  context.status = status
  context.set(besideVary(headers, context.res.getHeader('Vary')))
  // `null` would make it a 204.
  context.body = body ?? ''
}
