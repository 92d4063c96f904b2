'use strict'

// `/api/quotas`. The addon checks the values of the fields, and names every wrong one at once.

const { getQuota, grantQuota } = require('../../index.js')
const { checkOptions } = require('./options.js')
const { by, guardedBy, queryOf, withBody } = require('./requests.js')
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

const grant = async (body, _request, { admin }) => json(await grantQuota(body, by(admin)))
