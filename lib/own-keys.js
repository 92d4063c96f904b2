'use strict'

// What clients do with their own keys, and with no others: the addon is told whose they are, and finds no key of anybody else.

const native = require('./addon.js')
const { withDates, withUsageDates } = require('./dates.js')
const { guarded, unwrap } = require('./errors.js')
const { flushAtExit } = require('./exit.js')

/** Makes a function of a native one, which takes the owner last. */
const owned =
  (call, revive) =>
  async (...args) => {
    flushAtExit()
    return revive(unwrap(await guarded(call, ...args)))
  }

exports.createOwnKey = owned(native.createApiKey, withDates)
exports.updateOwnKey = owned(native.updateApiKey, withDates)
exports.patchOwnKey = owned(native.patchApiKey, withDates)
exports.revokeOwnKey = owned(native.revokeApiKey, withDates)
exports.getOwnUsage = owned(native.getUsage, withUsageDates)

/** Which of these scopes the owner may not grant. Fails if the owner is described wrongly. */
exports.scopesBeyond = (owner, scopes = []) => unwrap(guarded(native.checkKeyOwner, owner, scopes))
