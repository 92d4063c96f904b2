'use strict'

// `/api/clients`. The addon checks the values of the fields, and names every wrong one at once.

const { deleteClient, getClient, listClients, setClient } = require('../../index.js')
const { linkToNext } = require('./list.js')
const { checkOptions } = require('../guard/options.js')
const { by, except, guardedBy, has, numberIn, pick, queryOf, withBody } = require('./requests.js')
const { failure, invalidInput, json } = require('./responses.js')

/** The most clients that one call of `listClients` returns. */
const PAGE_LIMIT = 1_000

/** The handlers of `/api/clients`. */
exports.clientRoutes = (options = {}) => {
  const { authorize } = checkOptions('clientRoutes', options, ['authorize'])
  // Loaded here, since an app that only guards its own routes does not need it.
  const accepts = except(require('../client-fields.js').readOnly)
  const guarded = guardedBy(authorize)
  return {
    GET: guarded('clients:read', read),
    PUT: guarded('clients:write', setFrom(accepts)),
    DELETE: guarded('clients:write', remove),
  }
}

function read(request) {
  const query = queryOf(request)
  return query.clientId === undefined ? list(request, query) : show(query)
}

/** The body is an array, so the `Link` header announces the next page. */
async function list(request, { limit = String(PAGE_LIMIT), ...query }) {
  const { clients, nextCursor } = await listClients({ ...query, limit: numberIn(limit) })
  return json(clients, 200, nextCursor ? { Link: linkToNext(request, nextCursor) } : {})
}

async function show({ clientId, ...others }) {
  if (!clientId) return missingId()
  if (Object.keys(others).length > 0) return notAlone()
  const client = await getClient(clientId)
  return client ? json(client) : failure(notFound)
}

function setFrom(accepts) {
  return withBody(async (body, _request, { admin }) => {
    if (!has(body, 'clientId')) return missingId()
    return json(await setClient(pick(body, accepts), by(admin)))
  })
}

async function remove(request, { admin }) {
  const { clientId } = queryOf(request)
  if (!clientId) return missingId()
  await deleteClient(clientId, by(admin))
  return json({ success: true })
}

const missingId = () => invalidInput('Client ID is required', 'clientId')

const notAlone = () =>
  invalidInput('clientId must not be combined with other parameters', 'clientId')

const notFound = { status: 404, code: 'NOT_FOUND', message: 'Client not found' }
