'use strict'

const { verifyAdminToken } = require('../../index.js')
const { clientOf } = require('./client-ip.js')
const { checkHandler, checkOptions } = require('./options.js')
const responses = require('./responses.js')

const CHALLENGE = 'AdminToken realm="API", header="x-admin-token"'
const MISSING = { code: 'INVALID_TOKEN', message: 'Missing required header: x-admin-token' }
const INSUFFICIENT = {
  status: 403,
  code: 'INSUFFICIENT_PERMISSION',
  message: 'Insufficient permissions for this endpoint',
}

/**
 * Guards a route: the handler runs only for an admin who holds the permission, and learns who it is by `context.admin`. A
 * request that presents a token is judged by the token alone; `authorize` is asked about the others.
 */
exports.withAdminAuth = (handler, options = {}) => {
  checkHandler('withAdminAuth', handler)
  const { permission, authorize } = checkOptions('withAdminAuth', options, [
    'permission',
    'authorize',
  ])
  return responses.routeHandler(async (request, context) => {
    const token = request.headers.get('x-admin-token')
    const found = token
      ? await byToken(token, { permission, ...clientOf(request) })
      : await byAuthorize(request, permission, authorize)
    if (found.refusal) return found.refusal
    return handler(request, { ...context, admin: found.admin })
  })
}

async function byToken(token, context) {
  const admin = await responses.asked(verifyAdminToken(token, context))
  if (admin.valid) return { admin }
  const { status } = admin
  return {
    refusal: status === 401 ? responses.unauthorized(CHALLENGE, admin) : responses.failure(admin),
  }
}

async function byAuthorize(request, permission, authorize) {
  let admin
  try {
    admin = await authorize?.(request)
    if (admin && !isAdmin(admin)) throw new TypeError('authorize must answer { name, permissions }')
  } catch (error) {
    // Next throws its own signals, `redirect()` for one, with a digest.
    if (typeof error?.digest === 'string' || error?.name === 'ApiKeyError') throw error
    return { refusal: responses.internalError(error) }
  }
  if (!admin) return { refusal: responses.unauthorized(CHALLENGE, MISSING) }
  if (!holds(admin, permission)) return { refusal: responses.failure(INSUFFICIENT) }
  return { admin }
}

/** Nothing that is merely truthy is a yes. */
function isAdmin({ name, permissions }) {
  const texts = (list) => Array.isArray(list) && list.every((text) => typeof text === 'string')
  return typeof name === 'string' && texts(permissions)
}

/** As for tokens: exactly, or by `*`. */
function holds({ permissions }, permission) {
  return permission === undefined || permissions.includes(permission) || permissions.includes('*')
}
