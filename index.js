'use strict'

// The native addon answers in JSON, with instants in milliseconds. Objects, dates and errors are made in JavaScript, so that
// they belong to the caller's realm: `instanceof` then holds in jest's sandboxes and in vm contexts.

const native = require('./lib/addon.js')
const { verifyCold } = require('./lib/cold.js')
const { invalidInput } = require('./lib/constants.js')
const { ApiKeyError, guarded, isApiKeyError, unwrap } = require('./lib/errors.js')
const { flushAtExit } = require('./lib/exit.js')
const { verifyWarm } = require('./lib/warm.js')

// These are loaded when they are first needed, so that importing the package stays quick.
const withDates = (object) => require('./lib/dates.js').withDates(object)
const withTokenDates = (token) => require('./lib/dates.js').withTokenDates(token)
const withQuotaDates = (state) => require('./lib/dates.js').withQuotaDates(state)
const withUsageDates = (rows) => require('./lib/dates.js').withUsageDates(rows)
const withEventDates = (event) => require('./lib/dates.js').withEventDates(event)

const same = (value) => value
const orNull = (value) => value ?? null

/** Makes an exported function of a native one. It is async, so that it never throws synchronously. */
function exported(call, revive = same) {
  return async (...args) => {
    flushAtExit()
    return revive(unwrap(await guarded(call, ...args)))
  }
}

/** The same of one that takes what is to be done, and by whom. What it takes besides is for the routes of this package. */
const changing = (call, revive) => exported((input, options) => call(input, options), revive)

/** Makes an exported function of a native one that returns a list. */
function listed(call, revive, resultOf) {
  return async (...args) => {
    flushAtExit()
    const answer = await guarded(call, ...args)
    return resultOf(await require('./lib/lists.js').readList(answer, revive))
  }
}

// One assignment for each name: Node.js then finds the names for `import { createApiKey } from '@sophra/api-keys'`.
exports.createApiKey = changing(native.createApiKey, withDates)
exports.getApiKey = exported(native.getApiKey, (key) => orNull(withDates(key)))
exports.listApiKeys = listed(native.listApiKeys, withDates, ({ rows, nextCursor }) => ({
  keys: rows,
  nextCursor,
}))
exports.updateApiKey = changing(native.updateApiKey, withDates)
exports.patchApiKey = changing(native.patchApiKey, withDates)
exports.revokeApiKey = changing(native.revokeApiKey, withDates)
exports.revokePresentedKey = exported(native.revokePresentedKey)
exports.revokeApiKeys = exported(native.revokeApiKeys)
exports.importApiKeys = exported(native.importApiKeys)
exports.exportApiKeys = exported(native.exportApiKeys)
exports.reportLeakedKeys = exported(native.reportLeakedKeys)
exports.restoreApiKey = exported(native.restoreApiKey, withDates)
exports.deleteApiKey = exported(native.deleteApiKey)
exports.setClient = exported(native.setClient, withDates)
exports.getClient = exported(native.getClient, (client) => orNull(withDates(client)))
exports.listClients = listed(native.listClients, withDates, ({ rows, nextCursor }) => ({
  clients: rows,
  nextCursor,
}))
exports.deleteClient = exported(native.deleteClient)
exports.setRole = exported(native.setRole)
exports.listRoles = exported(native.listRoles)
exports.deleteRole = exported(native.deleteRole)
exports.listScopes = () => unwrap(guarded(native.listScopes)) ?? null
exports.getQuota = exported(native.getQuota, withQuotaDates)
exports.grantQuota = exported(native.grantQuota, withQuotaDates)
exports.verifyApiKey = async (key, context) =>
  verifyWarm(key, context) ?? (await verifyCold(key, context)).result
exports.settle = exported(native.settle)
exports.deriveToken = async (key, options) =>
  require('./lib/derived-tokens.js').deriveToken(key, options)
exports.rotateTokenKey = exported(native.rotateTokenKey)
exports.getUsage = exported((query) => native.getUsage(query), withUsageDates)
exports.exportUsage = exported(native.exportUsage, withUsageDates)
exports.setWebhook = exported(native.setWebhook, ({ webhook, secret }) => ({
  ...withDates(webhook),
  ...(secret && { secret }),
}))
exports.listWebhooks = exported(native.listWebhooks, (webhooks) => webhooks.map(withDates))
exports.deleteWebhook = exported(native.deleteWebhook)
exports.listDeliveries = exported(native.listDeliveries)
exports.redeliver = exported(native.redeliver)
exports.createAdminToken = exported(native.createAdminToken, withTokenDates)
exports.verifyAdminToken = exported(native.verifyAdminToken)
exports.listAdminTokens = async (query) =>
  (await require('./lib/admin-tokens.js').listTokens(query)).tokens
exports.rotateAdminToken = async (input, options) =>
  require('./lib/admin-tokens.js').rotateToken(input, options)
exports.revokeAdminToken = exported(native.revokeAdminToken)
exports.listAuditEvents = listed(
  native.listAuditEvents,
  withEventDates,
  ({ rows, nextCursor }) => ({
    events: rows,
    nextCursor,
  }),
)
exports.migrate = exported(native.migrate)
exports.warmUp = exported(native.warmUp)
exports.flush = exported(native.flush)
exports.close = exported(native.close)
exports.health = exported(native.health)
exports.metrics = () => guarded(native.metrics)
exports.configure = (options) => unwrap(guarded(native.configure, options))
exports.ApiKeyError = ApiKeyError
exports.isApiKeyError = isApiKeyError
exports.onEvent = (callback, options) => {
  if (typeof callback !== 'function') throw invalidListener('callback', 'must be a function')
  return require('./lib/events.js').onEvent(callback, followsFleet(options))
}

/** Whether a listener wants to hear what other processes do. The names of unknown fields are not repeated. */
function followsFleet(options) {
  const { fleet, ...others } = Object(options ?? {})
  if (typeof (options ?? {}) !== 'object' || Object.keys(others).length > 0)
    throw invalidListener('options', 'must be an object with no other field than fleet')
  if (typeof (fleet ?? false) !== 'boolean')
    throw invalidListener('options.fleet', 'must be true or false')
  return fleet ?? false
}

function invalidListener(path, message) {
  const issues = [{ path, message }]
  return new ApiKeyError({ ...invalidInput, message: `Invalid input: ${path} ${message}`, issues })
}
