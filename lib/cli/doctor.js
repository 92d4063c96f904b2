'use strict'

const { Exit } = require('./errors.js')
const { counted } = require('./output.js')

const marks = { ok: ['green', 'ok'], warning: ['yellow', 'warning'], problem: ['red', 'problem'] }

module.exports = {
  summary: 'Looks for problems in the configuration and the database, and says how to solve them.',
  details: `It changes nothing and migrates nothing. Run it with the environment of the app, so that it examines what the app
uses. Exit code 0: no problem, possibly warnings; 1: at least one problem.
--before tries the keys and admin tokens of an older implementation, before or after a migration, and lists by name which will be
refused, which will be limited, and which may do what. It needs no more than the right to read the two tables.`,
  options: {
    before: { type: 'boolean', help: 'Say whom the move to this package will affect' },
    quiet: { type: 'boolean', help: 'Show only warnings and problems' },
  },
  examples: [
    ['npx @sophra/api-keys doctor --env .env', 'All findings, with the variables of a file'],
    ['npx @sophra/api-keys doctor --quiet || exit 1', 'In a deployment, before the app starts'],
    ['npx @sophra/api-keys doctor --before', 'Before an older implementation is replaced'],
    ['npx @sophra/api-keys doctor --json | jq \'.[] | select(.status != "ok")\'', 'For a program'],
  ],
  async run({ options }, output, addon) {
    const findings = await addon.doctor(options.before === true)
    const shown = options.quiet ? findings.filter(({ status }) => status !== 'ok') : findings
    if (output.json) output.value(shown)
    else for (const finding of shown) print(finding, output)
    const count = (status) => findings.filter((finding) => finding.status === status).length
    if (!output.json) {
      const [checks, problems, warnings] = [
        counted(findings.length, 'check'),
        counted(count('problem'), 'problem'),
        counted(count('warning'), 'warning'),
      ]
      output.note(`${checks}: ${problems}, ${warnings}`)
    }
    return count('problem') > 0 ? Exit.negative : Exit.ok
  },
}

/** Rows that are shown of a finding. */
const ROWS_MAX = 20

function print({ check, status, message, remedy, sql, rows }, output) {
  const [colour, mark] = marks[status]
  output.line([colour, mark.padEnd(7)], `${check}: ${message}`)
  const indent = ['dim', '       ']
  if (remedy) output.line(indent, remedy)
  for (const line of sql?.split('\n') ?? []) output.line(indent, `  ${line}`)
  if (rows) printRows(rows, indent, output)
}

function printRows({ count, first }, indent, output) {
  const shown = first.slice(0, ROWS_MAX)
  for (const { id, name, detail } of shown) output.line(indent, `  ${name} (${id}): ${detail}`)
  const [left, listed] = [count - shown.length, first.length]
  if (left > 0) output.line(indent, `  … and ${left} more: --json lists ${listed} of them`)
}
