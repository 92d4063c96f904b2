'use strict'

// Answers of the addon that are JSON: `{"value": …}` or `{"fault": …}`. The error is made here, so that it belongs to the
// caller's realm.

class ApiKeyError extends Error {
  constructor({ message, ...fields }) {
    super(message)
    Object.assign(this, fields)
  }
}
Object.defineProperty(ApiKeyError.prototype, 'name', { value: 'ApiKeyError' })

/** The value of an answer; a fault is thrown. */
exports.open = (answer) => {
  const { fault, value } = JSON.parse(answer)
  if (fault) throw new ApiKeyError(fault)
  return value ?? undefined
}

/** Calls the addon. What it throws by itself is a defect, whose text is told to nobody: it may quote a secret. */
exports.guarded = (call, ...args) => {
  try {
    return call(...args)
  } catch {
    const message = 'A defect was met; the call was abandoned'
    throw new ApiKeyError({ message, code: 'INTERNAL', status: 500 })
  }
}

exports.ApiKeyError = ApiKeyError
