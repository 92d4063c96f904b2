'use strict'

// The package, with the native functions that only the command line uses.

// The command reports errors itself, and no process collects its events.
process.env.API_KEYS_LOG ??= 'off'
// The processes of the app deliver to webhooks. A command is over too soon.
process.env.API_KEYS_WEBHOOKS = 'off'
// A command does what it says, and no more. A wrong value is still reported.
if (/^\d+$/.test(process.env.API_KEYS_PURGE_REVOKED_DAYS ?? ''))
  delete process.env.API_KEYS_PURGE_REVOKED_DAYS

const { userInfo } = require('node:os')
const api = require('../../index.js')
const native = require('../addon.js')
const { createConsoleLink } = require('../console/link.js')
const { listTokens } = require('../admin-tokens.js')
const { jwks } = require('../derived-tokens.js')
const { unwrap } = require('../errors.js')

/** The actor in the audit log. */
function actor() {
  try {
    return `command line: ${userInfo().username}`
  } catch {
    // The account has no name, as in some containers.
    return 'command line'
  }
}

const withActor = (change) => (input) => change(input, { actor: actor() })

/** The same of functions whose input names the actor. */
const withOwnActor = (change) => (input) => change({ ...input, actor: actor() })

module.exports = {
  ...api,
  createApiKey: withActor(api.createApiKey),
  updateApiKey: withActor(api.updateApiKey),
  patchApiKey: withActor(api.patchApiKey),
  revokeApiKey: withActor(api.revokeApiKey),
  revokeApiKeys: withActor(api.revokeApiKeys),
  reportLeakedKeys: (reports, options) =>
    api.reportLeakedKeys(reports, { ...options, actor: actor() }),
  importApiKeys: (items, options) => api.importApiKeys(items, { ...options, actor: actor() }),
  restoreApiKey: withActor(api.restoreApiKey),
  deleteApiKey: withActor(api.deleteApiKey),
  setClient: withActor(api.setClient),
  deleteClient: withActor(api.deleteClient),
  setRole: withActor(api.setRole),
  deleteRole: withActor(api.deleteRole),
  setWebhook: withActor(api.setWebhook),
  deleteWebhook: withActor(api.deleteWebhook),
  grantQuota: withActor(api.grantQuota),
  createAdminToken: withActor(api.createAdminToken),
  rotateAdminToken: withActor(api.rotateAdminToken),
  revokeAdminToken: withActor(api.revokeAdminToken),
  createConsoleLink: withOwnActor(createConsoleLink),
  rotateTokenKey: () => api.rotateTokenKey({ actor: actor() }),
  jwks,
  doctor: async (isBefore) => unwrap(await native.doctor(isBefore)),
  listTokens,
  inspectKey: (text) => unwrap(native.inspectKey(text)),
  migrationScript: (after) => unwrap(native.migrationScript(after)),
}
