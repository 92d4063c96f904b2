'use strict'

// `/api/quotas`. The addon checks the values of the fields, and names every wrong one at once.

const { getQuota, grantQuota } = require('../../index.js')
const { checkOptions } = require('../guard/options.js')
const { by, guardedBy, idempotencyKeyOf, queryOf, withBody } = require('./requests.js')
const { json } = require('./responses.js')

/** The handlers of `/api/quotas`. */
exports.quotaRoutes = (options = {}) => {
  const { authorize } = checkOptions('quotaRoutes', options, ['authorize'])
  const guarded = guardedBy(authorize)
  return {
    GET: guarded('quotas:read', read),
    POST: guarded('quotas:write', withBody(grant)),
  }
}

const read = async (request) => json(await getQuota({ ...queryOf(request) }))

async function grant(body, request, { admin }) {
  return json(await grantQuota({ ...body, ...idempotencyKeyOf(request) }, by(admin)))
}
