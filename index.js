'use strict'

// The addon answers in JSON, with instants in milliseconds. Objects, dates and errors are made here and in `lib/errors.js`, so
// that they belong to the caller's realm (`instanceof` holds in jest's sandboxes and in vm contexts).

const native = require('./lib/addon.js')
const { onEvent, withEventDates } = require('./lib/events.js')
const { flushAtExit } = require('./lib/exit.js')
const { ApiKeyError, guarded, open } = require('./lib/errors.js')
const { freeze, verifyWarm } = require('./lib/warm.js')

const DATES = [
  'expiresAt',
  'createdAt',
  'updatedAt',
  'lastUsedAt',
  'suspendedUntil',
  'previousKeyExpiresAt',
]

function withDates(object) {
  for (const name of DATES) {
    if (typeof object?.[name] === 'number') object[name] = new Date(object[name])
  }
  return object
}

/** As the results of the warm path are. */
function withSharedFrozen(verification) {
  freeze(verification.scopes)
  freeze(verification.metadata)
  return withDates(verification)
}

const same = (value) => value
const orNull = (value) => value ?? null

/** An exported function: async, so that nothing is ever thrown synchronously. */
function exported(call, revive = same) {
  return async (...args) => {
    flushAtExit()
    return revive(open(await guarded(call, ...args)))
  }
}

// One assignment a name: so Node finds the names for `import { createApiKey } from '@sophra/api-keys'`.
exports.createApiKey = exported(native.createApiKey, withDates)
exports.getApiKey = exported(native.getApiKey, (key) => orNull(withDates(key)))
exports.listApiKeys = exported(native.listApiKeys, (page) => (page.keys.forEach(withDates), page))
exports.updateApiKey = exported(native.updateApiKey, withDates)
exports.patchApiKey = exported(native.patchApiKey, withDates)
exports.deleteApiKey = exported(native.deleteApiKey)
const verifyCold = exported(native.verifyApiKey, withSharedFrozen)
exports.verifyApiKey = async (key, context) => verifyWarm(key, context) ?? verifyCold(key, context)
exports.createAdminToken = exported(native.createAdminToken, withDates)
exports.verifyAdminToken = exported(native.verifyAdminToken)
exports.listAdminTokens = exported(native.listAdminTokens, (tokens) => tokens.map(withDates))
exports.revokeAdminToken = exported(native.revokeAdminToken)
exports.listAuditEvents = exported(native.listAuditEvents, (page) => {
  page.events = page.events.map(withEventDates)
  return page
})
exports.migrate = exported(native.migrate)
exports.flush = exported(native.flush)
exports.close = exported(native.close)
exports.health = exported(native.health)
exports.metrics = () => guarded(native.metrics)
exports.configure = (options) => open(guarded(native.configure, options))
exports.onEvent = (callback) => {
  if (typeof callback === 'function') return onEvent(callback)
  const message = 'must be a function'
  throw new ApiKeyError({
    message: `Invalid input: callback ${message}`,
    code: 'INVALID_INPUT',
    status: 400,
    issues: [{ path: 'callback', message }],
  })
}
