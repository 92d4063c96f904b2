'use strict'

const { Exit } = require('../errors.js')
const { allOption, pageOptions, readPages } = require('../pages.js')

module.exports = {
  summary: 'Lists deliveries to webhooks, newest first.',
  details: `A delivery is pending while it is tried, for three days, and then dead. webhooks redeliver tries it again.`,
  flags: { webhookId: '--webhook', state: '--state' },
  options: {
    webhook: { value: '<id>', help: 'Only deliveries to this webhook' },
    state: { value: '<state>', help: 'Only deliveries that are pending, delivered or dead' },
    ...pageOptions('deliveries'),
    ...allOption('deliveries'),
  },
  examples: [
    ['npx @sophra/api-keys webhooks deliveries --state pending', 'What is on its way'],
    ['npx @sophra/api-keys webhooks deliveries --state dead --all', 'What was given up'],
  ],
  async run({ options }, output, addon) {
    const query = { webhookId: options.webhook, state: options.state }
    const page = await readPages(addon.listDeliveries, 'deliveries', query, options)
    const { deliveries, nextCursor } = page
    if (output.json) {
      output.value(page)
    } else if (deliveries.length === 0) {
      output.note('There are no such deliveries.')
    } else {
      output.table(HEADINGS, deliveries.map(row))
      if (nextCursor)
        output.note(`There are more deliveries: use --cursor ${nextCursor}, or --all.`)
    }
    return Exit.ok
  },
}

const HEADINGS = ['ID', 'STATE', 'ATTEMPTS', 'TYPE', 'WEBHOOK', 'NOTICE']

const row = ({ id, state, attempts, type, webhookId, noticeId }) => [
  ...[id, state, attempts],
  ...[type, webhookId, noticeId],
]
