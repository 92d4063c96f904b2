'use strict'

// `/api/usage` and `/api/usage/export`. The addon checks the values of the parameters, and names every wrong one at once.

const { exportUsage, getUsage } = require('../../index.js')
const { checkOptions } = require('../guard/options.js')
const { guardedBy, listIn, numberIn, queryOf } = require('./requests.js')
const { json } = require('./responses.js')

/** The handlers of `/api/usage`. */
exports.usageRoutes = routesOf('usageRoutes', async (request) => {
  const query = queryOf(request)
  return json(await getUsage({ ...query, groupBy: listIn(request, 'groupBy') }))
})

/** The handlers of `/api/usage/export`. */
exports.usageExportRoutes = routesOf('usageExportRoutes', async (request) => {
  const { limit, ...query } = queryOf(request)
  return json(await exportUsage({ ...query, limit: numberIn(limit) }))
})

function routesOf(name, read) {
  return (options = {}) => {
    const { authorize } = checkOptions(name, options, ['authorize'])
    return { GET: guardedBy(authorize)('usage:read', read) }
  }
}
