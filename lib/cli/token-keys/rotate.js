'use strict'

const { Exit } = require('../errors.js')

module.exports = {
  summary: 'Has a new key sign derived tokens from now on, in all processes of the app.',
  details: `Tokens of the old key stay valid until they end. It needs the same JWT_SECRET or API_KEYS_SIGNING_KEYS as the app.`,
  options: {},
  examples: [
    ['npx @sophra/api-keys token-keys rotate', 'A new key'],
    ['npx @sophra/api-keys token-keys rotate --json', 'Its name alone, for another program'],
  ],
  async run(_given, output, addon) {
    const { kid } = await addon.rotateTokenKey()
    if (output.json) output.value({ kid })
    else output.note(`Signing from now on: ${kid}`)
    return Exit.ok
  },
}
