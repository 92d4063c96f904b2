'use strict'

// `/api/webhooks` and `/api/webhooks/deliveries`. The addon checks the values of the fields, and names every wrong one at once.

const {
  deleteWebhook,
  listDeliveries,
  listWebhooks,
  redeliver,
  setWebhook,
} = require('../../index.js')
const { linkToNext } = require('./list.js')
const { checkOptions } = require('../guard/options.js')
const { by, guardedBy, has, numberIn, queryOf, withBody } = require('./requests.js')
const { invalidInput, json } = require('./responses.js')

/** The handlers of `/api/webhooks`. */
exports.webhookRoutes = (options = {}) => {
  const { authorize } = checkOptions('webhookRoutes', options, ['authorize'])
  const guarded = guardedBy(authorize)
  return {
    GET: guarded('webhooks:read', async () => json(await listWebhooks())),
    POST: guarded('webhooks:write', withBody(create)),
    PATCH: guarded('webhooks:write', withBody(change)),
    DELETE: guarded('webhooks:write', remove),
  }
}

async function create(body, _request, { admin }) {
  if (has(body, 'id')) return invalidInput('id must be absent: use PATCH to change a webhook', 'id')
  return json(await setWebhook(body, by(admin)), 201)
}

async function change(body, _request, { admin }) {
  if (!has(body, 'id')) return missingWebhook()
  return json(await setWebhook(body, by(admin)))
}

async function remove(request, { admin }) {
  const { id } = queryOf(request)
  if (!id) return missingWebhook()
  await deleteWebhook(id, by(admin))
  return json({ success: true })
}

/** The handlers of `/api/webhooks/deliveries`. */
exports.deliveryRoutes = (options = {}) => {
  const { authorize } = checkOptions('deliveryRoutes', options, ['authorize'])
  const guarded = guardedBy(authorize)
  return {
    GET: guarded('webhooks:read', list),
    POST: guarded('webhooks:write', withBody(repeat)),
  }
}

/** The body is an array, so the `Link` header announces the next page. */
async function list(request) {
  const { limit, ...query } = queryOf(request)
  const { deliveries, nextCursor } = await listDeliveries({ ...query, limit: numberIn(limit) })
  return json(deliveries, 200, nextCursor ? { Link: linkToNext(request, nextCursor) } : {})
}

async function repeat(body) {
  if (!has(body, 'id')) return invalidInput('Delivery ID is required', 'id')
  await redeliver(body.id)
  return json({ success: true })
}

const missingWebhook = () => invalidInput('Webhook ID is required', 'id')
