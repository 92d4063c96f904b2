'use strict'

const { Exit } = require('./errors.js')

module.exports = {
  summary: 'Says whether the package works with this configuration and database, as health() does.',
  details: `Run it with the environment of the app. It starts the package as the app does. doctor examines more.
Exit code 0: ok, 1: degraded or down.`,
  examples: [
    ['npx @sophra/api-keys health', 'The state, and what is wrong'],
    ['npx @sophra/api-keys health --json | jq -r .status', 'For a program'],
  ],
  async run(_given, output, addon) {
    const health = await addon.health()
    if (output.json) output.value(health)
    else output.record(record(health))
    return health.status === 'ok' ? Exit.ok : Exit.negative
  },
}

const record = ({ status, problems }) => [
  ['status', status],
  ...problems.map((problem) => ['problem', problem]),
]
