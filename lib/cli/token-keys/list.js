'use strict'

const { Exit } = require('../errors.js')

module.exports = {
  summary:
    'Lists the public keys of derived tokens: the one that signs, and those whose tokens are still valid.',
  details: `With --json it prints the JWKS, for services that cannot fetch it.`,
  options: {},
  examples: [
    ['npx @sophra/api-keys token-keys list', 'All public keys'],
    ['npx @sophra/api-keys token-keys list --json > jwks.json', 'The JWKS as a file'],
  ],
  async run(_given, output, addon) {
    const { keys } = await addon.jwks()
    if (output.json) output.value({ keys })
    else if (keys.length === 0) output.note('No token was derived from a key yet.')
    else
      output.table(
        ['KID'],
        keys.map(({ kid }) => [kid]),
      )
    return Exit.ok
  },
}
