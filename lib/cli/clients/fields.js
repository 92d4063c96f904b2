'use strict'

// The fields of a client on the command line.

const { fields } = require('../../client-fields.js')
const byTable = require('../fields.js')
const { namedLimitsOf, quotasOf } = require('../limits.js')

const statusOf = ({ isActive }) => (isActive ? 'active' : 'disabled')

const shown = { isActive: statusOf, limits: namedLimitsOf, quotas: quotasOf }

/** How many keys the client has, of as many as it may have. */
const keysOf = ({ keyCount, maxKeys }) =>
  maxKeys === null ? keyCount : `${keyCount} of ${maxKeys}`

/** Clients as a table: its headings and rows. */
const table = (clients) => [
  ['ID', 'NAME', 'STATUS', 'KEYS', 'PARENT', 'CREATED'],
  clients.map((client) => [
    client.clientId,
    client.name,
    statusOf(client),
    keysOf(client),
    client.parentId,
    client.createdAt,
  ]),
]

module.exports = {
  changesOf: (given, command) => byTable.changesOf(fields, given, command),
  clearable: byTable.clearableOf(fields),
  /** A client is named by the argument of a command, and not by `--client`. */
  flags: { clientId: '<id>' },
  options: byTable.optionsFor(fields),
  record: (client) => byTable.record(fields, client, shown),
  table,
}
