'use strict'

// `@sophra/api-keys/express`: a middleware for Express.

const { keyGuard } = require('../guard/key-guard.js')
const { announce, refundAfter, send, thrown, view } = require('../guard/node.js')

exports.requireApiKey = (options = {}) => {
  const { admit, refund } = keyGuard('requireApiKey', options, view)
  const passes = (request, response, outcome) => {
    if (outcome.status) {
      send(response, outcome)
      return false
    }
    request.apiKey = outcome.apiKey
    announce(response, outcome.headers)
    if (refund) refundAfter(response, outcome.apiKey, refund)
    return true
  }
  return (request, response, next) => {
    const admitted = admit(request)
    // What `next` throws is no error of the guard.
    if (admitted instanceof Promise)
      admitted
        .then((outcome) => passes(request, response, outcome))
        .then(
          (isPassed) => isPassed && next(),
          (error) => next(thrown(error)),
        )
    else if (passes(request, response, admitted)) next()
  }
}
