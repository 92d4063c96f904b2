'use strict'

// The client of a request, as a guard sees it.

const native = require('../addon.js')
const { unwrap } = require('../errors.js')

/** `X-Forwarded-For`, and before it the peer of the socket, where it is known: between line breaks, which no header has. */
exports.hopsOf = (view, request) => {
  const [peer, forwarded] = [view.peer(request), view.header(request, 'x-forwarded-for')]
  return peer === undefined ? forwarded : `\n${peer}\n${forwarded ?? ''}`
}

/** `ip` is the client's address as far as proxies are declared, else `null`; `claimedIp` is what the header claims, for operators. */
exports.clientAddress = (view, request) =>
  unwrap(native.clientAddress(exports.hopsOf(view, request)))

/** The context of a verify: the addresses of the client, and the path that it requests. */
exports.clientOf = (view, request) => {
  const { ip, claimedIp } = exports.clientAddress(view, request)
  return { ip, claimedIp, path: view.path(request) }
}
