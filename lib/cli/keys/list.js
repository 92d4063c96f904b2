'use strict'

const { Exit, UsageError } = require('../faults.js')
const { number } = require('../values.js')
const { limitOf, stateOf } = require('./fields.js')

/** The most that one call answers. */
const PAGE = 1_000

module.exports = {
  summary: 'Lists keys, newest first, without anything secret.',
  options: {
    client: { value: '<id>', help: 'Only those of this client' },
    search: {
      value: '<text>',
      help: 'Only those with this in name or description; 3 characters or more',
    },
    active: { type: 'boolean', help: 'Only those that are not disabled' },
    disabled: { type: 'boolean', help: 'Only those that are disabled' },
    limit: { ...number, help: 'How many at most; by default 50' },
    cursor: { value: '<text>', help: 'Go on where an answer ended' },
    all: { type: 'boolean', help: 'All of them, however many' },
  },
  examples: [
    ['npx sophra-api-keys keys list --client acme', 'The keys of a client'],
    [
      'npx sophra-api-keys keys list --search staging --active',
      'Usable keys with a word in their name',
    ],
    ["npx sophra-api-keys keys list --all --json | jq '.keys[].id'", 'All ids'],
  ],
  async run({ options }, output, addon) {
    const { keys, nextCursor } = await read(options, addon)
    if (output.json) {
      output.value({ keys, nextCursor })
    } else if (keys.length === 0) {
      output.note('There are no such keys.')
    } else {
      output.table(
        ['ID', 'NAME', 'CLIENT', 'STATE', 'LIMIT', 'USED', 'LAST USED'],
        keys.map((key) => [
          key.id,
          key.name,
          key.clientId,
          stateOf(key),
          limitOf(key),
          key.usageCount,
          key.lastUsedAt ?? 'never',
        ]),
      )
      if (nextCursor) output.note(`There are more: --cursor ${nextCursor}, or --all`)
    }
    return Exit.done
  },
}

async function read({ client, search, active, disabled, limit = 50, cursor = null, all }, addon) {
  if (active && disabled)
    throw new UsageError('--active and --disabled exclude each other', 'keys list')
  const query = { clientId: client, search, isActive: active ? true : disabled ? false : undefined }
  const wanted = all ? Infinity : limit
  const keys = []
  let next = cursor
  do {
    const page = await addon.listApiKeys({
      ...query,
      cursor: next,
      // What is left; 0 and other nonsense is the addon's to refuse.
      limit: Math.min(PAGE, wanted - keys.length),
    })
    keys.push(...page.keys)
    next = page.nextCursor
  } while (next && keys.length < wanted)
  return { keys, nextCursor: next }
}
