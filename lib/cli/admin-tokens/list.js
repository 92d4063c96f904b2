'use strict'

const { Exit } = require('../errors.js')

module.exports = {
  summary: 'Lists admin tokens, newest first. The list holds nothing secret.',
  examples: [
    ['npx sophra-api-keys admin-tokens list', 'All admin tokens'],
    [
      'npx sophra-api-keys admin-tokens list --json | jq \'.[] | select(.permissions[] == "*") | .name\'',
      'The names of the tokens with every permission',
    ],
  ],
  async run(_given, output, addon) {
    const tokens = await addon.listAdminTokens()
    if (output.json) {
      output.value(tokens)
    } else if (tokens.length === 0) {
      output.note('There are no admin tokens.')
    } else {
      output.table(
        ['ID', 'NAME', 'STATUS', 'PERMISSIONS', 'EXPIRES', 'LAST USED'],
        tokens.map((token) => [
          token.id,
          token.name,
          statusOf(token),
          token.permissions,
          token.expiresAt,
          token.lastUsedAt ?? 'never',
        ]),
      )
    }
    return Exit.ok
  },
}

function statusOf({ isActive, expiresAt }) {
  if (!isActive) return 'revoked'
  return expiresAt && expiresAt <= new Date() ? 'expired' : 'active'
}
