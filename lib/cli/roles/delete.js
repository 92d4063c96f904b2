'use strict'

const { Exit } = require('../errors.js')
const { confirmed } = require('../input.js')
const { quoted } = require('../output.js')

module.exports = {
  summary: 'Deletes a role that no key names.',
  details: `A role that keys name is not deleted. At a terminal, it asks for confirmation first, unless --yes is given.`,
  positionals: ['<name>'],
  flags: { name: '<name>' },
  options: { yes: { type: 'boolean', short: 'y', help: 'Do not ask for confirmation' } },
  examples: [
    ['npx @sophra/api-keys roles delete editor', 'Delete after confirmation'],
    ['npx @sophra/api-keys roles delete editor --yes', 'Delete at once'],
  ],
  async run({ options, positionals: [name] }, output, addon) {
    if (!(await confirmed(`Delete the role ${quoted(name)}?`, options))) {
      output.note('Nothing was changed.')
      return Exit.negative
    }
    await addon.deleteRole(name)
    if (output.json) output.value({ name, deleted: true })
    else output.note(`Deleted: ${name}`)
    return Exit.ok
  },
}
