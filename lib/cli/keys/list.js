'use strict'

const { Exit, UsageError } = require('../errors.js')
const { allOption, pageOptions, readPages } = require('../pages.js')
const { filterOptions, queryOf, table } = require('./fields.js')

module.exports = {
  summary: 'Lists keys, newest first. The list holds nothing secret.',
  options: {
    ...filterOptions,
    search: {
      value: '<text>',
      help: 'Only keys with this text in their name or description; at least 3 characters',
    },
    active: { type: 'boolean', help: 'Only keys that are neither disabled nor revoked' },
    disabled: { type: 'boolean', help: 'Only keys that are disabled or revoked' },
    ...pageOptions('keys'),
    ...allOption('keys'),
  },
  examples: [
    ['npx sophra-api-keys keys list --client acme', 'The keys of a client'],
    [
      'npx sophra-api-keys keys list --search staging --active',
      'Enabled keys with a word in their name or description',
    ],
    ["npx sophra-api-keys keys list --all --json | jq '.keys[].id'", 'The ids of all keys'],
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

function read(options, addon) {
  const { search, active, disabled } = options
  if (active && disabled)
    throw new UsageError('--active and --disabled exclude each other', 'keys list')
  const isActive = active ? true : disabled ? false : undefined
  const query = { ...queryOf(options), search, isActive }
  return readPages(addon.listApiKeys, 'keys', query, options)
}
