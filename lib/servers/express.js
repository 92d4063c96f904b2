'use strict'

// `@sophra/api-keys/express`: a middleware for Express.

const { keyGuard } = require('../guard/key-guard.js')
const { announce, refundAfter, send, thrown, view } = require('../guard/node.js')

exports.requireApiKey = (options = {}) => {
  const { admit, refund } = keyGuard('requireApiKey', options, view)
  const guard = async (request, response) => {
    const outcome = await admit(request)
    if (outcome.status) return send(response, outcome)
    request.apiKey = outcome.apiKey
    announce(response, outcome.headers)
    if (refund) refundAfter(response, outcome.apiKey, refund)
    return PASSES
  }
  return (request, response, next) => {
    guard(request, response).then(
      (passes) => passes === PASSES && next(),
      (error) => next(thrown(error)),
    )
  }
}

const PASSES = Symbol('passes')
