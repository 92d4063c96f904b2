'use strict'

const { common } = require('./parse.js')

const program = 'sophra-api-keys'

const codes = `Exit codes
  0  done; a key that is valid
  1  refused, not found, malformed; doctor found a problem
  2  the command line is wrong
  3  the database or the configuration does not let it be done
  4  a defect
`

/** All commands, or those of a group. */
function overview(commands, group) {
  const rows = Object.entries(commands).map(([name, [summary]]) => [name, summary])
  const shown = group ? `${group} <command>` : '<command>'
  const text = `Usage: npx ${program} ${shown} [options]\n\nCommands\n${columns(rows)}`
  if (group) return `${text}\nnpx ${program} ${group} <command> --help tells more.`
  return `${text}
The database is the one of DATABASE_URL, as for the app; --env .env reads it from a file.
Keys and tokens are read from standard input, and printed to standard output once, when they are made.
npx ${program} <command> --help tells more.

${codes}`.trimEnd()
}

/** What a command is for, what it takes, and how it is used. */
function helpOf(name, command) {
  const { summary, details, positionals = [], options = {}, examples } = command
  const usage = ['npx', program, name, ...positionals, '[options]'].join(' ')
  const own = Object.entries(options).map(([option, spec]) => row(option, spec))
  const shared = Object.entries(common).map(([option, spec]) => row(option, spec))
  const parts = [
    `Usage: ${usage}`,
    details ? `${summary}\n\n${details.trim()}` : summary,
    `Options\n${columns([...own, ...shared])}`.trimEnd(),
    `Examples\n${examples.map(([line, what]) => `  # ${what}\n  ${line}`).join('\n\n')}`,
  ]
  return parts.join('\n\n')
}

function row(name, { value, short, help, required, multiple, type }) {
  const flag = `${short ? `-${short}, ` : ''}--${name}${type === 'boolean' ? '' : ` ${value}`}`
  const notes = [required && 'required', multiple && 'repeat it, or separate by commas']
  const note = notes.filter(Boolean).join('; ')
  return [flag, note ? `${help} (${note})` : help]
}

function columns(rows) {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('')
}

module.exports = { helpOf, overview }
