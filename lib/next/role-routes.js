'use strict'

// `/api/roles`. The addon checks the values of the fields, and names every wrong one at once.

const { deleteRole, listRoles, setRole } = require('../../index.js')
const { checkOptions } = require('../guard/options.js')
const { by, guardedBy, queryOf, withScopedBody } = require('./requests.js')
const { invalidInput, json } = require('./responses.js')

/** The handlers of `/api/roles`. */
exports.roleRoutes = (options = {}) => {
  const { authorize } = checkOptions('roleRoutes', options, ['authorize'])
  const guarded = guardedBy(authorize)
  return {
    GET: guarded('roles:read', async () => json(await listRoles())),
    // What a role holds, its keys hold: nobody gives more to keys in this way than they may give to them.
    PUT: guarded('roles:write', guarded('keys:write', withScopedBody(set))),
    DELETE: guarded('roles:write', remove),
  }
}

async function set(body, _request, { admin }) {
  return json(await setRole(body, by(admin)))
}

async function remove(request, { admin }) {
  const { name } = queryOf(request)
  if (!name) return invalidInput('The name of a role is required', 'name')
  await deleteRole(name, by(admin))
  return json({ success: true })
}
