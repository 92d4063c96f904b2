'use strict'

const { Exit } = require('../errors.js')
const { number } = require('../values.js')

/** The rows of an export, unless the caller says how many. */
const LIMIT = 1_000

module.exports = {
  summary: 'Exports the usage of closed hours: each hour of each key, client, tag and outcome.',
  details: `An hour is closed 10 minutes after its end, and its rows are final. Ids increase, so --after goes on where an earlier
export ended. Reading consumes nothing: the same command shows the same rows.`,
  flags: { after: '--after' },
  options: {
    after: { value: '<id>', help: 'Only rows after the one with this id' },
    limit: { ...number, help: `The maximum number of rows; ${LIMIT} by default` },
  },
  examples: [
    ['npx @sophra/api-keys usage export', 'The oldest hours that are kept'],
    [
      'npx @sophra/api-keys usage export --after 48213 --limit 10000 --json > usage.json',
      'What has come since, for a program, as exportUsage returns it',
    ],
    [
      "npx @sophra/api-keys usage export --json | jq -c '.[]' > usage.jsonl",
      'One line of JSON for each row',
    ],
  ],
  async run({ options: { after, limit = LIMIT } }, output, addon) {
    const rows = await addon.exportUsage({ after, limit })
    if (output.json) {
      output.value(rows)
    } else if (rows.length === 0) {
      output.note('There is nothing to export yet: an hour is exported 10 minutes after its end.')
    } else {
      output.table(HEADINGS, rows.map(row))
      if (rows.length === limit)
        output.note(`There may be more rows: use --after ${rows.at(-1).id}`)
    }
    return Exit.ok
  },
}

const HEADINGS = ['ID', 'HOUR', 'KEY', 'CLIENT', 'TAG', 'OUTCOME', 'COUNT', 'COST']

const row = ({ id, hour, keyId, clientId, tag, outcome, count, cost }) => [
  ...[id, hour, keyId, clientId],
  ...[tag, outcome, count, cost],
]
