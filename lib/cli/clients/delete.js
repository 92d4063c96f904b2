'use strict'

const { Exit, UsageError } = require('../errors.js')
const { confirmed, isInteractive } = require('../input.js')
const { quoted } = require('../output.js')
const { clientOf } = require('./client.js')
const { flags } = require('./fields.js')

module.exports = {
  summary: 'Deletes the settings of a client. Its keys stay.',
  details: `What the settings refused is accepted again. If the client or one of its parents is disabled, these are all keys of
the client: the command then needs --yes where there is nobody to ask. At a terminal, it asks for confirmation first,
unless --yes is given. A client that is the parent of another cannot be deleted.`,
  positionals: ['<id>'],
  flags,
  options: { yes: { type: 'boolean', short: 'y', help: 'Do not ask for confirmation' } },
  examples: [
    ['npx @sophra/api-keys clients delete acme', 'Delete after confirmation'],
    ['npx @sophra/api-keys clients delete acme --yes', 'Delete at once'],
  ],
  async run({ options, positionals: [id] }, output, addon) {
    const client = await clientOf(addon, id)
    if (!(await agreed(addon, client, options))) {
      output.note('Nothing was changed.')
      return Exit.negative
    }
    await addon.deleteClient(id)
    if (output.json) output.value({ clientId: id, deleted: true })
    else output.note(`Deleted: the settings of ${id}`)
    return Exit.ok
  },
}

/** Keys that are refused are not let in unless somebody wants it. */
async function agreed(addon, client, options) {
  const name = quoted(client.clientId)
  if (!(await isDisabled(addon, client))) {
    return confirmed(`Delete the settings of ${name}?`, options)
  }
  if (!options.yes && !isInteractive()) {
    throw new UsageError(
      'The client or one of its parents is disabled, and without its settings its keys are accepted again: confirm with --yes',
      'clients delete',
    )
  }
  const meaning = 'It or one of its parents is disabled, and its keys are accepted again.'
  return confirmed(`Delete the settings of ${name}? ${meaning}`, options)
}

/** Whether the client, or one of those whose rules hold for it, refuses all its keys. */
async function isDisabled(addon, { isActive, parentId }) {
  if (!isActive) return true
  const parent = parentId === null ? null : await addon.getClient(parentId)
  return parent !== null && isDisabled(addon, parent)
}
