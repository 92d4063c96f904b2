'use strict'

const { Exit, UsageError } = require('../errors.js')
const { confirmed } = require('../input.js')
const { quoted } = require('../output.js')
const { keyOf } = require('./beginning.js')

module.exports = {
  summary: 'Revokes a key, or deletes it. It takes effect in all processes within moments.',
  details: `A revoked key keeps its row and its counts, and can be restored (keys restore), unless the reason is compromised. A deleted
key is gone. To refuse a key for a while, disable it (keys update --disable). At a terminal, the command asks for confirmation first.`,
  positionals: ['<id>'],
  options: {
    reason: {
      value: '<reason>',
      help: 'unspecified (the default), superseded, compromised, affiliation_changed, cessation, unused or abuse',
    },
    note: { value: '<text>', help: 'What happened, for the audit log (audit --json)' },
    delete: { type: 'boolean', help: 'Delete the key permanently' },
    yes: { type: 'boolean', short: 'y', help: 'Do not ask for confirmation' },
  },
  examples: [
    ['npx sophra-api-keys keys revoke 7c9e6679-…', 'Refuse the key from now on'],
    [
      'npx sophra-api-keys keys revoke 7c9e6679-… --reason compromised',
      'Revoke a leaked key; this is final',
    ],
    ['npx sophra-api-keys keys revoke 7c9e6679-… --delete --yes', 'Delete it without confirmation'],
  ],
  async run({ options, positionals: [given] }, output, addon) {
    const { reason, note } = options
    if (options.delete && (reason ?? note) !== undefined)
      throw new UsageError('--delete takes neither --reason nor --note', 'keys revoke')
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
