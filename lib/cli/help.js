'use strict'

const { common } = require('./parse.js')

const program = '@sophra/api-keys'

const exitCodes = `Exit codes
  0  done; the key is valid
  1  refused, not found or malformed; doctor found a problem
  2  the command line is wrong
  3  the database or the configuration does not permit it
  4  internal error
`

/** The overview of all commands, or of those of a group. */
function overview(commands, group) {
  const rows = Object.entries(commands).map(([name, [summary]]) => [name, summary])
  const command = group ? `${group} <command>` : '<command>'
  const text = `Usage: npx ${program} ${command} [options]\n\nCommands\n${columns(rows)}`
  const more = `Run npx ${program} ${command} --help for the options of a command.`
  if (group) return `${text}\n${more}`
  return `${text}
DATABASE_URL names the database, as for the app; --env .env reads it from a file.
Keys and tokens are read from standard input. A new one is printed to standard output, only once.
${more}

${exitCodes}`.trimEnd()
}

/** The help of a command: its purpose, its arguments and options, and examples. */
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
  const notes = [required && 'required', multiple && 'repeat it, or separate values by commas']
  const note = notes.filter(Boolean).join('; ')
  return [flag, note ? `${help} (${note})` : help]
}

function columns(rows) {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('')
}

module.exports = { helpOf, overview }
