'use strict'

const { Exit, UsageError } = require('../errors.js')
const { number } = require('../values.js')
const { filterOptions, queryOf, table } = require('./fields.js')

/** The most keys that one call of `listApiKeys` returns. */
const PAGE_LIMIT = 1_000

module.exports = {
  summary: 'Lists keys, newest first. The list holds nothing secret.',
  options: {
    ...filterOptions,
    search: {
      value: '<text>',
      help: 'Only keys with this text in their name or description; at least 3 characters',
    },
    active: { type: 'boolean', help: 'Only keys that are not disabled' },
    disabled: { type: 'boolean', help: 'Only keys that are disabled' },
    limit: { ...number, help: 'The maximum number of keys; 50 by default' },
    cursor: { value: '<text>', help: 'Continue where an earlier list ended' },
    all: { type: 'boolean', help: 'List all keys, however many there are' },
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

async function read(options, addon) {
  const { search, active, disabled, limit = 50, cursor = null, all } = options
  if (active && disabled)
    throw new UsageError('--active and --disabled exclude each other', 'keys list')
  const isActive = active ? true : disabled ? false : undefined
  const query = { ...queryOf(options), search, isActive }
  const wanted = all ? Infinity : limit
  const keys = []
  let next = cursor
  do {
    const page = await addon.listApiKeys({
      ...query,
      cursor: next,
      // The number that is still missing. The addon refuses 0 and other bad values.
      limit: Math.min(PAGE_LIMIT, wanted - keys.length),
    })
    keys.push(...page.keys)
    next = page.nextCursor
  } while (next && keys.length < wanted)
  return { keys, nextCursor: next }
}
