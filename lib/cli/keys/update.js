'use strict'

const { Exit, UsageError } = require('../errors.js')
const { keyOf } = require('./beginning.js')
const { changesOf, clearable, options, record } = require('./fields.js')

module.exports = {
  summary: 'Changes the given fields of a key, and keeps the others.',
  details: `--clear removes a value: ${Object.keys(clearable).join(', ')}.
Clearing the suspension also resets the limits of the key. Clearing previous-key ends the grace period of the key that was
replaced.`,
  positionals: ['<id>'],
  options: {
    ...options,
    enable: { type: 'boolean', help: 'Accept the key again' },
    disable: { type: 'boolean', help: 'Refuse the key until it is enabled' },
    clear: { value: '<what>', multiple: true, help: 'Remove a value; see above' },
  },
  examples: [
    ['npx @sophra/api-keys keys update 7c9e6679-… --rate-limit 500 --window 1h', 'Another limit'],
    [
      `npx @sophra/api-keys keys update 7c9e6679-… --limits '[{"name": "tokens", "limit": 1000, "windowSeconds": 60}]'`,
      'Further limits in place of those that were set',
    ],
    [
      'npx @sophra/api-keys keys update 7c9e6679-… --clear expires,allow',
      'Accept the key without expiry, and from every address',
    ],
    ['npx @sophra/api-keys keys update 7c9e6679-… --clear suspension', 'Lift a suspension'],
  ],
  async run({ options: given, positionals: [beginning] }, output, addon) {
    const changes = changesOf(given, 'keys update')
    if (Object.keys(changes).length === 0) {
      throw new UsageError('There is nothing to change', 'keys update')
    }
    const { id } = await keyOf(addon, beginning)
    const key = await addon.patchApiKey({ id, ...changes })
    if (output.json) output.value(key)
    else output.record(record(key))
    return Exit.ok
  },
}
