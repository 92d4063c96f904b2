'use strict'

const { Exit } = require('../errors.js')
const { clientOf } = require('./client.js')
const { flags, record } = require('./fields.js')

module.exports = {
  summary: 'Shows the settings of a client, and how many keys it has.',
  details: `A client has settings once clients set has made some. Exit code 1: it has none.`,
  positionals: ['<id>'],
  flags,
  examples: [
    ['npx @sophra/api-keys clients get acme', 'The client whose keys name it acme'],
    ['npx @sophra/api-keys clients get acme --json', 'The same as JSON, as getClient returns it'],
  ],
  async run({ positionals: [id] }, output, addon) {
    const client = await clientOf(addon, id)
    if (output.json) output.value(client)
    else output.record(record(client))
    return Exit.ok
  },
}
