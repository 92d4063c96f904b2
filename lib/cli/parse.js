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

/** What was typed is not repeated if it may be a secret: those have capitals or digits, or are long. */
const looksLikeOption = (name) => /^[a-z][a-z-]{0,19}$/.test(name)

function take(options, known, { name, rawName, value, inlineValue }, fail) {
  const option = Object.hasOwn(known, name) ? known[name] : undefined
  if (!option) {
    const choices = Object.keys(known).map((known) => `--${known}`)
    const which = looksLikeOption(name) ? `option ${rawName}` : 'such option'
    return fail(`There is no ${which}${suggestion(`--${name}`, choices)}`)
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
  const required = wanted.filter((name) => !isOptional(name))
  if (positionals.length > wanted.length) {
    // The argument is not repeated, since it may be a key.
    fail(
      command.secret
        ? `The ${command.secret} is read from standard input, never from the command line, where other users can see it`
        : `There are too many arguments: expected ${wanted.join(' ') || 'only options'}`,
    )
  }
  const absent = Object.entries(command.options ?? {}).filter(
    ([name, { required }]) => required && options[name] === undefined,
  )
  const missing = [...required.slice(positionals.length), ...absent.map(([name]) => `--${name}`)]
  if (missing.length > 0) fail(missing.map((what) => `${what} is missing`).join(', '))
}

/** An argument in brackets may be left out. */
const isOptional = (name) => name.startsWith('[')

module.exports = { common, parse }
