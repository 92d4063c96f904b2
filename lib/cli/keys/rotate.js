'use strict'

const { Exit } = require('../errors.js')
const { duration } = require('../values.js')
const { keyOf } = require('./beginning.js')

module.exports = {
  summary: 'Replaces a key with a new one. The id and all other fields stay.',
  details: `The new key goes to standard output, alone and only this once. With --grace the old key stays valid for that time, a
year at most; without it, the old key is refused at once. Another rotation ends the grace period of the one before.`,
  positionals: ['<id>'],
  options: {
    grace: { ...duration, help: 'How long the old key stays valid: 15m, 12h, 30d' },
  },
  examples: [
    [
      'npx @sophra/api-keys keys rotate 7c9e6679-… --grace 24h',
      'Leave a day to switch to the new key',
    ],
    ['npx @sophra/api-keys keys rotate 7c9e6679-…', 'Replace a key that has leaked'],
  ],
  async run({ options, positionals: [given] }, output, addon) {
    const { id } = await keyOf(addon, given)
    const rotated = await addon.updateApiKey({
      id,
      regenerateKey: true,
      gracePeriodSeconds: options.grace,
    })
    if (output.json) {
      output.value(rotated)
    } else {
      const until = rotated.previousKeyExpiresAt
      output.note(
        until
          ? `The old key is valid until ${until.toISOString()}.`
          : 'The old key is refused from now on.',
      )
      output.note('The new key, which cannot be shown again:')
      output.print(rotated.key)
    }
    return Exit.ok
  },
}
