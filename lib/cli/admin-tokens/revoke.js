'use strict'

const { Exit } = require('../errors.js')
const { confirmed } = require('../input.js')
const { quoted } = require('../output.js')
const { tokenOf } = require('./token.js')

module.exports = {
  summary: 'Revokes an admin token permanently. Its row stays in the database.',
  details: 'At a terminal, the command asks for confirmation first.',
  positionals: ['<id>'],
  options: { yes: { type: 'boolean', short: 'y', help: 'Do not ask for confirmation' } },
  examples: [
    ['npx @sophra/api-keys admin-tokens revoke 7c9e6679-…', 'Revoke after confirmation'],
    ['npx @sophra/api-keys admin-tokens revoke 7c9e6679-… --yes', 'Revoke at once'],
  ],
  async run({ options, positionals: [given] }, output, addon) {
    const token = await tokenOf(addon, given)
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
