'use strict'

// `/api/keys/revocation`. The addon checks the values of the fields, and names every wrong one at once.

const { restoreApiKey, revokeApiKey, revokeApiKeys } = require('../../index.js')
const { checkOptions } = require('../guard/options.js')
const { by, guardedBy, withBody } = require('./requests.js')
const { json, missingId } = require('./responses.js')

/** The handlers of `/api/keys/revocation`. */
exports.revocationRoutes = (options = {}) => {
  const { authorize } = checkOptions('revocationRoutes', options, ['authorize'])
  const guarded = guardedBy(authorize)
  return {
    POST: guarded('keys:write', withBody(revoke)),
    DELETE: guarded('keys:write', restore),
  }
}

/** A body with `where` is about all keys of a filter. */
async function revoke(body, _request, { admin }) {
  const call = Object.hasOwn(body, 'where') ? revokeApiKeys : revokeApiKey
  return json(await call(body, by(admin)))
}

async function restore(request, { admin }) {
  const id = new URL(request.url).searchParams.get('id')
  if (!id) return missingId()
  return json(await restoreApiKey(id, by(admin)))
}
