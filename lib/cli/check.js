'use strict'

const { Exit } = require('./errors.js')
const { readSecret } = require('./input.js')

module.exports = {
  summary: 'Checks whether a text is a well-formed key. Needs no database.',
  details: `The key is read from standard input; at a terminal it is not shown as you type. The check covers length, characters,
prefix, environment and checksum, by API_KEYS_PREFIXES, API_KEYS_KINDS and API_KEYS_ENVIRONMENT, and the tag if
API_KEYS_SIGNING_KEYS is set. A well-formed key need not exist: keys verify looks it up in the database.
Exit code 0: well-formed, 1: not well-formed.`,
  secret: 'key',
  offline: true,
  examples: [
    ['npx @sophra/api-keys check < key.txt', 'Read the key from a file'],
    ['npx @sophra/api-keys check', 'Type the key at the terminal'],
  ],
  async run(_given, output) {
    const { inspectKey } = require('./addon.js')
    const result = inspectKey(await readSecret('key'))
    if (output.json) output.value(result)
    else output.record(record(result))
    return result.wellFormed ? Exit.ok : Exit.negative
  },
}

const tags = {
  valid: 'made with a signing key of this environment',
  unknown: 'made with none of the signing keys of this environment',
}

function record({ wellFormed, origin, kind, environment, start, tag, signingKey, note }) {
  const unchecked = 'not checked: API_KEYS_SIGNING_KEYS is not set'
  return [
    ['well-formed', wellFormed ? 'yes' : 'no'],
    ...(note === null ? [] : [['note', note]]),
    ...(origin === 'issued'
      ? [
          ['begins with', start],
          ['kind', kind],
          ['environment', environment],
          ['checksum', 'correct'],
          ['tag', tags[tag] ?? unchecked],
        ]
      : []),
    ...(signingKey === null ? [] : [['signing key', signingKey]]),
  ]
}
