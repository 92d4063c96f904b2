'use strict'

// The data of the console's pages: the routes that apps offer, and a few that only the console needs. It is no public API.

const { getApiKey, listAuditEvents, verifyApiKey } = require('../../index.js')
const { adminTokenRoutes } = require('../next/admin-token-routes.js')
const { clientRoutes } = require('../next/client-routes.js')
const { quotaRoutes } = require('../next/quota-routes.js')
const { guardedBy, has, numberIn, queryOf, withBody } = require('../next/requests.js')
const { failure, invalidInput, json } = require('../next/responses.js')
const { revocationRoutes } = require('../next/revocation-routes.js')
const { roleRoutes } = require('../next/role-routes.js')
const { apiKeyRoutes } = require('../next/routes.js')
const { usageRoutes } = require('../next/usage-routes.js')
const { deliveryRoutes, webhookRoutes } = require('../next/webhook-routes.js')
const { ask } = require('./ask.js')
const { exportEvents, exportKeys } = require('./exports.js')
const { overview } = require('./overview.js')

/** The handlers by their path. `authorize` tells who makes a request. */
exports.dataRoutes = (authorize) => {
  const options = { authorize }
  const guarded = guardedBy(authorize)
  const showKey = { GET: guarded('keys:read', show) }
  const routes = {
    __proto__: null,
    keys: apiKeyRoutes(options),
    'keys/audit': { GET: guarded('audit:read', events) },
    'keys/export': { GET: guarded('keys:read', exportKeys) },
    'keys/revocation': revocationRoutes(options),
    'keys/verify': { POST: guarded('keys:read', withBody(verify)) },
    clients: clientRoutes(options),
    'clients/ids': { GET: guarded('clients:read', bareClients) },
    quotas: quotaRoutes(options),
    roles: roleRoutes(options),
    'admin-tokens': adminTokenRoutes(options),
    webhooks: webhookRoutes(options),
    'webhooks/deliveries': deliveryRoutes(options),
    usage: usageRoutes(options),
    'audit/export': { GET: guarded('audit:read', exportEvents) },
    overview: { GET: guarded('metrics:read', overview) },
  }
  return ([first, second, ...others]) =>
    routes[[first, second, ...others].filter((part) => part !== undefined).join('/')] ??
    (first === 'keys' && others.length === 0 ? showKey : undefined)
}

/** The key whose id is the last segment. */
async function show(_request, { id }) {
  const key = await getApiKey(id)
  return key ? json(key) : failure({ status: 404, code: 'NOT_FOUND', message: 'API key not found' })
}

async function events(request) {
  const { limit, ...query } = queryOf(request)
  return json(await listAuditEvents({ ...query, limit: numberIn(limit) }))
}

/** Whether a key would be accepted now, without a use of it. */
async function verify(body) {
  if (!has(body, 'key')) return invalidInput('The key is required', 'key')
  return json(await verifyApiKey(body.key, { peek: true }))
}

/** Clients that have keys but no settings, so that the list of clients does not have them. */
async function bareClients(request) {
  return json(await ask('clients', undefined, queryOf(request)))
}
