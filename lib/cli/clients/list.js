'use strict'

const { Exit } = require('../errors.js')
const { allOption, pageOptions, readPages } = require('../pages.js')
const { flags, table } = require('./fields.js')

module.exports = {
  summary: 'Lists the clients that have settings, newest first.',
  flags,
  options: {
    search: {
      value: '<text>',
      help: 'Only clients with this text in their name or id; at least 3 characters',
    },
    ...pageOptions('clients'),
    ...allOption('clients'),
  },
  examples: [
    ['npx @sophra/api-keys clients list --search acme', 'Clients with a word in their name or id'],
    [
      "npx @sophra/api-keys clients list --all --json | jq '.clients[] | select(.isActive | not) | .clientId'",
      'The disabled clients',
    ],
  ],
  async run({ options }, output, addon) {
    const query = { search: options.search }
    const { clients, nextCursor } = await readPages(addon.listClients, 'clients', query, options)
    if (output.json) {
      output.value({ clients, nextCursor })
    } else if (clients.length === 0) {
      output.note('There are no such clients.')
    } else {
      output.table(...table(clients))
      if (nextCursor) output.note(`There are more clients: use --cursor ${nextCursor}, or --all.`)
    }
    return Exit.ok
  },
}
