'use strict'

const native = require('../addon.js')
const { unwrap } = require('../errors.js')

/** `ip` is the client's address as far as proxies are declared, else `null`; `claimedIp` is what the header claims, for operators. */
const clientAddress = (request) =>
  unwrap(native.clientAddress(request.headers.get('x-forwarded-for')))

/** The path of an absolute URL. Parsing the whole URL would cost more than a verify. */
function pathOf(url) {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  const end = url.indexOf('?', start)
  return end < 0 ? url.slice(start) : url.slice(start, end)
}

/** The context of a verify: the addresses of the client, and the path that it requests. */
exports.clientOf = (request) => {
  const { ip, claimedIp } = clientAddress(request)
  return { ip, claimedIp, path: pathOf(request.url) }
}
exports.clientIp = (request) => clientAddress(request).ip
exports.pathOf = pathOf
