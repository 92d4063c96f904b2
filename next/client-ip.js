'use strict'

const native = require('../addon.js')
const { open } = require('../fault.js')

/** `ip`: as far as proxies are declared, else `null`; `claimedIp`: what the header says, for operators. */
const clientAddress = (request) =>
  open(native.clientAddress(request.headers.get('x-forwarded-for')))

exports.clientAddress = clientAddress
exports.clientIp = (request) => clientAddress(request).ip
