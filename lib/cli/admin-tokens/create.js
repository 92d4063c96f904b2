'use strict'

const { Exit } = require('../errors.js')
const { duration } = require('../values.js')

module.exports = {
  summary: 'Issues an admin token, signed with JWT_SECRET.',
  details: `The token goes to standard output, alone and only this once: the database keeps a digest of it. A token without
--permission may do nothing; * stands for every permission. The routes of this package require keys:read and keys:write, the same
of clients, quotas, webhooks and admin-tokens, usage:read, metrics:read and audit:read.`,
  options: {
    name: { value: '<text>', required: true, help: 'A name by which people recognise the token' },
    description: { value: '<text>', help: 'A note' },
    permission: { value: '<text>', multiple: true, help: 'A permission that the token holds' },
    expires: { ...duration, help: 'How long the token is valid: 90d, 12h; 365d by default' },
  },
  examples: [
    [
      'npx @sophra/api-keys admin-tokens create --name Operations --permission keys:read,keys:write',
      'A token for managing keys',
    ],
    [
      "npx @sophra/api-keys admin-tokens create --name Root --permission '*' --expires 1d",
      'A token with every permission, for one day',
    ],
  ],
  async run({ options }, output, addon) {
    const issued = await addon.createAdminToken({
      name: options.name,
      description: options.description,
      permissions: options.permission,
      expiresInSeconds: options.expires,
    })
    if (output.json) {
      output.value(issued)
    } else {
      output.note(`id: ${issued.id}`)
      output.note(`permissions: ${issued.permissions.join(', ') || 'none'}`)
      output.note(`expires: ${issued.expiresAt.toISOString()}`)
      output.note('The token, which cannot be shown again:')
      output.print(issued.token)
    }
    return Exit.ok
  },
}
