'use strict'

const { Exit } = require('../errors.js')
const { keyOf } = require('./beginning.js')
const { record } = require('./fields.js')

module.exports = {
  summary: 'Restores a revoked key, unless it was revoked as compromised.',
  details: 'A key that was disabled before it was revoked is disabled again.',
  positionals: ['<id>'],
  examples: [
    ['npx @sophra/api-keys keys restore 7c9e6679-…', 'Accept the key again'],
    [
      'npx @sophra/api-keys keys restore 7c9e6679-… --json',
      'The key as JSON, as restoreApiKey returns it',
    ],
  ],
  async run({ positionals: [given] }, output, addon) {
    const { id } = await keyOf(addon, given)
    const key = await addon.restoreApiKey(id)
    if (output.json) output.value(key)
    else output.record(record(key))
    return Exit.ok
  },
}
