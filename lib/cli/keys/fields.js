'use strict'

// The fields of a key on the command line, by the table that the whole package shares.

const { fields } = require('../../key-fields.js')
const { clearableOf, initialOptionsFor, optionsFor, ...byTable } = require('../fields.js')
const { limitsOf, namedLimitsOf, quotasOf, rateLimitOf } = require('../limits.js')

/** Keys as a table: its headings and rows. */
const table = (keys) => [
  ['ID', 'START', 'NAME', 'CLIENT', 'STATUS', 'LIMIT', 'USED', 'LAST USED'],
  keys.map((key) => [
    key.id,
    key.start,
    key.name,
    key.clientId,
    key.status,
    limitsOf(key),
    key.usageCount,
    key.lastUsedAt ?? 'never',
  ]),
]

const shown = {
  rateLimit: rateLimitOf,
  limits: namedLimitsOf,
  quotas: quotasOf,
}

module.exports = {
  changesOf: (given, command) => byTable.changesOf(fields, given, command),
  clearable: clearableOf(fields),
  initialOf: (given) => byTable.initialOf(fields, given),
  initialOptions: initialOptionsFor(fields),
  inputOf: (given) => byTable.inputOf(fields, given),
  options: optionsFor(fields),
  record: (key) => byTable.record(fields, key, shown),
  table,
}
