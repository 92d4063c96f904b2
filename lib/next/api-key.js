'use strict'

const { isSignal } = require('../guard/answers.js')
const { keyGuard } = require('../guard/key-guard.js')
const { checkHandler } = require('../guard/options.js')
const responses = require('./responses.js')
const { view } = require('./view.js')

/** Guards a route: the handler runs only for a valid API key, and finds its verification in `context.apiKey`. */
exports.withApiKey = (handler, options = {}) => {
  checkHandler('withApiKey', handler)
  const { admit, fault, refund } = keyGuard('withApiKey', options, view)
  return responses.routeHandler(async (request, context) => {
    const outcome = await admit(request, context)
    if (outcome.status) return responses.responseOf(outcome)
    const { apiKey, headers } = outcome
    const handle = () => handler(request, { ...context, apiKey })
    try {
      const response = await (refund ? refunding(handle, apiKey, refund) : handle())
      return response?.headers ? responses.withHeaders(response, headers) : response
    } catch (error) {
      return responses.responseOf(fault(request, error))
    }
  })
}

/** The response of a handler, after which the app is asked whether to give back what the request was charged. */
async function refunding(handle, apiKey, refund) {
  let response
  try {
    response = await handle()
  } catch (error) {
    if (!isSignal(error)) await refund(apiKey, responses.ofError(error)).catch(console.error)
    throw error
  }
  if (response?.headers) await refund(apiKey, response)
  return response
}
