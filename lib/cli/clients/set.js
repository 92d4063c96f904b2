'use strict'

const { Exit } = require('../errors.js')
const { changesOf, clearable, flags, options, record } = require('./fields.js')

module.exports = {
  summary: 'Sets what holds for all keys of a client, and keeps what is not given.',
  details: `<id> is the client as its keys name it (keys create --client). What is set takes effect in all processes within moments.
--clear removes a value: ${Object.keys(clearable).join(', ')}.`,
  positionals: ['<id>'],
  flags,
  options: {
    ...options,
    enable: { type: 'boolean', help: 'Accept the keys of the client again' },
    disable: { type: 'boolean', help: 'Refuse all keys of the client until it is enabled' },
    clear: { value: '<what>', multiple: true, help: 'Remove a value; see above' },
  },
  examples: [
    ['npx @sophra/api-keys clients set acme --name Acme --max-keys 20', 'At most 20 keys'],
    [
      `npx @sophra/api-keys clients set acme --limits '[{"name": "default", "limit": 1000, "windowSeconds": 60}]'`,
      'At most 1000 requests a minute with all of its keys',
    ],
    [
      `npx @sophra/api-keys clients set acme --quotas '[{"name": "default", "amount": 100000, "period": "month"}]'`,
      'At most 100000 requests a month with all of its keys',
    ],
    ['npx @sophra/api-keys clients set acme --disable', 'Refuse all keys of the client'],
    [
      'npx @sophra/api-keys clients set acme-eu --parent acme --clear max-keys',
      'A part of another client, with any number of keys',
    ],
  ],
  async run({ options: given, positionals: [clientId] }, output, addon) {
    const client = await addon.setClient({ clientId, ...changesOf(given, 'clients set') })
    if (output.json) output.value(client)
    else output.record(record(client))
    return Exit.ok
  },
}
