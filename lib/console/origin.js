'use strict'

// Who may change something: pages of the console alone. Another site can neither set the header, for which its page would have to
// ask first, nor the origin.

const { refusalOfOrigin } = require('../next/origin.js')
const { failure } = require('../next/responses.js')

const HEADER = 'x-api-keys-console'
const READS = ['GET', 'HEAD']

/** The refusal of a change that another site may have made; `undefined` otherwise. */
exports.forgery = (request, origins) => {
  if (READS.includes(request.method)) return undefined
  return refusalOfOrigin(request, origins) ?? refusalWithoutHeader(request)
}

const refusalWithoutHeader = ({ headers }) =>
  headers.get(HEADER) === '1' ? undefined : failure(withoutHeader)

const withoutHeader = {
  status: 403,
  code: 'WRONG_ORIGIN',
  message: `The header ${HEADER}: 1 is missing`,
}
