'use strict'

const { Exit } = require('../errors.js')
const { confirmed } = require('../input.js')
const { quoted } = require('../output.js')
const { keyOf } = require('./beginning.js')

module.exports = {
  summary: 'Disables a key, or deletes it. It takes effect in all processes within moments.',
  details: `A disabled key keeps its row and its counts, and can be enabled again (keys update --enable). A deleted key is gone.
At a terminal, the command asks for confirmation first.`,
  positionals: ['<id>'],
  options: {
    delete: { type: 'boolean', help: 'Delete the key permanently' },
    yes: { type: 'boolean', short: 'y', help: 'Do not ask for confirmation' },
  },
  examples: [
    ['npx sophra-api-keys keys revoke 7c9e6679-…', 'Refuse the key from now on'],
    ['npx sophra-api-keys keys revoke 7c9e6679-… --delete --yes', 'Delete it without confirmation'],
  ],
  async run({ options, positionals: [given] }, output, addon) {
    const key = await keyOf(addon, given)
    const { id } = key
    const verb = options.delete ? 'Delete' : 'Disable'
    if (!(await confirmed(`${verb} ${quoted(key.name)} of ${quoted(key.clientId)}?`, options))) {
      output.note('Nothing was changed.')
      return Exit.negative
    }
    if (options.delete) await addon.deleteApiKey(id)
    else await addon.patchApiKey({ id, isActive: false })
    if (output.json) output.value({ id, [options.delete ? 'deleted' : 'disabled']: true })
    else output.note(`${options.delete ? 'Deleted' : 'Disabled'}: ${key.name} of ${key.clientId}`)
    return Exit.ok
  },
}
