'use strict'

// The options of a guard are checked when it is made: a misspelt option would let in requests that it should refuse.

const checks = {
  scopes: (value) => Array.isArray(value) && value.every(isText),
  cost: (value) => Number.isInteger(value) && value >= 1,
  permission: isText,
  authorize: (value) => typeof value === 'function',
}

function isText(value) {
  return typeof value === 'string' && value !== ''
}

exports.checkHandler = (name, handler) => {
  if (typeof handler !== 'function') throw new TypeError(`${name}: the handler must be a function`)
}

/** Returns the options, unless one of them is unknown or has a wrong value; `undefined` is a wrong value too. */
exports.checkOptions = (name, options, known) => {
  for (const [option, value] of Object.entries(options)) {
    if (!known.includes(option)) throw new TypeError(`${name}: '${option}' is not a known option`)
    if (!checks[option](value)) throw new TypeError(`${name}: '${option}' has a wrong value`)
  }
  return options
}
