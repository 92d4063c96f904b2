'use strict'

const { verifyAdminToken } = require('../../index.js')
const { insufficientPermission, missingToken } = require('../constants.js')
const { byGuard, isOfAddon, isSignal } = require('../guard/answers.js')
const { clientOf } = require('../guard/client.js')
const { checkAdminOptions, checkHandler } = require('../guard/options.js')
const responses = require('./responses.js')
const { view } = require('./view.js')

const CHALLENGE = 'AdminToken realm="API", header="x-admin-token"'
const HINT = 'Send x-admin-token: <token>'
const HINT_NOT_BEARER = 'Admin tokens are not read from Authorization: send x-admin-token: <token>'

/**
 * Guards a route: the handler runs only for an admin who holds the permission, and finds the admin in `context.admin`. If a
 * request presents a token, the token alone decides; `authorize` decides on all other requests.
 */
exports.withAdminAuth = (handler, options = {}) => {
  checkHandler('withAdminAuth', handler)
  const { permission, authorize } = checkAdminOptions('withAdminAuth', options)
  return responses.routeHandler(async (request, context) => {
    const token = request.headers.get('x-admin-token')
    const result = token
      ? await byToken(token, { permission, ...clientOf(view, request) })
      : await byAuthorize(request, permission, authorize)
    if (result.refusal) return result.refusal
    return handler(request, { ...context, admin: result.admin })
  })
}

async function byToken(token, context) {
  const admin = await byGuard(verifyAdminToken(token, context))
  if (admin.valid) return { admin }
  const { status } = admin
  return {
    refusal: status === 401 ? responses.unauthorized(CHALLENGE, admin) : responses.failure(admin),
  }
}

async function byAuthorize(request, permission, authorize) {
  const { admin, refusal } = await authorized(request, authorize)
  if (refusal) return { refusal }
  if (!admin) return { refusal: missing(request) }
  if (!holds(admin, permission)) return { refusal: responses.failure(insufficientPermission) }
  return { admin }
}

exports.authorized = authorized

/** The user of the app who makes a request: `{ admin }`, without one if there is none; `{ refusal }` if the app's function fails. */
async function authorized(request, authorize) {
  try {
    const admin = await authorize?.(request)
    if (admin && !isAdmin(admin)) throw new TypeError('authorize must return { name, permissions }')
    return { admin }
  } catch (error) {
    if (isSignal(error) || isOfAddon(error)) throw error
    return { refusal: responses.internalError(error) }
  }
}

/**
 * Counts a request that its handler refuses like one that the guard refuses, for operators and the audit log: the token lacks a
 * permission, and so it does not hold `*`, by which it would have all.
 */
exports.noteRefused = async (request) => {
  const token = request.headers.get('x-admin-token')
  const context = { permission: '*', ...clientOf(view, request) }
  // It is refused even if that cannot be noted.
  if (token) await verifyAdminToken(token, context).catch(() => {})
}

function missing(request) {
  const hint = request.headers.get('authorization') ? HINT_NOT_BEARER : HINT
  return responses.unauthorized(CHALLENGE, { ...missingToken, hint })
}

/** Whether a returned value describes an admin. A value that is merely truthy does not, nor does an inherited field count. */
function isAdmin(value) {
  if (!Object.hasOwn(value, 'name') || !Object.hasOwn(value, 'permissions')) return false
  const { name, permissions } = value
  const texts = (list) => Array.isArray(list) && list.every((text) => typeof text === 'string')
  return typeof name === 'string' && texts(permissions)
}

exports.holds = holds

/** The rule is that of admin tokens: the permission itself, or `*`. */
function holds({ permissions }, permission) {
  return permission === undefined || permissions.includes(permission) || permissions.includes('*')
}
