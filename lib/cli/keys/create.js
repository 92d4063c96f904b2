'use strict'

const { Exit } = require('../faults.js')
const { inputOf, options, record } = require('./fields.js')

module.exports = {
  summary: 'Issues a key.',
  details: `The key alone goes to standard output, once: only a hash of it is kept. What else there is to say goes to
standard error, so the key can be sent on without being seen.`,
  options: {
    ...options,
    name: { ...options.name, required: true },
    client: { ...options.client, required: true },
    disabled: { type: 'boolean', help: 'Refused until it is enabled' },
  },
  examples: [
    ['npx sophra-api-keys keys create --name Search --client acme', 'A key without limits'],
    [
      'npx sophra-api-keys keys create --name Search --client acme \\\n    --rate-limit 100 --scope docs:read,docs:list --allow 10.0.0.0/8 --expires 90d',
      'A hundred requests a minute, from one network, for 90 days',
    ],
    [
      'npx sophra-api-keys keys create --name CI --client acme > key.txt',
      'The key into a file, everything else on the screen',
    ],
  ],
  async run({ options: given }, output, addon) {
    const input = inputOf(given)
    if (given.disabled) input.isActive = false
    const issued = await addon.createApiKey(input)
    if (output.json) {
      output.value(issued)
    } else {
      const { key, ...rest } = issued
      for (const [name, value] of record(rest).slice(0, 4)) output.note(`${name}: ${value}`)
      output.note('The key, which cannot be shown again:')
      output.print(key)
    }
    return Exit.done
  },
}
