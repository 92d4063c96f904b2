'use strict'

// The addon answers `{"value": …}` or `{"fault": …}` in JSON. The error is made here, so that it belongs to the caller's realm.

class ApiKeyError extends Error {
  constructor({ message, ...fields }) {
    super(message)
    Object.assign(this, fields)
  }
}
Object.defineProperty(ApiKeyError.prototype, 'name', { value: 'ApiKeyError' })

/** By its name: another copy of the package, or another realm, has a class of its own. */
exports.isApiKeyError = (error) => {
  try {
    return error?.name === 'ApiKeyError' && typeof error.code === 'string'
  } catch {
    // A proxy or a getter threw.
    return false
  }
}

/** Returns the value of an answer, or throws its fault. */
exports.unwrap = (answer) => {
  const { fault, value } = JSON.parse(answer)
  if (fault) throw new ApiKeyError(fault)
  return value ?? undefined
}

/**
 * Calls the addon. The addon returns faults as answers and throws only because of a bug. The text of a thrown error may quote
 * a secret, so it is replaced.
 */
exports.guarded = (call, ...args) => {
  try {
    return call(...args)
  } catch {
    // Loaded late, since the addon itself needs this file.
    throw new ApiKeyError(require('./constants.js').internal)
  }
}

exports.ApiKeyError = ApiKeyError
