'use strict'

// The package, and what only the command line needs of the native part.

// Here a fault is told by the command itself, and nobody collects events.
process.env.API_KEYS_LOG ??= 'off'

const { userInfo } = require('node:os')
const { open } = require('../errors.js')
const api = require('../../index.js')
const native = require('../addon.js')

/** Who is named in the audit log. */
function actor() {
  try {
    return `command line: ${userInfo().username}`
  } catch {
    // An account without a name, as in some containers.
    return 'command line'
  }
}

const signed = (change) => (input) => change(input, { actor: actor() })

module.exports = {
  ...api,
  createApiKey: signed(api.createApiKey),
  updateApiKey: signed(api.updateApiKey),
  patchApiKey: signed(api.patchApiKey),
  deleteApiKey: signed(api.deleteApiKey),
  createAdminToken: signed(api.createAdminToken),
  revokeAdminToken: signed(api.revokeAdminToken),
  doctor: async () => open(await native.doctor()),
  inspectKey: (text) => open(native.inspectKey(text)),
  migrationScript: native.migrationScript,
}
