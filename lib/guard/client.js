'use strict'

// The client of a request, as a guard sees it.

const native = require('../addon.js')
const { unwrap } = require('../errors.js')

/** An address that clients on the Internet do not have. */
const PRIVATE =
  /^(::ffff:)?(10|127|169\.254|192\.168|172\.(1[6-9]|2\d|3[01]))\.|^(::1$|f[cd]|fe[89ab])/i
let isNoted = false

/** A header for proxies that comes from nearby was written by one. If it is not declared, it is taken for the client. */
function noteProxy() {
  isNoted = true
  native.noteProxy()
}

/** `X-Forwarded-For`, and before it the peer of the socket, where it is known: between line breaks, which no header has. */
exports.hopsOf = (view, request) => {
  const peer = view.peer(request)
  const forwarded = view.header(request, 'x-forwarded-for')
  if (forwarded && !isNoted && peer && PRIVATE.test(peer)) noteProxy()
  return peer === undefined ? forwarded : `\n${peer}\n${forwarded ?? ''}`
}

/**
 * `ip` is the client's address as far as proxies are declared, else `null`; `claimedIp` is what the header claims, for operators.
 * `hasProxies` says whether any are declared.
 */
exports.clientAddress = (view, request) =>
  unwrap(native.clientAddress(exports.hopsOf(view, request)))

/** The context of a verify: the addresses of the client, and the path that it requests. */
exports.clientOf = (view, request) => {
  const { ip, claimedIp } = exports.clientAddress(view, request)
  return { ip, claimedIp, path: view.path(request) }
}
