'use strict'

const { Exit } = require('./faults.js')
const { readSecret } = require('./input.js')

module.exports = {
  summary: 'Tells whether a text is a well-formed key, without a database.',
  details: `The key is read from standard input; at a terminal it is typed unseen. Length, characters, prefix, environment
and checksum are checked by API_KEYS_PREFIXES and API_KEYS_ENVIRONMENT, and the tag where API_KEYS_SIGNING_KEYS is set.
That a key is well-formed does not mean that there is such a key: keys verify asks the database.
Exit code 0: well-formed, 1: not.`,
  secret: 'key',
  offline: true,
  examples: [
    ['npx sophra-api-keys check < key.txt', 'From a file'],
    ['npx sophra-api-keys check', 'Typed at the terminal'],
  ],
  async run(_given, output) {
    const { inspectKey } = require('./addon.js')
    const result = inspectKey(await readSecret('key'))
    if (output.json) output.value(result)
    else output.record(record(result))
    return result.wellFormed ? Exit.done : Exit.no
  },
}

const tags = {
  valid: 'made by a signing key of this environment',
  unknown: 'made by none of the signing keys of this environment',
}

function record({ wellFormed, kind, start, tag, signingKey, note }) {
  const unchecked = 'not checked: API_KEYS_SIGNING_KEYS is not set'
  return [
    ['well-formed', wellFormed ? 'yes' : 'no'],
    ...(note === null ? [] : [['note', note]]),
    ...(kind === 'issued'
      ? [
          ['begins with', start],
          ['checksum', 'holds'],
        ]
      : []),
    ...(kind === 'issued' ? [['tag', tags[tag] ?? unchecked]] : []),
    ...(signingKey === null ? [] : [['signing key', signingKey]]),
  ]
}
