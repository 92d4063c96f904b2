'use strict'

const { Exit } = require('../errors.js')

module.exports = {
  summary: 'Delivers a notice once more, whatever became of it before.',
  details: `<id> is that of the delivery, as webhooks deliveries shows it. The receiver gets the same webhook-id as before.`,
  positionals: ['<id>'],
  flags: { id: '<id>' },
  options: {},
  examples: [
    ['npx @sophra/api-keys webhooks redeliver 4711', 'One delivery'],
    [
      "npx @sophra/api-keys webhooks deliveries --state dead --all --json | jq -r '.deliveries[].id' | xargs -n1 npx @sophra/api-keys webhooks redeliver",
      'All that were given up',
    ],
  ],
  async run({ positionals: [id] }, output, addon) {
    await addon.redeliver(id)
    if (output.json) output.value({ id, redelivered: true })
    else output.note(`Redelivering: ${id}`)
    return Exit.ok
  },
}
