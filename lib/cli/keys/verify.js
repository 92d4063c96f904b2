'use strict'

const { Exit } = require('../errors.js')
const { readSecret } = require('../input.js')
const { statesOf } = require('../limits.js')
const { number } = require('../values.js')

module.exports = {
  summary:
    'Verifies a key as for a request: hash, expiry, suspension, address, scopes, limits and quotas.',
  details: `The key is read from standard input; at a terminal it is not shown as you type. Nothing is charged or
counted.
Exit code 0: accepted, 1: refused.`,
  secret: 'key',
  options: {
    ip: { value: '<ip>', help: 'The address of the client; unknown by default' },
    scope: { value: '<scope>', multiple: true, help: 'A scope that the key must hold' },
    cost: {
      ...number,
      help: 'The units of each limit and quota that the request would use; 1 by default',
    },
  },
  examples: [
    ['npx sophra-api-keys keys verify < key.txt', 'Read the key from a file'],
    [
      'npx sophra-api-keys keys verify --scope docs:read --ip 10.1.2.3',
      'Type the key, for a request with this scope and address',
    ],
  ],
  async run({ options }, output, addon) {
    const key = await readSecret('key')
    const result = await addon.verifyApiKey(key, {
      ip: options.ip,
      scopes: options.scope,
      cost: options.cost,
      peek: true,
    })
    if (output.json) output.value(result)
    else if (result.valid) output.record(accepted(result))
    else output.record(refused(result))
    return result.valid ? Exit.ok : Exit.negative
  },
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
