'use strict'

// What the package and the routes for admin tokens have in common.

const native = require('./addon.js')
const { withTokenDates } = require('./dates.js')
const { guarded, unwrap } = require('./errors.js')
const { flushAtExit } = require('./exit.js')
const { readList } = require('./lists.js')

/** A page of tokens: `{ tokens, nextCursor }`. */
exports.listTokens = async (query) => {
  flushAtExit()
  const { rows, nextCursor } = await readList(
    await guarded(native.listAdminTokens, query),
    withTokenDates,
  )
  return { tokens: rows, nextCursor }
}

/**
 * Replaces a token. If it has permissions beyond those that are `held`, it stays as it is, and the answer is `{ missingPermissions }`.
 * Without `held`, nobody asks.
 */
exports.rotateToken = async (input, options, held) => {
  flushAtExit()
  return withTokenDates(unwrap(await guarded(native.rotateAdminToken, input, options, held)))
}
