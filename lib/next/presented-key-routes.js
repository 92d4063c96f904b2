'use strict'

// `/api/keys/presented`: the key that a request presents. The key alone decides, so there is nothing to authorize.

const { revokePresentedKey } = require('../../index.js')
const { refusals } = require('../constants.js')
const { clientOf } = require('../guard/client.js')
const { checkOptions } = require('../guard/options.js')
const { keyOf } = require('../guard/presented-key.js')
const { answerTo } = require('../guard/refusals.js')
const { noContent, responseOf, routeHandler } = require('./responses.js')
const { view } = require('./view.js')

const invalidKey = refusals.find(({ code }) => code === 'INVALID_KEY')

/** The handlers of `/api/keys/presented`. */
exports.presentedKeyRoutes = (options = {}) => {
  // An `authorize` would guard nothing.
  checkOptions('presentedKeyRoutes', options, [])
  return { DELETE: routeHandler(revoke) }
}

async function revoke(request) {
  const { key, refusal } = keyOf(view, request)
  if (refusal) return responseOf(answerTo(refusal))
  const isRevoked = await revokePresentedKey(key, clientOf(view, request))
  return isRevoked ? noContent() : responseOf(answerTo(invalidKey))
}
