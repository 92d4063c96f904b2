'use strict'

const { Exit } = require('./errors.js')

/** Keys per call. */
const PART = 500

module.exports = {
  summary: 'Exports keys, one line of JSON for each, which import reads.',
  details: `Only with --hashes can the keys be imported and stay valid: the lines then have what the database stores of the keys, and must be
protected like the database. Clients, roles, and what was used of limits and quotas are not exported.`,
  options: {
    hashes: { type: 'boolean', help: 'With the hashes of the keys' },
    after: { value: '<id>', help: 'Only keys after the one with this id' },
  },
  examples: [
    ['npx @sophra/api-keys export --hashes > keys.ndjson', 'Export all keys'],
    [
      'npx @sophra/api-keys export --hashes | ssh backup npx @sophra/api-keys import -',
      'Into the database of another machine',
    ],
  ],
  async run({ options: { hashes, after } }, output, addon) {
    let rest = after
    do {
      const { lines, next } = await addon.exportApiKeys({ hashes, after: rest, limit: PART })
      for (const line of lines) await written(line)
      rest = next
    } while (rest)
    return Exit.ok
  },
}

/** Waits until a slow reader has taken it. JSON has no raw control characters, so it may be printed as it is. */
const written = (line) =>
  new Promise((resolve, reject) =>
    process.stdout.write(`${line}\n`, (error) => (error ? reject(error) : resolve())),
  )
