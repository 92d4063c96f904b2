'use strict'

const { filters } = require('../../key-filters.js')
const { Exit } = require('../errors.js')
const { optionFor, valuesOf } = require('../fields.js')
const { allOption, pageOptions, readPages } = require('../pages.js')
const { table } = require('./fields.js')

module.exports = {
  summary: 'Lists keys, by default the newest first. The list holds nothing secret.',
  options: {
    ...Object.fromEntries(filters.map((filter) => [filter.option, optionFor(filter)])),
    sort: {
      value: '<field>',
      help: 'Sort by createdAt, lastUsedAt, expiresAt, usageCount or name; by default createdAt',
    },
    order: { value: '<order>', help: 'asc or desc; by default desc' },
    ...pageOptions('keys'),
    ...allOption('keys'),
  },
  examples: [
    ['npx @sophra/api-keys keys list --client acme', 'The keys of a client'],
    [
      'npx @sophra/api-keys keys list --search staging --status active',
      'Active keys with a word in their name or description',
    ],
    [
      'npx @sophra/api-keys keys list --unused-since 90d --sort lastUsedAt --order asc',
      'Keys that nobody has used for 90 days, the longest unused first',
    ],
    ["npx @sophra/api-keys keys list --all --json | jq '.keys[].id'", 'The ids of all keys'],
  ],
  async run({ options }, output, addon) {
    const { keys, nextCursor } = await read(options, addon)
    if (output.json) {
      output.value({ keys, nextCursor })
    } else if (keys.length === 0) {
      output.note('There are no such keys.')
    } else {
      output.table(...table(keys))
      if (nextCursor) output.note(`There are more keys: use --cursor ${nextCursor}, or --all.`)
    }
    return Exit.ok
  },
}

function read({ sort, order, ...options }, addon) {
  const query = { ...valuesOf(filters, options), sort, order }
  return readPages(addon.listApiKeys, 'keys', query, options)
}
