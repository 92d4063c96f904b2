'use strict'

const { Exit } = require('../errors.js')
const { pipedLines, readSecret } = require('../input.js')
const { statesOf } = require('../limits.js')
const { number } = require('../values.js')

module.exports = {
  summary:
    'Verifies a key as for a request: hash, expiry, suspension, address, scopes, limits and quotas.',
  details: `The key is read from standard input; at a terminal it is not shown as you type. Nothing is charged or
counted. With --each, standard input has a key per line, as many as you like, and each gets a line in the output: the number of its
line, the result and the id of the key. With --json that is an object per line.
Exit code 0: accepted, 1: refused; with --each 1 if any is refused.`,
  secret: 'key',
  options: {
    each: { type: 'boolean', help: 'Verify a key per line of standard input' },
    ip: { value: '<ip>', help: 'The address of the client; unknown by default' },
    scope: { value: '<scope>', multiple: true, help: 'A scope that the key must hold' },
    cost: {
      ...number,
      help: 'The units of each limit and quota that the request would use; 1 by default',
    },
  },
  examples: [
    ['npx @sophra/api-keys keys verify < key.txt', 'Read the key from a file'],
    [
      'npx @sophra/api-keys keys verify --scope docs:read --ip 10.1.2.3',
      'Type the key, for a request with this scope and address',
    ],
    [
      'npx @sophra/api-keys keys verify --each < keys.txt',
      'Verify all keys of a file, a key per line',
    ],
  ],
  async run({ options }, output, addon) {
    const { ip, scope: scopes, cost } = options
    const verify = (key) => addon.verifyApiKey(key, { ip, scopes, cost, peek: true })
    if (options.each) return verifyEach(verify, output)
    const result = await verify(await readSecret('key'))
    if (output.json) output.value(result)
    else if (result.valid) output.record(accepted(result))
    else output.record(refused(result))
    return result.valid ? Exit.ok : Exit.negative
  },
}

/** Lines that are verified at a time. */
const AT_ONCE = 64

async function verifyEach(verify, output) {
  const totals = { all: 0, valid: 0 }
  for await (const lines of inParts(pipedLines(), AT_ONCE)) {
    const results = await Promise.all(lines.map(({ text }) => verify(text)))
    results.forEach((result, at) => output.row(rowOf(lines[at].number, result)))
    totals.all += results.length
    totals.valid += results.filter(({ valid }) => valid).length
  }
  output.note(`${totals.valid} of ${totals.all} accepted`)
  return totals.valid === totals.all ? Exit.ok : Exit.negative
}

const rowOf = (line, { code, keyId = null }) => ({ line, code, keyId })

async function* inParts(entries, size) {
  let part = []
  for await (const entry of entries) {
    part.push(entry)
    if (part.length < size) continue
    yield part
    part = []
  }
  if (part.length > 0) yield part
}

const accepted = ({ code, keyId, name, clientId, scopes, expiresAt, rateLimit, limits }) => [
  ['result', code],
  ['id', keyId],
  ['name', name],
  ['client', clientId],
  ['scopes', scopes],
  ['expires', expiresAt ?? 'never'],
  ['rate limit', rateLimit ? `${rateLimit.remaining} of ${rateLimit.limit} left` : 'none'],
  ...(limits.length > 1 ? [['left', statesOf(limits)]] : []),
]

const refused = ({
  code,
  status,
  message,
  missingScopes = [],
  keyId,
  retryAfterMs,
  limits,
  limitedBy,
}) => [
  ['result', code],
  ['meaning', message],
  ['status', status],
  ...(keyId === undefined ? [] : [['id', keyId]]),
  ...(missingScopes.length === 0 ? [] : [['missing scopes', missingScopes]]),
  ...(limitedBy ? [['limited by', `${limitedBy.level}/${limitedBy.name}`]] : []),
  ...(limits ? [['left', statesOf(limits)]] : []),
  ...(retryAfterMs === undefined ? [] : [['try again in', `${Math.ceil(retryAfterMs / 1000)} s`]]),
]
