'use strict'

const { Exit } = require('../errors.js')
const { confirmed } = require('../input.js')
const { quoted } = require('../output.js')

module.exports = {
  summary: 'Deletes a webhook. What was on its way to it is not delivered any more.',
  details: `At a terminal, it asks for confirmation first, unless --yes is given. To send nothing for a while, use webhooks set
--disable: then what is on its way waits.`,
  positionals: ['<id>'],
  flags: { id: '<id>' },
  options: { yes: { type: 'boolean', short: 'y', help: 'Do not ask for confirmation' } },
  examples: [
    ['npx @sophra/api-keys webhooks delete 3f1c…', 'Delete after confirmation'],
    ['npx @sophra/api-keys webhooks delete 3f1c… --yes', 'Delete at once'],
  ],
  async run({ options, positionals: [id] }, output, addon) {
    if (!(await confirmed(`Delete the webhook ${quoted(id)}?`, options))) {
      output.note('Nothing was changed.')
      return Exit.negative
    }
    await addon.deleteWebhook(id)
    if (output.json) output.value({ id, deleted: true })
    else output.note(`Deleted: ${id}`)
    return Exit.ok
  },
}
