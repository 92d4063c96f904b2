'use strict'

const { parseArgs } = require('node:util')
const { UsageError } = require('./errors.js')
const { suggestion } = require('./suggestion.js')

/** The options of every command. */
const common = {
  json: { type: 'boolean', help: 'Print JSON, for programs' },
  env: { value: '<path>', help: 'Read environment variables from this file first' },
  help: { type: 'boolean', short: 'h', help: 'Show this help' },
}

/**
 * Parses the options and arguments of a command. The value of an option is text unless its `type` is `boolean`. A `multiple`
 * option takes several values, repeated or separated by commas. `read` converts the text for the command.
 */
function parse(name, command, args) {
  const known = { ...command.options, ...common }
  const config = Object.fromEntries(
    Object.entries(known).map(([option, { type = 'string', short }]) => [
      option,
      short ? { type, short } : { type },
    ]),
  )
  const { tokens } = parseArgs({
    args,
    options: config,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const fail = (message) => {
    throw new UsageError(message, name)
  }
  const options = {}
  const positionals = []
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind === 'option') take(options, known, token, fail)
  }
  if (!options.help) check(command, options, positionals, fail)
  return { options, positionals }
}

function take(options, known, { name, value, inlineValue }, fail) {
  const option = Object.hasOwn(known, name) ? known[name] : undefined
  if (!option) {
    // The option is not repeated, since what was typed may be a secret.
    return fail(
      `There is no such option${suggestion(
        `--${name}`,
        Object.keys(known).map((known) => `--${known}`),
      )}`,
    )
  }
  if (option.type === 'boolean') {
    if (value !== undefined) fail(`--${name} takes no value`)
    options[name] = true
    return
  }
  if (value === undefined || (value.startsWith('--') && !inlineValue))
    return fail(`--${name} needs a value`)
  const read = (text) => {
    const result = option.read ? option.read(text) : text
    if (result === undefined) fail(`--${name} ${option.rule}`)
    return result
  }
  if (option.multiple) {
    const parts = value.split(',').map((part) => part.trim())
    options[name] = [...(options[name] ?? []), ...parts.map(read)]
  } else {
    if (options[name] !== undefined) fail(`--${name} is given more than once`)
    options[name] = read(value)
  }
}

function check(command, options, positionals, fail) {
  const wanted = command.positionals ?? []
  if (positionals.length > wanted.length) {
    // The argument is not repeated, since it may be a key.
    fail(
      command.secret
        ? `The ${command.secret} is read from standard input, never from the command line, where other users can see it`
        : `There are too many arguments: expected ${wanted.join(' ') || 'only options'}`,
    )
  }
  if (positionals.length < wanted.length) fail(`${wanted[positionals.length]} is missing`)
  for (const [name, { required }] of Object.entries(command.options ?? {})) {
    if (required && options[name] === undefined) fail(`--${name} is missing`)
  }
}

module.exports = { common, parse }
