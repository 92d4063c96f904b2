'use strict'

const native = require('../addon.js')
const { open } = require('../fault.js')

/** The client's address as far as proxies are declared, else `null`. */
exports.clientIp = (request) =>
  open(native.clientAddress(request.headers.get('x-forwarded-for'))).ip
