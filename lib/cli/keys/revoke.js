'use strict'

const { Exit, UsageError } = require('../errors.js')
const { confirmed, isInteractive } = require('../input.js')
const { quoted } = require('../output.js')
const { json, number } = require('../values.js')
const { keyOf } = require('./beginning.js')

module.exports = {
  summary:
    'Revokes a key, or all keys of a filter, or deletes a key. It takes effect in all processes within moments.',
  details: `A revoked key keeps its row and its counts, and can be restored (keys restore), unless the reason is compromised. A deleted
key is gone. To refuse a key for a while, disable it (keys update --disable). At a terminal, the command asks for confirmation first.

With --where, all keys that match the filter and are not revoked are revoked at once: all of them or none. It is a JSON object with
the fields of ApiKeyFilter: clientId, status, isActive, createdBy, createdAfter, createdBefore, expiresBefore, unusedSince, scope, metadata,
search. Instants are like 2027-01-31T12:00:00Z. Where there is nobody to ask, --where needs --yes or --expected-count.`,
  positionals: ['[<id>]'],
  options: {
    reason: {
      value: '<reason>',
      help: 'unspecified (the default), superseded, compromised, affiliation_changed, cessation, unused or abuse',
    },
    note: { value: '<text>', help: 'What happened, for the audit log (audit --json)' },
    where: { ...json, help: 'Revoke all keys of this filter, e.g. {"clientId": "acme"}' },
    'dry-run': { type: 'boolean', help: 'With --where: only count the keys' },
    'expected-count': {
      ...number,
      help: 'With --where: change nothing unless exactly this many keys match',
    },
    delete: { type: 'boolean', help: 'Delete the key permanently' },
    yes: { type: 'boolean', short: 'y', help: 'Do not ask for confirmation' },
  },
  examples: [
    ['npx @sophra/api-keys keys revoke 7c9e6679-…', 'Refuse the key from now on'],
    [
      'npx @sophra/api-keys keys revoke 7c9e6679-… --reason compromised',
      'Revoke a leaked key; this is final',
    ],
    [
      'npx @sophra/api-keys keys revoke 7c9e6679-… --delete --yes',
      'Delete it without confirmation',
    ],
    [
      `npx @sophra/api-keys keys revoke --where '{"clientId": "acme"}' --dry-run`,
      'Count the keys of a client that leaves',
    ],
    [
      `npx @sophra/api-keys keys revoke --where '{"clientId": "acme"}' --reason cessation`,
      'Revoke them, all or none',
    ],
  ],
  async run({ options, positionals: [given] }, output, addon) {
    const { reason, note, where } = options
    check(options, given)
    if (where) return revokeAll(options, output, addon)
    const key = await keyOf(addon, given)
    const { id } = key
    const verb = options.delete ? 'Delete' : 'Revoke'
    if (!(await confirmed(`${verb} ${quoted(key.name)} of ${quoted(key.clientId)}?`, options))) {
      output.note('Nothing was changed.')
      return Exit.negative
    }
    const answer = options.delete
      ? await addon.deleteApiKey(id).then(() => ({ id, deleted: true }))
      : await addon.revokeApiKey({ id, reason, note })
    if (output.json) output.value(answer)
    else output.note(`${options.delete ? 'Deleted' : 'Revoked'}: ${key.name} of ${key.clientId}`)
    return Exit.ok
  },
}

function check(options, given) {
  const { where, reason, note } = options
  const fail = (message) => {
    throw new UsageError(message, 'keys revoke')
  }
  if (options.delete && (reason ?? note) !== undefined)
    fail('--delete takes neither --reason nor --note')
  if (!where === !given) fail('Give either <id> or --where')
  if (where && options.delete) fail('--where and --delete exclude each other')
  if (!where && (options['dry-run'] || options['expected-count'] !== undefined))
    fail('--dry-run and --expected-count require --where')
}

/** Whether all keys of a filter may be revoked, or nothing is changed, without a question. */
const isAgreed = (options) =>
  options.yes || options['dry-run'] || options['expected-count'] !== undefined

/** What is confirmed is a number of keys: if they are others by then, nothing is changed. */
async function revokeAll(options, output, addon) {
  const { where, reason, note } = options
  const expectedCount = options['expected-count']
  const found = await addon.revokeApiKeys({ where, reason, note, expectedCount, dryRun: true })
  const keys = found.count === 1 ? '1 key' : `${found.count} keys`
  if (options['dry-run']) {
    if (output.json) output.value(found)
    else output.note(`${keys} would be revoked`)
    return Exit.ok
  }
  // After the filter was read: --yes is no answer to a mistake in it.
  if (!isAgreed(options) && !isInteractive())
    throw new UsageError(
      'Nobody can be asked to confirm: give --yes, or --expected-count with the number of keys',
      'keys revoke',
    )
  const isFinal = reason === 'compromised' ? ' as compromised, which is final' : ''
  if (found.count > 0 && !(await confirmed(`Revoke ${keys}${isFinal}?`, options))) {
    output.note('Nothing was changed.')
    return Exit.negative
  }
  const revoked = await addon.revokeApiKeys({ where, reason, note, expectedCount: found.count })
  if (output.json) output.value(revoked)
  else output.note(`Revoked: ${keys}`)
  return Exit.ok
}
