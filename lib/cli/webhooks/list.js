'use strict'

const { Exit } = require('../errors.js')
const { table } = require('./fields.js')

module.exports = {
  summary: 'Lists all webhooks, the oldest first.',
  options: {},
  examples: [
    ['npx @sophra/api-keys webhooks list', 'All webhooks'],
    [
      "npx @sophra/api-keys webhooks list --json | jq -r '.[] | select(.isActive) | .url'",
      'The URLs of those that are active',
    ],
  ],
  async run(_given, output, addon) {
    const webhooks = await addon.listWebhooks()
    if (output.json) output.value(webhooks)
    else if (webhooks.length === 0) output.note('There are no webhooks.')
    else output.table(...table(webhooks))
    return Exit.ok
  },
}
