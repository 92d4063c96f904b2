'use strict'

const { Exit, UsageError } = require('../faults.js')
const { nearest } = require('../nearest.js')
const { fields, inputOf, options, record } = require('./fields.js')

/** What `--clear` takes, by the field that becomes null. */
const clearable = {
  ...Object.fromEntries(
    Object.entries(fields).filter(([option]) => option !== 'name' && option !== 'client'),
  ),
  suspension: 'suspendedUntil',
  'previous-key': 'previousKeyExpiresAt',
}

module.exports = {
  summary: 'Changes what is given of a key, and keeps the rest.',
  details: `--clear takes away: ${Object.keys(clearable).join(', ')}.
Clearing the suspension also forgives what was used of the rate limit; clearing previous-key ends the time in which
the key that was replaced is still accepted.`,
  positionals: ['<id>'],
  options: {
    ...options,
    enable: { type: 'boolean', help: 'Accept it again' },
    disable: { type: 'boolean', help: 'Refuse it until it is enabled' },
    clear: { value: '<what>', multiple: true, help: 'Take away, see above' },
  },
  examples: [
    ['npx sophra-api-keys keys update 7c9e6679-… --rate-limit 500 --window 1h', 'Another limit'],
    [
      'npx sophra-api-keys keys update 7c9e6679-… --clear expires,allow',
      'Never expires, from everywhere',
    ],
    ['npx sophra-api-keys keys update 7c9e6679-… --clear suspension', 'Lift a suspension'],
  ],
  async run({ options: given, positionals: [id] }, output, addon) {
    const changes = changesOf(given)
    if (Object.keys(changes).length === 0) {
      throw new UsageError('There is nothing to change', 'keys update')
    }
    const key = await addon.patchApiKey({ id, ...changes })
    if (output.json) output.value(key)
    else output.record(record(key))
    return Exit.done
  },
}

function changesOf(given) {
  if (given.enable && given.disable) {
    throw new UsageError('--enable and --disable exclude each other', 'keys update')
  }
  const changes = inputOf(given)
  if (given.enable) changes.isActive = true
  if (given.disable) changes.isActive = false
  for (const what of given.clear ?? []) {
    if (!Object.hasOwn(clearable, what)) {
      const choice = nearest(what, Object.keys(clearable))
      throw new UsageError(`--clear cannot take that away${choice}`, 'keys update')
    }
    const field = clearable[what]
    if (field in changes) throw new UsageError(`--${what} is both set and cleared`, 'keys update')
    changes[field] = null
  }
  return changes
}
