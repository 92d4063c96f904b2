'use strict'

const { Exit } = require('../errors.js')
const { optionFor, valuesOf } = require('../fields.js')
const { tokensOf } = require('./token.js')

/** The fields of the query that have an option, as rows like those of `key-fields.js`. */
const filters = [
  {
    name: 'status',
    type: 'text',
    option: 'status',
    value: '<status>',
    help: 'Only tokens that are active, expired or revoked',
  },
  {
    name: 'permission',
    type: 'text',
    option: 'permission',
    value: '<text>',
    help: 'Only tokens that hold this permission, or *',
  },
  {
    name: 'expiresBefore',
    type: 'date',
    option: 'expires-before',
    help: 'Only tokens that expire earlier, or have expired: 30d from now, or 2027-01-31T12:00:00Z',
  },
  {
    name: 'unusedSince',
    type: 'past',
    option: 'unused-since',
    help: 'Only tokens whose last use was earlier; one that was never used counts from its creation',
  },
  {
    name: 'search',
    type: 'text',
    option: 'search',
    help: 'Only tokens with this text in their name; at least 3 characters',
  },
]

module.exports = {
  summary: 'Lists admin tokens, newest first. The list holds nothing secret.',
  options: Object.fromEntries(filters.map((filter) => [filter.option, optionFor(filter)])),
  examples: [
    ['npx @sophra/api-keys admin-tokens list', 'All admin tokens'],
    [
      'npx @sophra/api-keys admin-tokens list --status active --unused-since 90d',
      'Tokens that nobody has used for 90 days',
    ],
    [
      'npx @sophra/api-keys admin-tokens list --json | jq \'.[] | select(.permissions[] == "*") | .name\'',
      'The names of the tokens with every permission',
    ],
  ],
  async run({ options }, output, addon) {
    const tokens = await tokensOf(addon, valuesOf(filters, options))
    if (output.json) {
      output.value(tokens)
    } else if (tokens.length === 0) {
      output.note('There are no such admin tokens.')
    } else {
      output.table(
        ['ID', 'NAME', 'STATUS', 'PERMISSIONS', 'EXPIRES', 'LAST USED'],
        tokens.map((token) => [
          token.id,
          token.name,
          token.status,
          token.permissions,
          token.expiresAt,
          token.lastUsedAt ?? 'never',
        ]),
      )
    }
    return Exit.ok
  },
}
