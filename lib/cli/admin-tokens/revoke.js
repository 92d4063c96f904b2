'use strict'

const { Exit } = require('../errors.js')
const { confirmed } = require('../input.js')
const { SHORTEST, onlyOne } = require('../keys/beginning.js')
const { quoted } = require('../output.js')

module.exports = {
  summary: 'Revokes an admin token permanently. Its row stays in the database.',
  details: 'At a terminal, the command asks for confirmation first.',
  positionals: ['<id>'],
  options: { yes: { type: 'boolean', short: 'y', help: 'Do not ask for confirmation' } },
  examples: [
    ['npx sophra-api-keys admin-tokens revoke 7c9e6679-…', 'Revoke after confirmation'],
    ['npx sophra-api-keys admin-tokens revoke 7c9e6679-… --yes', 'Revoke at once'],
  ],
  async run({ options, positionals: [given] }, output, addon) {
    const token = tokenOf(await addon.listAdminTokens(), given)
    const { id } = token
    if (!(await confirmed(`Revoke ${quoted(token.name)}?`, options))) {
      output.note('Nothing was changed.')
      return Exit.negative
    }
    await addon.revokeAdminToken(id)
    if (output.json) output.value({ id, revoked: true })
    else output.note(`Revoked: ${token.name}`)
    return Exit.ok
  },
}

/** The token with this id, or the only one whose id begins so. */
function tokenOf(tokens, id) {
  const exact = tokens.filter((token) => token.id === id)
  const found =
    exact.length > 0 || id.length < SHORTEST
      ? exact
      : tokens.filter((token) => token.id.startsWith(id))
  return onlyOne(found, 'Admin token')
}
