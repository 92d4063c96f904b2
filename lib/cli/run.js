'use strict'

const { commands, find } = require('./commands.js')
const { Exit, UsageError, report } = require('./errors.js')
const { helpOf, overview } = require('./help.js')
const { createOutput } = require('./output.js')
const { parse } = require('./parse.js')

/** Runs a command line, and resolves to the exit code. */
async function run(args) {
  // Looked for before anything is parsed, so that even usage errors are JSON for a program that reads JSON.
  const output = createOutput({ json: args.includes('--json') })
  try {
    return await dispatch(args, output)
  } catch (error) {
    return report(error, output)
  }
}

async function dispatch(args, output) {
  if (args.length === 0 || args[0] === '--help' || args[0] === '-h') {
    output.print(overview(commands))
    return args.length === 0 ? Exit.usage : Exit.ok
  }
  if (args[0] === 'help') return dispatch([...args.slice(1), '--help'], output)
  if (args[0] === '--version') {
    output.print(require('../../package.json').version)
    return Exit.ok
  }
  const { name, command, rest, group } = find(args)
  if (group) {
    output.print(overview(group.commands, group.name))
    return group.helpWanted ? Exit.ok : Exit.usage
  }
  const parsed = parse(name, command, rest)
  if (parsed.options.help) {
    output.print(helpOf(name, command))
    return Exit.ok
  }
  if (parsed.options.env) loadEnvFile(parsed.options.env)
  return runCommand(command, parsed, output)
}

async function runCommand(command, parsed, output) {
  if (command.offline) return command.run(parsed, output)
  const addon = require('./addon.js')
  addon.onEvent(({ type, message }) => {
    if (type === 'migration.waiting') output.note(message)
  })
  try {
    return await command.run(parsed, output, addon)
  } catch (error) {
    return report(error, output, command.flags)
  } finally {
    // Stores the counted usage. If this fails too, the error of the command is the one to report.
    await addon.close().catch((error) => output.warn(error.message))
  }
}

function loadEnvFile(path) {
  if (!process.loadEnvFile) {
    throw new UsageError('--env needs Node.js 20.12 or newer')
  }
  try {
    process.loadEnvFile(path)
  } catch (error) {
    throw new UsageError(`--env: ${path} cannot be read (${error.code ?? 'unreadable'})`)
  }
}

module.exports = { run }
