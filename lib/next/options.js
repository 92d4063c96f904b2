'use strict'

// A guard whose options are misspelt must not come up, since it would let in more than it should.

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

/** The options, none of them unknown, wrong, or there without a value. */
exports.checkOptions = (name, options, known) => {
  for (const [option, value] of Object.entries(options)) {
    if (!known.includes(option)) throw new TypeError(`${name}: '${option}' is not a known option`)
    if (!checks[option](value)) throw new TypeError(`${name}: '${option}' has a wrong value`)
  }
  return options
}
