'use strict'

// `/api/keys/presented`: the key that a request presents. The key alone decides, so there is nothing to authorize.

const { revokePresentedKey } = require('../../index.js')
const { refusals } = require('../constants.js')
const { clientOf } = require('./client-ip.js')
const { checkOptions } = require('./options.js')
const { keyOf, missing, notAccepted } = require('./presented-key.js')
const { noContent, routeHandler } = require('./responses.js')

const invalidKey = refusals.find(({ code }) => code === 'INVALID_KEY')

/** The handlers of `/api/keys/presented`. */
exports.presentedKeyRoutes = (options = {}) => {
  // An `authorize` would guard nothing.
  checkOptions('presentedKeyRoutes', options, [])
  return { DELETE: routeHandler(revoke) }
}

async function revoke(request) {
  const key = keyOf(request)
  if (!key) return missing(request)
  const isRevoked = await revokePresentedKey(key, clientOf(request))
  return isRevoked ? noContent() : notAccepted(invalidKey)
}
