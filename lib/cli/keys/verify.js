'use strict'

const { Exit } = require('../faults.js')
const { readSecret } = require('../input.js')
const { number } = require('../values.js')

module.exports = {
  summary:
    'Verifies a key as a request would: hash, expiry, suspension, address, scopes, rate limit.',
  details: `The key is read from standard input; at a terminal it is typed unseen. An accepted verify counts as a use of the
key. The rate limit counts from anew in each process. Exit code 0: accepted, 1: refused.`,
  secret: 'key',
  options: {
    ip: { value: '<ip>', help: 'The address that it comes from; by default unknown' },
    scope: { value: '<scope>', multiple: true, help: 'What it must be able to do' },
    cost: { ...number, help: 'How much of the limit it uses; by default 1' },
  },
  examples: [
    ['npx sophra-api-keys keys verify < key.txt', 'From a file'],
    [
      'npx sophra-api-keys keys verify --scope docs:read --ip 10.1.2.3',
      'Typed at the terminal, for a request like this',
    ],
  ],
  async run({ options }, output, addon) {
    const key = await readSecret('key')
    const result = await addon.verifyApiKey(key, {
      ip: options.ip,
      scopes: options.scope,
      cost: options.cost,
    })
    if (output.json) output.value(result)
    else if (result.valid) output.record(accepted(result))
    else output.record(refused(result))
    return result.valid ? Exit.done : Exit.no
  },
}

const accepted = ({ code, keyId, name, clientId, scopes, expiresAt, rateLimit }) => [
  ['result', code],
  ['id', keyId],
  ['name', name],
  ['client', clientId],
  ['scopes', scopes],
  ['expires', expiresAt ?? 'never'],
  ['rate limit', rateLimit ? `${rateLimit.remaining} of ${rateLimit.limit} left` : 'none'],
]

const refused = ({ code, status, message, keyId, retryAfterMs }) => [
  ['result', code],
  ['meaning', message],
  ['status', status],
  ...(keyId === undefined ? [] : [['id', keyId]]),
  ...(retryAfterMs === undefined ? [] : [['try again in', `${Math.ceil(retryAfterMs / 1000)} s`]]),
]
