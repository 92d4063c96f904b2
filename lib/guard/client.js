'use strict'

// The client of a request, as a guard sees it.

const native = require('../addon.js')
const { unwrap } = require('../errors.js')

/** `ip` is the client's address as far as proxies are declared, else `null`; `claimedIp` is what the header claims, for operators. */
exports.clientAddress = (view, request) =>
  unwrap(native.clientAddress(view.header(request, 'x-forwarded-for')))

/** The context of a verify: the addresses of the client, and the path that it requests. */
exports.clientOf = (view, request) => {
  const { ip, claimedIp } = exports.clientAddress(view, request)
  return { ip, claimedIp, path: view.path(request) }
}
