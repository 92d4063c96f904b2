'use strict'

const { Exit } = require('../errors.js')
const { fields } = require('../../key-fields.js')
const { initialOf, initialOptions, inputOf, options, record } = require('./fields.js')
const { text } = require('../values.js')

const required = fields.filter((field) => field.required).map(({ option }) => option)
const requiredOptions = Object.fromEntries(
  required.map((option) => [option, { ...options[option], required: true }]),
)

module.exports = {
  summary: 'Issues a key.',
  details: `The key goes to standard output, alone and only this once: the database keeps a hash of it. Everything else goes to
standard error, so that the key can be piped into a file or another program unseen.`,
  options: {
    ...options,
    ...requiredOptions,
    ...initialOptions,
    'idempotency-key': {
      ...text,
      help: 'Makes no second key if the command is repeated with the same text within a day',
    },
    disabled: { type: 'boolean', help: 'Refuse the key until it is enabled' },
  },
  examples: [
    ['npx @sophra/api-keys keys create --name Search --client acme', 'A key without limits'],
    [
      'npx @sophra/api-keys keys create --name Search --client acme \\\n    --rate-limit 100 --scope docs:read,docs:list --allow 10.0.0.0/8 --expires 90d',
      'At most 100 requests a minute, from one network, for 90 days',
    ],
    [
      'npx @sophra/api-keys keys create --name CI --client acme > key.txt',
      'The key goes into a file, the rest to the screen',
    ],
  ],
  async run({ options: given }, output, addon) {
    const input = { ...initialOf(given), ...inputOf(given) }
    if (given.disabled) input.isActive = false
    input.idempotencyKey = given['idempotency-key']
    const issued = await addon.createApiKey(input)
    if (output.json) {
      output.value(issued)
    } else {
      const { key, ...rest } = issued
      for (const [name, value] of record(rest).slice(0, 4)) output.note(`${name}: ${value}`)
      output.note('The key, which cannot be shown again:')
      output.print(key)
    }
    return Exit.ok
  },
}
