'use strict'

// `/api/admin-tokens`. The addon checks the values of the fields, and names every wrong one at once.

const { createAdminToken, revokeAdminToken } = require('../../index.js')
const { insufficientPermission } = require('../constants.js')
const { checkOptions } = require('../guard/options.js')
const { holds, noteRefused } = require('./admin.js')
const { linkToNext } = require('./list.js')
const { by, guardedBy, has, numberIn, queryOf, withBody } = require('./requests.js')
const { failure, invalidInput, json } = require('./responses.js')

/** The handlers of `/api/admin-tokens`. */
exports.adminTokenRoutes = (options = {}) => {
  const { authorize } = checkOptions('adminTokenRoutes', options, ['authorize'])
  const guarded = guardedBy(authorize)
  return {
    GET: guarded('admin-tokens:read', list),
    POST: guarded('admin-tokens:write', withBody(create)),
    PUT: guarded('admin-tokens:write', withBody(rotate)),
    DELETE: guarded('admin-tokens:write', revoke),
  }
}

/** The body is an array, so the `Link` header announces the next page. */
async function list(request) {
  const { listTokens } = require('../admin-tokens.js')
  const { limit, ...query } = queryOf(request)
  const { tokens, nextCursor } = await listTokens({ ...query, limit: numberIn(limit) })
  return json(tokens, 200, nextCursor ? { Link: linkToNext(request, nextCursor) } : {})
}

/** Nobody makes a token that may do more than they may. */
async function create(body, request, { admin }) {
  const missing = permissionsOf(body).filter((permission) => !holds(admin, permission))
  if (missing.length > 0) return beyond(request, missing)
  return json(await createAdminToken(body, by(admin)), 201)
}

/** The permissions that a new token would have. What is none is left to the addon, which refuses it. */
function permissionsOf(body) {
  const permissions = Object.hasOwn(body, 'permissions') ? body.permissions : undefined
  return Array.isArray(permissions) ? permissions.filter((text) => typeof text === 'string') : []
}

/** Nor does anybody get a token by rotating it that may do more. The addon compares what it then gives. */
async function rotate(body, request, { admin }) {
  if (!has(body, 'id')) return missingToken()
  const { rotateToken } = require('../admin-tokens.js')
  const rotated = await rotateToken(body, by(admin), [...admin.permissions])
  const { missingPermissions } = rotated
  return missingPermissions ? beyond(request, missingPermissions) : json(rotated)
}

async function revoke(request, { admin }) {
  const { id } = queryOf(request)
  if (!id) return missingToken()
  await revokeAdminToken(id, by(admin))
  return json({ success: true })
}

async function beyond(request, missingPermissions) {
  await noteRefused(request)
  return failure({
    ...insufficientPermission,
    message: 'The token would have permissions that the caller does not hold',
    missingPermissions: [...new Set(missingPermissions)],
  })
}

const missingToken = () => invalidInput('Admin token ID is required', 'id')
