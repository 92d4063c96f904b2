'use strict'

// The key that a request presents, and the answers to a request without a valid one.

const { missingKey } = require('../constants.js')
const { unauthorized } = require('./answers.js')

const CHALLENGE = 'Bearer realm="API"'

/** The key of `x-api-key` or `Authorization: Bearer`. */
exports.keyOf = (view, request) => view.header(request, 'x-api-key') || bearerToken(view, request)

/** The token of `Authorization: Bearer <token>`. */
function bearerToken(view, request) {
  return /^Bearer +(\S+)$/i.exec(view.header(request, 'authorization') ?? '')?.[1]
}

/** Names what was expected: `Authorization` may hold another scheme. */
exports.missing = (view, request) => {
  const hint = view.header(request, 'authorization')
    ? 'The Authorization header holds no Bearer token: send Authorization: Bearer <key>, or x-api-key: <key>'
    : 'Send x-api-key: <key>, or Authorization: Bearer <key>'
  return unauthorized(CHALLENGE, { ...missingKey, hint })
}

/** The answer to a key that is not accepted: it may be wrong. */
exports.notAccepted = (refusal) => unauthorized(`${CHALLENGE}, error="invalid_token"`, refusal)
