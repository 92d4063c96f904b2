'use strict'

const { Exit, UsageError } = require('../errors.js')
const { record } = require('./fields.js')

module.exports = {
  summary: 'Makes a webhook, or changes one and keeps what is not given.',
  details: `Without --id it makes a webhook, and shows its secret, which is not shown again: the receiver checks signatures with it.
A receiver of a private address needs API_KEYS_WEBHOOK_ALLOWED_NETWORKS. The processes of the app deliver, not this command.`,
  flags: { id: '--id', url: '--url', types: '--type', rotateSecret: '--rotate-secret' },
  options: {
    id: { value: '<id>', help: 'The webhook to change' },
    url: { value: '<url>', help: 'Where notices are sent' },
    type: {
      value: '<type>',
      multiple: true,
      help: 'A type of notices that it wants; all by default',
    },
    'all-types': { type: 'boolean', help: 'Send all types again' },
    enable: { type: 'boolean', help: 'Send notices again' },
    disable: { type: 'boolean', help: 'Send nothing until it is enabled' },
    'rotate-secret': {
      type: 'boolean',
      help: 'Make a new secret; for a day, the old one signs too',
    },
  },
  examples: [
    [
      'npx @sophra/api-keys webhooks set --url https://example.com/hooks --type key.revoked --type key.suspended',
      'Send two types of notices',
    ],
    ['npx @sophra/api-keys webhooks set --id 3f1c… --rotate-secret', 'Make a new secret'],
    ['npx @sophra/api-keys webhooks set --id 3f1c… --disable', 'Send nothing for now'],
  ],
  async run({ options: given }, output, addon) {
    const webhook = await addon.setWebhook(changesOf(given))
    if (output.json) {
      output.value(webhook)
    } else {
      output.record(record(webhook))
      if (webhook.secret) output.note('Store the secret now: it is not shown again.')
    }
    return Exit.ok
  },
}

function changesOf({ id, url, type, enable, disable, ...given }) {
  if (enable && disable)
    throw new UsageError('--enable and --disable exclude each other', 'webhooks set')
  if (type && given['all-types']) {
    throw new UsageError('--type and --all-types exclude each other', 'webhooks set')
  }
  return {
    id,
    url,
    ...(type && { types: type }),
    ...(given['all-types'] && { types: null }),
    ...((enable || disable) && { isActive: Boolean(enable) }),
    ...(given['rotate-secret'] && { rotateSecret: true }),
  }
}
