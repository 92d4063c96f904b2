'use strict'

const { Exit } = require('../errors.js')
const { keyOf } = require('./beginning.js')
const { record } = require('./fields.js')

module.exports = {
  summary: 'Shows all fields of a key. None of them is secret.',
  positionals: ['<id>'],
  examples: [
    ['npx @sophra/api-keys keys show 7c9e6679-7425-40de-944b-e07fc1f90ae7', 'The key with this id'],
    [
      'npx @sophra/api-keys keys show 7c9e6679-7425-40de-944b-e07fc1f90ae7 --json',
      'The same as JSON, as getApiKey returns it',
    ],
  ],
  async run({ positionals: [id] }, output, addon) {
    const key = await keyOf(addon, id)
    if (output.json) output.value(key)
    else output.record(record(key))
    return Exit.ok
  },
}
