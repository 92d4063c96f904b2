'use strict'

const native = require('../addon.js')
const { open } = require('../errors.js')

/** `ip`: as far as proxies are declared, else `null`; `claimedIp`: what the header says, for operators. */
const clientAddress = (request) =>
  open(native.clientAddress(request.headers.get('x-forwarded-for')))

/** The path of an absolute URL; parsing all of it would cost more than a verify. */
function pathOf(url) {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  const end = url.indexOf('?', start)
  return end < 0 ? url.slice(start) : url.slice(start, end)
}

/** Who asks for what. */
exports.clientOf = (request) => {
  const { ip, claimedIp } = clientAddress(request)
  return { ip, claimedIp, path: pathOf(request.url) }
}
exports.clientIp = (request) => clientAddress(request).ip
