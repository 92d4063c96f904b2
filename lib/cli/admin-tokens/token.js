'use strict'

const { SHORTEST, onlyOne } = require('../keys/beginning.js')
const { readPages } = require('../pages.js')

/** All admin tokens that a query finds. */
exports.tokensOf = async (addon, query) =>
  (await readPages(addon.listTokens, 'tokens', query, { all: true })).tokens

/** The token with this id, or the only one whose id begins so. */
exports.tokenOf = async (addon, id) => {
  const tokens = await exports.tokensOf(addon, {})
  const exact = tokens.filter((token) => token.id === id)
  const found =
    exact.length > 0 || id.length < SHORTEST
      ? exact
      : tokens.filter((token) => token.id.startsWith(id))
  return onlyOne(found, 'Admin token')
}
