'use strict'

// The options of a guard are checked when it is made: a misspelt option would let in requests that it should refuse.

const native = require('../addon.js')
const { isApiKeyError, unwrap } = require('../errors.js')

const aFunction = [(value) => typeof value === 'function', 'must be a function']
const aValue = [
  (value) => value !== undefined && value !== null,
  'must be neither null nor undefined',
]

/** What the addon does not check, with the rule in words. */
const checks = {
  __proto__: null,
  audience: [
    (value) => typeof value === 'string' && /^\P{Cc}{1,255}$/u.test(value),
    'must have 1 to 255 characters, none of them a control character',
  ],
  action: [(value) => value === 'revoke' || value === 'notify', 'must be revoke or notify'],
  authorize: aFunction,
  compat: [(value) => value === 'prisma', 'must be prisma'],
  getKey: aFunction,
  onLeak: aFunction,
  onRefused: aFunction,
  origins: [
    (value) => Array.isArray(value) && value.length <= 100 && value.every(isOrigin),
    'must be an array of at most 100 origins, such as https://app.example.com',
  ],
  owner: aFunction,
  optional: [(value) => typeof value === 'boolean', 'must be true or false'],
  refundOn: aFunction,
}

/** Whether a text is the origin of pages, as browsers write it. */
function isOrigin(text) {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text
}

exports.isOrigin = isOrigin

exports.checkHandler = (name, handler) => {
  if (typeof handler !== 'function') throw new TypeError(`${name}: the handler must be a function`)
}

/** Returns the options, unless one of them is unknown or has a wrong value; `undefined` and `null` are wrong values too. */
function checkOptions(name, options, known) {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new TypeError(`${name}: the options must be an object`)
  const own = Object.entries(options)
  for (const [option, value] of own) {
    if (!known.includes(option)) throw new TypeError(`${name}: '${option}' is not a known option`)
    const [isGood, rule] = checks[option] ?? aValue
    if (!isGood(value)) throw wrongValue(name, option, rule)
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

const KEY_OPTIONS = [
  ...['scopes', 'cost', 'tag', 'audience', 'kinds', 'environments'],
  ...['refundOn', 'getKey', 'onRefused', 'optional'],
]

/** The kind of keys that pages may hold, as a line says it among others. */
const PUBLISHABLE = /^#(.*,)?publishable(,.*)?$/m

exports.checkKeyOptions = (name, options) => {
  const checked = checkOptions(name, options, KEY_OPTIONS)
  const { scopes, cost, tag, kinds, environments } = checked
  // What a function returns is checked when it has.
  const fixed = { scopes: unlessFunction(scopes), cost: unlessFunction(cost), tag }
  const text = checkRequirements(name, fixed, native.checkKeyGuard)
  if (fixed.scopes !== undefined && text === '') throw wrongValue(name, 'scopes', NOT_EMPTY)
  // The lines before those of the scopes, which are the same for each request.
  checked.head = checkRequirements(name, { kinds, environments }, native.checkKeyGuard)
  checked.isForBrowsers = PUBLISHABLE.test(checked.head)
  checked.text = checked.head + text
  // By the kinds and the catalogue in force, if they are known already; otherwise at the first request.
  checked.isUnchecked = !native.isConfigured()
  const fault = checked.isUnchecked ? undefined : configurationFault(checked.text)
  if (fault) throw new TypeError(`${name}: ${fault.message}`)
  // What was checked stays as it is, whatever becomes of the caller's object.
  if (typeof scopes !== 'function') checked.scopes = text
  if (typeof cost === 'object') checked.cost = Object.freeze({ ...cost })
  checked.isFixed = typeof scopes !== 'function' && typeof cost !== 'function'
  return checked
}

/** The error for kinds that are not configured, and for scopes that the catalogue does not have. */
function configurationFault(text) {
  try {
    unwrap(native.checkGuard(text))
    return undefined
  } catch (error) {
    return error
  }
}

exports.configurationFault = configurationFault

const NOT_EMPTY = 'must not be empty'
const unlessFunction = (value) => (typeof value === 'function' ? undefined : value)

/** The text of scopes that a function of the app has returned for a request. */
exports.scopesText = (name, scopes) => {
  const requirements = { __proto__: null, scopes }
  const text = checkRequirements(name, requirements, native.checkKeyGuard)
  if (text === '') throw wrongValue(name, 'scopes', NOT_EMPTY)
  return text
}

exports.checkAdminOptions = (name, options) => {
  const checked = checkOptions(name, options, ['permission', 'authorize'])
  checkRequirements(name, { permission: checked.permission }, native.checkAdminGuard)
  return checked
}
