'use strict'

const { clientAddress } = require('../guard/client.js')

/** How a guard sees a `Request` of the Web, behind which no socket shows. */
exports.view = {
  header: (request, name) => request.headers.get(name),
  method: (request) => request.method,
  path: (request) => pathOf(request.url),
  peer: () => undefined,
}

/** The path of an absolute URL. Parsing the whole URL would cost more than a verify. */
function pathOf(url) {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  const end = url.indexOf('?', start)
  return end < 0 ? url.slice(start) : url.slice(start, end)
}

exports.clientIp = (request) => clientAddress(exports.view, request).ip
