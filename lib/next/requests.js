'use strict'

// What the routes for admins have in common.

const { withAdminAuth } = require('./admin.js')
const { MAX_BYTES_WITH_SCOPES, readObject } = require('./body.js')

/** Makes handlers that run only for an admin who holds the permission. */
exports.guardedBy = (authorize) => (permission, handler) =>
  withAdminAuth(handler, authorize ? { permission, authorize } : { permission })

/** The parameters of a query, without a prototype: an absent one must not be found in a polluted one. */
exports.queryOf = (request) => {
  const parameters = Object.fromEntries(new URL(request.url).searchParams)
  return Object.assign(Object.create(null), parameters)
}

/** The entries of a parameter that is repeated, or whose value has commas. */
exports.listIn = (request, name) =>
  new URL(request.url).searchParams.getAll(name).flatMap((text) => text.split(','))

/** The number that a parameter is. What is none is passed on as it is: the addon refuses it. */
exports.numberIn = (text) => (/^\d{1,15}$/.test(text) ? Number(text) : text)

/** Makes a handler of `respond`, which gets the body of the request. */
exports.withBody = (respond, most) => async (request, context) => {
  const { value, refusal } = await readObject(request, most)
  return refusal ?? respond(value, request, context)
}

/** The same where the body may have scopes. */
exports.withScopedBody = (respond) => exports.withBody(respond, MAX_BYTES_WITH_SCOPES)

/** The fields of a body that are passed on. */
exports.pick = (body, accepts) =>
  Object.fromEntries(Object.entries(body).filter(([name]) => accepts(name)))

exports.except = (names) => (name) => !names.includes(name)

/** The actor in the audit log: the id of the token, or the name of the user. */
exports.by = (admin) => ({
  actor: Object.hasOwn(admin, 'tokenId') ? admin.tokenId : admin.name,
})

/** Whether an object has a field of its own that is not empty. */
exports.has = (object, name) => Object.hasOwn(object, name) && Boolean(object[name])

/**
 * The header `Idempotency-Key` as a field of the input, if it was sent: a quoted string by the IETF draft, and plain text by most
 * clients.
 */
exports.idempotencyKeyOf = ({ headers }) => {
  const sent = headers.get('idempotency-key')
  return sent === null ? {} : { idempotencyKey: sent.match(/^"(.+)"$/)?.[1] ?? sent }
}
