'use strict'

const { Exit } = require('../faults.js')
const { confirmed } = require('../input.js')
const { notFound } = require('../not-found.js')
const { quoted } = require('../output.js')

module.exports = {
  summary: 'Disables a key, in all processes within moments, or deletes it.',
  details: `A disabled key keeps its row and its counts, and can be enabled again (keys update --enable). A deleted one is
gone. At a terminal you are asked first.`,
  positionals: ['<id>'],
  options: {
    delete: { type: 'boolean', help: 'Delete it for good' },
    yes: { type: 'boolean', short: 'y', help: 'Do not ask' },
  },
  examples: [
    ['npx sophra-api-keys keys revoke 7c9e6679-…', 'Refuse it from now on'],
    ['npx sophra-api-keys keys revoke 7c9e6679-… --delete --yes', 'Delete it without asking'],
  ],
  async run({ options, positionals: [id] }, output, addon) {
    const key = await addon.getApiKey(id)
    if (!key) throw notFound('API key')
    const verb = options.delete ? 'Delete' : 'Disable'
    if (!(await confirmed(`${verb} ${quoted(key.name)} of ${quoted(key.clientId)}?`, options))) {
      output.note('Nothing was changed.')
      return Exit.no
    }
    if (options.delete) await addon.deleteApiKey(id)
    else await addon.patchApiKey({ id, isActive: false })
    if (output.json) output.value({ id, [options.delete ? 'deleted' : 'disabled']: true })
    else output.note(`${options.delete ? 'Deleted' : 'Disabled'}: ${key.name} of ${key.clientId}`)
    return Exit.done
  },
}
