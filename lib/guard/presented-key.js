'use strict'

// The key that a request presents: `{ key, refusal }`, one of which is `null`. There is a refusal if it presents no key or two.

const { missingKey } = require('../constants.js')

/** Which of them counts must not depend on who reads them. */
const ambiguous = {
  valid: false,
  code: 'AMBIGUOUS_KEY',
  status: 401,
  message: 'x-api-key and Authorization hold different keys: send one of them',
}

const found = (key) => ({ key, refusal: null })
const refused = (refusal) => ({ key: null, refusal: { ...refusal } })

/** The key of `x-api-key` or `Authorization: Bearer`. */
exports.keyOf = (view, request) => {
  const named = view.header(request, 'x-api-key')
  const authorization = view.header(request, 'authorization')
  const token = tokenOf(authorization)
  if (named && token && named !== token) return refused(ambiguous)
  const key = named || token
  return key ? found(key) : refused(missing(authorization))
}

/** The token of `Authorization: Bearer <token>`. */
const tokenOf = (authorization) =>
  authorization ? /^Bearer +(\S+)$/i.exec(authorization)?.[1] : undefined

/** Names what was expected: `Authorization` may hold another scheme. */
function missing(authorization) {
  const hint = authorization
    ? 'The Authorization header holds no Bearer token: send Authorization: Bearer <key>, or x-api-key: <key>'
    : 'Send x-api-key: <key>, or Authorization: Bearer <key>'
  return { valid: false, ...missingKey, hint }
}

/** The key that a function of the app finds: only the app knows where it looked. */
exports.keyByApp = (name, getKey, request) => {
  const key = getKey(request)
  if (key === null || key === '')
    return refused({ valid: false, ...missingKey, message: 'Missing API key' })
  if (typeof key === 'string') return found(key)
  // The failure of a promise that nobody awaits would end the process.
  Promise.resolve(key).catch(() => {})
  throw new TypeError(`${name}: getKey must return a string or null, and no promise`)
}
