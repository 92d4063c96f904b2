'use strict'

// A quota on the command line: whose it is, its name, and what is left of it.

const { UsageError } = require('../errors.js')
const { keyOf } = require('../keys/beginning.js')

const options = {
  client: { value: '<id>', help: 'The client whose quota it is' },
  key: { value: '<id>', help: 'The key whose own quota it is' },
  name: { value: '<text>', required: true, help: 'The name of the quota' },
}

/** The quota that the options name, as fields of an input. */
async function quotaOf(addon, { client, key, name }, command) {
  if (client !== undefined && key !== undefined)
    throw new UsageError('--client and --key exclude each other', command)
  if (client !== undefined) return { clientId: client, name }
  if (key !== undefined) return { keyId: (await keyOf(addon, key)).id, name }
  throw new UsageError('--client or --key is missing', command)
}

/** What is left of a quota, for people. */
const record = ({ name, amount, period, used, granted, remaining, withheld, resetsAt }) => [
  ['name', name],
  ['amount', period === 'total' ? `${amount} in total` : `${amount} per ${period}`],
  ['used', used],
  ['left', remaining],
  ['of it granted', granted],
  ['of it withheld', withheld],
  ['refilled at', resetsAt ?? 'never'],
]

module.exports = { flags: { keyId: '--key' }, options, quotaOf, record }
