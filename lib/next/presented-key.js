'use strict'

// The key that a request presents, and the responses to a request without a valid one.

const { missingKey } = require('../constants.js')
const { unauthorized } = require('./responses.js')

const CHALLENGE = 'Bearer realm="API"'

/** The key of `x-api-key` or `Authorization: Bearer`. */
exports.keyOf = (request) => request.headers.get('x-api-key') || bearerToken(request)

/** The token of `Authorization: Bearer <token>`. */
function bearerToken(request) {
  return /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
}

/** Names what was expected: `Authorization` may hold another scheme. */
exports.missing = (request) => {
  const hint = request.headers.get('authorization')
    ? 'The Authorization header holds no Bearer token: send Authorization: Bearer <key>, or x-api-key: <key>'
    : 'Send x-api-key: <key>, or Authorization: Bearer <key>'
  return unauthorized(CHALLENGE, { ...missingKey, hint })
}

/** The response to a key that is not accepted: it may be wrong. */
exports.notAccepted = (refusal) => unauthorized(`${CHALLENGE}, error="invalid_token"`, refusal)
