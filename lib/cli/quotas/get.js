'use strict'

const { Exit } = require('../errors.js')
const { flags, options, quotaOf, record } = require('./quota.js')

module.exports = {
  summary: 'Shows what is left of a quota of a client or a key.',
  details: `"withheld" is what processes hold and have not spent. It is part of what is left. Exit code 1: there is no such quota.`,
  flags,
  options,
  examples: [
    ['npx @sophra/api-keys quotas get --client acme --name tokens', 'A quota of a client'],
    [
      'npx @sophra/api-keys quotas get --key 7c9e6679-… --name tokens --json',
      'A quota of a key as JSON, as getQuota returns it',
    ],
  ],
  async run({ options: given }, output, addon) {
    const state = await addon.getQuota(await quotaOf(addon, given, 'quotas get'))
    if (output.json) output.value(state)
    else output.record(record(state))
    return Exit.ok
  },
}
