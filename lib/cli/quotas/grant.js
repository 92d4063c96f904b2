'use strict'

const { Exit } = require('../errors.js')
const { date, number, text } = require('../values.js')
const { flags, options, quotaOf, record } = require('./quota.js')

module.exports = {
  summary: 'Adds units to a quota of a client or a key.',
  details: `What is granted is used once the amount of the period is used up, and carries over to the next period. Of several
grants, the one that expires first is used first.`,
  flags,
  options: {
    ...options,
    amount: { ...number, required: true, help: 'How many units to add' },
    expires: {
      ...date,
      help: 'The instant at which what is left expires: 30d from now; never by default',
    },
    'idempotency-key': {
      ...text,
      help: 'Grants once, however often the command is repeated with the same text',
    },
  },
  examples: [
    [
      'npx @sophra/api-keys quotas grant --client acme --name tokens --amount 50000',
      'Units that never end',
    ],
    [
      'npx @sophra/api-keys quotas grant --client acme --name tokens --amount 50000 --expires 30d',
      'Units for 30 days',
    ],
  ],
  async run({ options: given }, output, addon) {
    const { amount, expires } = given
    const quota = await quotaOf(addon, given, 'quotas grant')
    const idempotencyKey = given['idempotency-key']
    const grant = { amount, expiresAt: expires, idempotencyKey }
    const state = await addon.grantQuota({ ...quota, ...grant })
    if (output.json) output.value(state)
    else output.record(record(state))
    return Exit.ok
  },
}
