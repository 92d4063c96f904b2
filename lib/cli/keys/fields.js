'use strict'

// The fields of a key on the command line, by the table that the whole package shares.

const { fields } = require('../../key-fields.js')
const { clearableOf, optionFor, optionsFor, ...byTable } = require('../fields.js')
const { limitsOf, namedLimitsOf, quotasOf, rateLimitOf } = require('../limits.js')

const filters = fields.filter(({ filter }) => filter)

/** The options of `keys list` that select keys by a field. */
const filterOptions = Object.fromEntries(
  filters.map((field) => [field.option, { ...optionFor(field), help: field.filter }]),
)

/** The given filters as fields of a query. */
const queryOf = (given) => byTable.valuesOf(filters, given)

/** The state of a key in one word. */
function stateOf(key, now = new Date()) {
  if (key.revokedAt) return 'revoked'
  if (!key.isActive) return 'disabled'
  if (key.expiresAt && key.expiresAt <= now) return 'expired'
  if (key.suspendedUntil && key.suspendedUntil > now) return 'suspended'
  return 'active'
}

/** Keys as a table: its headings and rows. */
const table = (keys) => [
  ['ID', 'START', 'NAME', 'CLIENT', 'STATE', 'LIMIT', 'USED', 'LAST USED'],
  keys.map((key) => [
    key.id,
    key.start,
    key.name,
    key.clientId,
    stateOf(key),
    limitsOf(key),
    key.usageCount,
    key.lastUsedAt ?? 'never',
  ]),
]

const shown = {
  isActive: (key) => stateOf(key),
  rateLimit: rateLimitOf,
  limits: namedLimitsOf,
  quotas: quotasOf,
}

module.exports = {
  changesOf: (given, command) => byTable.changesOf(fields, given, command),
  clearable: clearableOf(fields),
  filterOptions,
  inputOf: (given) => byTable.inputOf(fields, given),
  options: optionsFor(fields),
  queryOf,
  record: (key) => byTable.record(fields, key, shown),
  table,
}
