'use strict'

const { Exit } = require('../errors.js')
const { duration } = require('../values.js')
const { tokenOf } = require('./token.js')

module.exports = {
  summary: 'Replaces an admin token with a new one. The id and the permissions stay.',
  details: `The new token goes to standard output, alone and only this once. It is valid for as long as the old one was issued for.
With --grace the old token stays valid for that time, a year at most; without it, the old token is refused at once. Another
rotation ends the grace period of the one before.`,
  positionals: ['<id>'],
  options: {
    grace: { ...duration, help: 'How long the old token stays valid: 15m, 12h, 30d' },
  },
  examples: [
    [
      'npx @sophra/api-keys admin-tokens rotate 7c9e6679-… --grace 1h',
      'Leave an hour to switch to the new token',
    ],
    ['npx @sophra/api-keys admin-tokens rotate 7c9e6679-…', 'Replace a token that has leaked'],
  ],
  async run({ options, positionals: [given] }, output, addon) {
    const { id } = await tokenOf(addon, given)
    const rotated = await addon.rotateAdminToken({ id, gracePeriodSeconds: options.grace })
    if (output.json) {
      output.value(rotated)
    } else {
      const until = rotated.previousTokenExpiresAt
      output.note(
        until
          ? `The old token is valid until ${until.toISOString()}.`
          : 'The old token is refused from now on.',
      )
      output.note(`expires: ${rotated.expiresAt.toISOString()}`)
      output.note('The new token, which cannot be shown again:')
      output.print(rotated.token)
    }
    return Exit.ok
  },
}
