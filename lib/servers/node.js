'use strict'

// `@sophra/api-keys/node`: a guard for listeners of `node:http`.

const { keyGuard } = require('../guard/key-guard.js')
const { announce, refundAfter, send, view } = require('../guard/node.js')
const { checkHandler } = require('../guard/options.js')

exports.withApiKey = (handler, options = {}) => {
  checkHandler('withApiKey', handler)
  const { admit, fault, refund } = keyGuard('withApiKey', options, view)
  return async (request, response) => {
    const outcome = await admit(request)
    if (outcome.status) return send(response, outcome)
    request.apiKey = outcome.apiKey
    announce(response, outcome.headers)
    if (refund) refundAfter(response, outcome.apiKey, refund)
    try {
      await handler(request, response)
    } catch (error) {
      const answer = fault(request, error)
      // The client must not take what was sent before for the whole.
      if (response.headersSent) response.destroy()
      else send(response, answer)
    }
  }
}
