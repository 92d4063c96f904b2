'use strict'

// The options of a guard are checked when it is made: a misspelt option would let in requests that it should refuse.

const native = require('../addon.js')
const { isApiKeyError, unwrap } = require('../errors.js')

/** What the addon does not check. */
const checks = {
  __proto__: null,
  action: (value) => value === 'revoke' || value === 'notify',
  authorize: (value) => typeof value === 'function',
  compat: (value) => value === 'prisma',
  onLeak: (value) => typeof value === 'function',
  refundOn: (value) => typeof value === 'function',
}

exports.checkHandler = (name, handler) => {
  if (typeof handler !== 'function') throw new TypeError(`${name}: the handler must be a function`)
}

/** Returns the options, unless one of them is unknown or has a wrong value; `undefined` and `null` are wrong values too. */
function checkOptions(name, options, known) {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`${name}: the options must be an object`)
  const own = Object.entries(options)
  for (const [option, value] of own) {
    if (!known.includes(option)) throw new TypeError(`${name}: '${option}' is not a known option`)
    const isGood = checks[option] ?? ((value) => value !== undefined && value !== null)
    if (!isGood(value)) throw new TypeError(`${name}: '${option}' has a wrong value`)
  }
  // Without a prototype: an absent option must not be found in a polluted one.
  return Object.assign(Object.create(null), Object.fromEntries(own))
}

/**
 * The requirements of a guard are those of each request, so the addon checks them now by the rules that it has then. Returns the text
 * of the scopes of a guard for keys.
 */
function checkRequirements(name, requirements, check) {
  try {
    return unwrap(check(requirements))
  } catch (error) {
    if (!isApiKeyError(error) || !error.issues) throw error
    const [{ path, message }] = error.issues
    throw wrongValue(name, path, message)
  }
}

const wrongValue = (name, path, message) =>
  new TypeError(`${name}: '${path}' has a wrong value: it ${message}`)

exports.checkOptions = checkOptions
exports.wrongValue = wrongValue

exports.checkKeyOptions = (name, options) => {
  const checked = checkOptions(name, options, ['scopes', 'cost', 'tag', 'refundOn'])
  const { scopes, cost, tag } = checked
  // What a function returns is checked when it has.
  const fixed = typeof cost === 'function' ? { scopes, tag } : { scopes, cost, tag }
  checked.scopes = checkRequirements(name, fixed, native.checkKeyGuard)
  if (scopes !== undefined && checked.scopes === '')
    throw wrongValue(name, 'scopes', 'must not be empty')
  // What was checked stays as it is, whatever becomes of the caller's object.
  if (typeof checked.cost === 'object') checked.cost = Object.freeze({ ...checked.cost })
  return checked
}

exports.checkAdminOptions = (name, options) => {
  const checked = checkOptions(name, options, ['permission', 'authorize'])
  checkRequirements(name, { permission: checked.permission }, native.checkAdminGuard)
  return checked
}
