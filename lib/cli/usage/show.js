'use strict'

const { Exit, UsageError } = require('../errors.js')
const { keyOf } = require('../keys/beginning.js')
const { list, past } = require('../values.js')

const NAME = 'usage show'
const DAY_MS = 86_400_000

module.exports = {
  summary: 'Shows how often keys were verified and what that cost, by hour, day or month.',
  details: `By default it shows the last 24 hours, of all keys. With --group-by, the table leaves out groups without usage in a bucket.`,
  flags: {
    keyId: '--key',
    bucket: '--bucket',
    groupBy: '--group-by',
    timeZone: '--time-zone',
  },
  options: {
    client: { value: '<id>', help: 'Only the keys that had this client when they were verified' },
    key: { value: '<id>', help: 'Only this key; one that was deleted needs its whole id' },
    from: {
      ...past,
      help: 'The beginning: 30d is 30 days ago; or 2027-01-31T12:00:00Z; 24h by default',
    },
    to: { ...past, help: 'The end; now by default. Buckets are shown whole' },
    bucket: { value: '<size>', help: 'hour, day or month; hour by default' },
    'group-by': { ...list, value: '<field>', help: 'Split rows by key, client, tag or outcome' },
    'time-zone': {
      value: '<name>',
      help: 'The time zone of the buckets, like Europe/Berlin; UTC by default',
    },
  },
  examples: [
    ['npx @sophra/api-keys usage show --client acme', 'The last 24 hours of a client'],
    [
      'npx @sophra/api-keys usage show --from 30d --bucket day --group-by tag,outcome --time-zone Europe/Berlin',
      'The last 30 days, by tag and outcome',
    ],
    [
      "npx @sophra/api-keys usage show --from 30d --bucket month --group-by client --json | jq -r '.[] | [.clientId, .cost] | @tsv'",
      'For a program, as getUsage returns it',
    ],
  ],
  async run({ options }, output, addon) {
    const query = await queryOf(options, addon)
    const rows = await addon.getUsage(query)
    if (output.json) output.value(rows)
    else if (rows.every(isEmpty)) output.note('There was no usage in this time.')
    else output.table(...table(rows, query))
    return Exit.ok
  },
}

async function queryOf({ client, key, from, to, bucket = 'hour', ...options }, addon) {
  if (client !== undefined && key !== undefined)
    throw new UsageError('--client and --key exclude each other', NAME)
  return {
    clientId: client,
    keyId: key === undefined ? undefined : await keyIdOf(addon, key),
    from: from ?? new Date(Date.now() - DAY_MS),
    to: to ?? new Date(),
    bucket,
    groupBy: [...new Set((options['group-by'] ?? []).map((name) => GROUPS[name] ?? name))],
    timeZone: options['time-zone'] ?? 'UTC',
  }
}

/** The id of a key that is there. Of one that was deleted, usage is kept. */
async function keyIdOf(addon, text) {
  try {
    return (await keyOf(addon, text)).id
  } catch (error) {
    if (error.code !== 'NOT_FOUND') throw error
    return text
  }
}

/** As the options are called. */
const GROUPS = { __proto__: null, key: 'keyId', client: 'clientId' }

const isEmpty = ({ count, cost }) => count === 0 && cost === 0

const HEADINGS = { keyId: 'KEY', clientId: 'CLIENT', tag: 'TAG', outcome: 'OUTCOME' }

function table(rows, { bucket, groupBy, timeZone }) {
  const shown = groupBy.length === 0 ? rows : rows.filter((row) => !isEmpty(row))
  const startText = startIn(timeZone, bucket)
  const lines = shown.map((row) => [
    startText(row.start),
    ...groupBy.map((group) => row[group]),
    row.count,
    row.cost,
  ])
  const sum = (figure) => rows.reduce((total, row) => total + row[figure], 0)
  return [
    ['START', ...groupBy.map((group) => HEADINGS[group]), 'COUNT', 'COST'],
    [...lines, ['TOTAL', ...groupBy.map(() => null), sum('count'), sum('cost')]],
  ]
}

const PARTS = {
  month: { year: 'numeric', month: '2-digit' },
  day: { dateStyle: 'short' },
  // With the distance from UTC: when clocks are set back, an hour comes twice.
  hour: {
    ...{ year: 'numeric', month: '2-digit', day: '2-digit' },
    ...{ hour: '2-digit', minute: '2-digit', timeZoneName: 'longOffset' },
  },
}

/** Writes the beginnings of buckets as the clocks there show them. The format of Sweden is that of ISO 8601. */
function startIn(timeZone, bucket) {
  try {
    const { format } = new Intl.DateTimeFormat('sv-SE', { timeZone, ...PARTS[bucket] })
    return (start) => format(start).replace('−', '-')
  } catch {
    // The database knows more names than Node.js.
    return (start) => start
  }
}
