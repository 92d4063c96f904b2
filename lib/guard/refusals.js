'use strict'

// The answers to the refusals of a guard of keys.

const { failure, unauthorized } = require('./answers.js')
const { rateLimitOf } = require('./rate-limit.js')

const CHALLENGE = 'Bearer realm="API"'
/** How much of a header is for the missing scopes, in characters: servers and proxies take few KiB of headers. */
const SCOPES_MAX = 1_024

/** The errors of RFC 6750 for refusals with 401. Any other one is of a token that may be wrong. */
const errors = {
  __proto__: null,
  MISSING_KEY: '',
  AMBIGUOUS_KEY: ', error="invalid_request"',
}

/** The answer to a refusal, of a key or before there is one. `windows` are those of its limits in seconds. */
exports.answerTo = (refusal, windows = []) => {
  const { status, code, missingScopes } = refusal
  if (status === 401)
    return unauthorized(CHALLENGE + (errors[code] ?? ', error="invalid_token"'), refusal)
  if (code === 'INSUFFICIENT_SCOPE')
    return unauthorized(CHALLENGE + insufficient(missingScopes), refusal)
  return failure(refusal, rateLimitOf(refusal, windows))
}

/** As many of the missing scopes as there is room for. */
function insufficient(missingScopes) {
  let scopes = ''
  for (const scope of missingScopes) {
    if (scopes.length + scope.length >= SCOPES_MAX) break
    scopes = scopes === '' ? scope : `${scopes} ${scope}`
  }
  return `, error="insufficient_scope"${scopes === '' ? '' : `, scope="${scopes}"`}`
}
