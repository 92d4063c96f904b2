'use strict'

const { Exit } = require('../faults.js')
const { notFound } = require('../not-found.js')
const { record } = require('./fields.js')

module.exports = {
  summary: 'Shows all about a key, without anything secret.',
  positionals: ['<id>'],
  examples: [
    ['npx sophra-api-keys keys show 7c9e6679-7425-40de-944b-e07fc1f90ae7', 'By its id'],
    [
      'npx sophra-api-keys keys show 7c9e6679-7425-40de-944b-e07fc1f90ae7 --json',
      'As getApiKey answers it',
    ],
  ],
  async run({ positionals: [id] }, output, addon) {
    const key = await addon.getApiKey(id)
    if (!key) throw notFound('API key')
    if (output.json) output.value(key)
    else output.record(record(key))
    return Exit.done
  },
}
