'use strict'

const clientFields = require('../client-fields.js').fields
const keyFields = require('../key-fields.js').fields
const { filters } = require('../key-filters.js')

/** The exit codes, which scripts may rely on. */
const Exit = {
  ok: 0,
  /** The key was refused, not found or malformed, or a problem was found. */
  negative: 1,
  /** The command line, or a value in it, is wrong. */
  usage: 2,
  /** The database or the configuration does not permit it. */
  unavailable: 3,
  /** A bug in the package. */
  internal: 4,
}

/** An error that the user can correct on the command line. */
class UsageError extends Error {
  constructor(message, command) {
    super(message)
    this.code = 'USAGE'
    this.command = command
  }
}

// The codes are those of the package's contract: this is a program that uses it.
const exitCodes = {
  USAGE: Exit.usage,
  INVALID_INPUT: Exit.usage,
  NOT_FOUND: Exit.negative,
  CONFLICT: Exit.negative,
  IDEMPOTENCY_KEY_REUSED: Exit.usage,
  CONFIGURATION: Exit.unavailable,
  DATABASE_UNAVAILABLE: Exit.unavailable,
  OVERLOADED: Exit.unavailable,
}

const optionsOfFields = [...filters, ...clientFields, ...keyFields].filter(({ option }) => option)

/** The option or argument that sets a field of an input. */
const flags = {
  ...Object.fromEntries(optionsOfFields.map(({ name, option }) => [name, `--${option}`])),
  id: '<id>',
  permissions: '--permission',
  expiresInSeconds: '--expires',
  gracePeriodSeconds: '--grace',
  idempotencyKey: '--idempotency-key',
  sort: '--sort',
  reason: '--reason',
  note: '--note',
  where: '--where',
  expectedCount: '--expected-count',
  order: '--order',
  cursor: '--cursor',
  limit: '--limit',
  keyId: '--id',
  type: '--type',
  from: '--from',
  to: '--to',
  ip: '--ip',
  cost: '--cost',
  amount: '--amount',
}

const findCause = 'Run npx @sophra/api-keys doctor to find the cause.'
const hints = { CONFIGURATION: findCause, DATABASE_UNAVAILABLE: findCause }

/**
 * Prints an error to standard error, and returns the exit code. `ownFlags` are those of a command that names a field in another
 * way.
 */
function report(error, output, ownFlags = {}) {
  const code = Object.hasOwn(exitCodes, error?.code ?? '') ? error.code : 'INTERNAL'
  const lines = error?.issues
    ? error.issues.map((issue) => issueText(issue, { ...flags, ...ownFlags }))
    : [error?.message ?? 'An unknown error occurred']
  if (output.json) {
    const { message, issues, retryAfterMs } = error
    output.error({ error: { code, message, issues, retryAfterMs } })
  } else {
    for (const line of lines) output.fail(line)
    const hint = error?.hint ?? hints[code]
    if (hint) output.hint(hint)
    if (code === 'USAGE' && error.command) {
      output.hint(`Run npx @sophra/api-keys ${error.command} --help for its usage.`)
    }
  }
  return exitCodes[code] ?? Exit.internal
}

function issueText({ path, message }, flags) {
  // The value is an object of its own.
  const [, where] = /^where\.(.+)/.exec(path) ?? []
  if (where) return `--where: ${where} ${message}`
  const [, field, index, part] = /^(\w*)(?:\[(\d+)\](?:\.(\w+))?)?/.exec(path)
  const name = flags[field] ?? path
  const value = part ? `${part} of value` : 'value'
  const which = index === undefined ? '' : ` (${value} ${Number(index) + 1})`
  return `${name}${which} ${message}`.trim()
}

module.exports = { Exit, UsageError, report }
