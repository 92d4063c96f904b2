'use strict'

// Problem details (RFC 9457), in place of the body of a refusal or an error, for clients that ask for them by name.

const MEDIA_TYPE = 'application/problem+json'

/** The answer in the form that the client accepts. One that is no failure is the same for all. */
exports.negotiated = (answer, accept) => {
  const { failure, status } = answer
  if (!failure) return answer
  const plain = { ...answer, headers: { ...answer.headers, Vary: 'Accept' }, failure: null }
  if (!isAskedFor(accept)) return plain
  const headers = { ...plain.headers, 'Content-Type': MEDIA_TYPE }
  return { ...plain, headers, body: JSON.stringify(problemOf(status, failure)) }
}

/** The type says no more than the status: `code` tells problems apart. */
function problemOf(status, { error, ...members }) {
  const title = require('node:http').STATUS_CODES[status]
  return { type: 'about:blank', title, status, detail: error, ...members }
}

/** Whether `Accept` names the media type. A wildcard does not. */
function isAskedFor(accept) {
  return (accept ?? '').split(',').some((range) => {
    const [type, ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    return type === MEDIA_TYPE && !parameters.some(isNone)
  })
}

/** Whether a parameter is the weight 0, which refuses what it stands with. */
const isNone = (parameter) => /^q *= *0(\.0*)?$/.test(parameter)
