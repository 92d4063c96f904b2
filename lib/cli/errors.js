'use strict'

/** What a program may rely on. */
const Exit = {
  done: 0,
  /** Refused, not found, malformed, or a problem was found. */
  no: 1,
  /** The command line or a value in it is wrong. */
  usage: 2,
  /** The database or the configuration does not let it be done. */
  unavailable: 3,
  /** A defect. */
  internal: 4,
}

/** Something that the reader of its message can put right on the command line. */
class UsageError extends Error {
  constructor(message, command) {
    super(message)
    this.code = 'USAGE'
    this.command = command
  }
}

const codes = {
  USAGE: Exit.usage,
  INVALID_INPUT: Exit.usage,
  NOT_FOUND: Exit.no,
  CONFIGURATION: Exit.unavailable,
  DATABASE_UNAVAILABLE: Exit.unavailable,
  OVERLOADED: Exit.unavailable,
}

/** How a field of an input is called on the command line. */
const flags = {
  clientId: '--client',
  expiresAt: '--expires',
  expiresInSeconds: '--expires',
  rateLimitWindowSeconds: '--window',
  rateLimit: '--rate-limit',
  allowedIps: '--allow',
  scopes: '--scope',
  permissions: '--permission',
  gracePeriodSeconds: '--grace',
  search: '--search',
  cursor: '--cursor',
  limit: '--limit',
  ip: '--ip',
  cost: '--cost',
  name: '--name',
  description: '--description',
  metadata: '--metadata',
  id: '<id>',
}

const hints = {
  CONFIGURATION: 'npx sophra-api-keys doctor looks for the cause.',
  DATABASE_UNAVAILABLE: 'npx sophra-api-keys doctor looks for the cause.',
}

/** Tells what went wrong, on stderr; answers the exit code. */
function report(error, output) {
  const code = codes[error?.code] ? error.code : 'INTERNAL'
  const lines = error?.issues ? error.issues.map(shown) : [error?.message ?? 'unknown']
  if (output.json) {
    const { message, issues, retryAfterMs } = error
    output.error({ error: { code, message, issues, retryAfterMs } })
  } else {
    for (const line of lines) output.fail(line)
    if (hints[code]) output.hint(hints[code])
    if (code === 'USAGE' && error.command) {
      output.hint(`npx sophra-api-keys ${error.command} --help shows how it is used.`)
    }
  }
  return codes[code] ?? Exit.internal
}

function shown({ path, message }) {
  const [, field, place] = /^(\w*)(?:\[(\d+)\])?/.exec(path)
  const name = flags[field] ?? path
  const which = place === undefined ? '' : ` (value ${Number(place) + 1})`
  return `${name}${which} ${message}`.trim()
}

module.exports = { Exit, UsageError, report }
