'use strict'

const { Exit } = require('../faults.js')
const { duration } = require('../values.js')

module.exports = {
  summary: 'Issues an admin token, signed with JWT_SECRET.',
  details: `The token alone goes to standard output, once: only a digest of it is kept. Without --permission it may do
nothing; * is everything. The routes of this package ask for keys:read, keys:write, metrics:read, audit:read.`,
  options: {
    name: { value: '<text>', required: true, help: 'What it is called' },
    description: { value: '<text>', help: 'A note' },
    permission: { value: '<text>', multiple: true, help: 'What it may do' },
    expires: { ...duration, help: 'How long it is valid: 90d, 12h; by default 365d' },
  },
  examples: [
    [
      'npx sophra-api-keys admin-tokens create --name Operations --permission keys:read,keys:write',
      'Somebody who manages keys',
    ],
    [
      "npx sophra-api-keys admin-tokens create --name Root --permission '*' --expires 1d",
      'All, for a day',
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
    return Exit.done
  },
}
