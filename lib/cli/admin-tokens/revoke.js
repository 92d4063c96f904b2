'use strict'

const { Exit } = require('../faults.js')
const { confirmed } = require('../input.js')
const { notFound } = require('../not-found.js')
const { quoted } = require('../output.js')

module.exports = {
  summary: 'Revokes an admin token for good; its row stays.',
  details: 'At a terminal you are asked first.',
  positionals: ['<id>'],
  options: { yes: { type: 'boolean', short: 'y', help: 'Do not ask' } },
  examples: [
    ['npx sophra-api-keys admin-tokens revoke 7c9e6679-…', 'After a question'],
    ['npx sophra-api-keys admin-tokens revoke 7c9e6679-… --yes', 'Without one'],
  ],
  async run({ options, positionals: [id] }, output, addon) {
    const token = (await addon.listAdminTokens()).find((token) => token.id === id)
    if (!token) throw notFound('Admin token')
    if (!(await confirmed(`Revoke ${quoted(token.name)}?`, options))) {
      output.note('Nothing was changed.')
      return Exit.no
    }
    await addon.revokeAdminToken(id)
    if (output.json) output.value({ id, revoked: true })
    else output.note(`Revoked: ${token.name}`)
    return Exit.done
  },
}
