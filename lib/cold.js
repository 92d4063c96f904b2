'use strict'

// The cold path of `verifyApiKey`: the native call that may need the database, and what is made of its answer.

const native = require('./addon.js')
const { guarded, unwrap } = require('./errors.js')
const { flushAtExit } = require('./exit.js')
const { freeze, remember } = require('./templates.js')

/**
 * Verifies a key: the result, and the windows of its limits in seconds. A guard passes the text of the scopes that it asks for, and
 * a cost of a limit that the key does not have is no mistake then.
 */
exports.verifyCold = async (key, context, guardScopes) => {
  flushAtExit()
  const result = unwrap(await guarded(native.verifyApiKey, key, context, guardScopes))
  const windows = result.limits?.map(({ windowSeconds }) => windowSeconds) ?? []
  for (const limit of result.limits ?? []) delete limit.windowSeconds
  // The results of the warm path share these, so that they are frozen there.
  freeze(result.scopes)
  freeze(result.metadata)
  freeze(result.client)
  freeze(result.claims)
  if (result.valid) remember(result)
  delete result.graceEndsAt
  delete result.keyNumber
  // Loaded when it is first needed, so that importing the package stays quick.
  return { result: require('./dates.js').withDates(result), windows }
}
