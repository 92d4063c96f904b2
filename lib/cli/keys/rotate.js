'use strict'

const { Exit } = require('../faults.js')
const { duration } = require('../values.js')

module.exports = {
  summary: 'Replaces a key by a new one; its id and all else stays.',
  details: `The new key alone goes to standard output, once. With --grace the old one is accepted that long, up to a year;
without it the old one is refused at once. A second rotation ends the grace of the first.`,
  positionals: ['<id>'],
  options: {
    grace: { ...duration, help: 'How long the old key is still accepted: 15m, 12h, 30d' },
  },
  examples: [
    ['npx sophra-api-keys keys rotate 7c9e6679-… --grace 24h', 'A day to change over'],
    ['npx sophra-api-keys keys rotate 7c9e6679-…', 'The old key has leaked'],
  ],
  async run({ options, positionals: [id] }, output, addon) {
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
    return Exit.done
  },
}
