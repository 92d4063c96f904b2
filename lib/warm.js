'use strict'

// The warm path of `verifyApiKey`: a key that memory can answer for is verified in one synchronous native call that takes
// texts and answers numbers. What does not change of a key is fetched once, frozen, and shared by its results.

const native = require('./addon.js')

const numbers = native.warmNumbers()
const [LIMIT, REMAINING, RESET_MS, RETRY_AFTER_MS] = [0, 1, 2, 3]
const MISS = -1
const VALID = 0
const OUTCOMES = 16
const TEMPLATES_MAX = 100_000

const refusals = JSON.parse(native.refusals()).value

/** By the serial of the native entry, which is never used twice. */
const templates = new Map()

function freeze(value) {
  if (typeof value === 'object' && value !== null)
    Object.values(Object.freeze(value)).forEach(freeze)
  return value
}

/** Must follow the native call at once: the native side knows the last entry of this thread. */
function templateOf(serial) {
  let template = templates.get(serial)
  if (template === undefined) {
    template = freeze(JSON.parse(native.warmTemplate()).value)
    if (templates.size >= TEMPLATES_MAX) templates.delete(templates.keys().next().value)
    templates.set(serial, template)
  }
  return template
}

const KNOWN = new Set(['ip', 'scopes', 'cost', 'path', 'claimedIp'])
const SCOPES_MAX = 100
const COST_MAX = 1_000_000

// What a context says, as the native call takes it. `undefined`: not the usual, so it is judged by the other way.

function isUsual(context) {
  if (typeof context !== 'object' || Object.getPrototypeOf(context) !== Object.prototype)
    return false
  for (const name in context) if (!KNOWN.has(name)) return false
  return true
}

function textOf(value) {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value : undefined
}

function costOf(value) {
  if (value === undefined || value === null) return 1
  return Number.isInteger(value) && value >= 1 && value <= COST_MAX ? value : undefined
}

/** A scope a line. What a scope may be is judged natively, so a line break in one must not make it two. */
function scopesOf(list) {
  if (list === undefined || list === null) return ''
  if (!Array.isArray(list) || list.length > SCOPES_MAX) return undefined
  let lines = ''
  for (let index = 0; index < list.length; index++) {
    const scope = list[index]
    if (typeof scope !== 'string' || scope === '' || scope.includes('\n')) return undefined
    lines = index === 0 ? scope : `${lines}\n${scope}`
  }
  return lines
}

const rateLimit = () => ({
  limit: numbers[LIMIT],
  remaining: numbers[REMAINING],
  resetMs: numbers[RESET_MS],
})

function valid(template) {
  const { keyId, name, clientId, scopes, metadata, expiresAt } = template
  return {
    valid: true,
    code: 'VALID',
    keyId,
    name,
    clientId,
    scopes,
    metadata,
    expiresAt: expiresAt === null ? null : new Date(expiresAt),
    rateLimit: numbers[LIMIT] < 0 ? null : rateLimit(),
  }
}

function refused(outcome, serial) {
  const { code, status, message } = refusals[outcome - 1]
  const result = { valid: false, code, status, message }
  if (serial !== 0) result.keyId = templateOf(serial).keyId
  if (numbers[RETRY_AFTER_MS] >= 0) result.retryAfterMs = numbers[RETRY_AFTER_MS]
  if (numbers[LIMIT] >= 0) result.rateLimit = rateLimit()
  return result
}

function ask(key, context) {
  if (context === undefined || context === null) return native.verifyWarm(key, '', '', 1, '', '')
  if (!isUsual(context)) return MISS
  // Each field is read once: a getter may answer differently the next time, or verify by itself.
  const ip = textOf(context.ip)
  const scopes = scopesOf(context.scopes)
  const cost = costOf(context.cost)
  const path = textOf(context.path)
  const claimedIp = textOf(context.claimedIp)
  if (ip === undefined || scopes === undefined || cost === undefined) return MISS
  if (path === undefined || claimedIp === undefined) return MISS
  return native.verifyWarm(key, ip, scopes, cost, path, claimedIp)
}

/** The result, or `undefined` where memory alone cannot answer. */
exports.verifyWarm = (key, context) => {
  let answer
  try {
    answer = ask(key, context)
  } catch {
    // A getter or a proxy threw: the other way says what is wrong.
    return undefined
  }
  if (answer === MISS) return undefined
  const outcome = answer % OUTCOMES
  const serial = (answer - outcome) / OUTCOMES
  return outcome === VALID ? valid(templateOf(serial)) : refused(outcome, serial)
}

exports.freeze = freeze
