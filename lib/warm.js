'use strict'

// The warm path of `verifyApiKey`: one synchronous native call, which takes texts and returns the charge, verifies a key that is
// cached. The parts of a result that stay the same from verify to verify are fetched once, frozen and shared.

const native = require('./addon.js')
const { refusals, valid: VALID_CODE, warm } = require('./constants.js')
const { unwrap } = require('./errors.js')
const { templateOf } = require('./templates.js')

/** The native side writes the numbers of an answer into `numbers` before it returns; a negative one stands for an absent value. */
const { numbers, verifyWarmKey, verifyWarm, verifyWarmRequest } = native.warmPath()
const [SERIAL, REFUSAL, RETRY_AFTER_MS, LIMITED_BY] = [
  'serial',
  'refusal',
  'retryAfterMs',
  'limitedBy',
].map((name) => warm.numbers.indexOf(name))
/** Behind those: what remains of each limit, and the milliseconds until it is full again. */
const LIMITS = warm.numbers.length
/** What the native side returns in place of a charge if the cache alone cannot answer. */
const MISS = undefined

const { scopesMax: SCOPES_MAX } = warm
/** In place of the number of a refusal, which is counted from 1. */
const VALID = 0
const UINT32_MAX = 2 ** 32 - 1

// The native call takes the fields of a context as texts and a number. `undefined` stands for a field that does not fit: the
// cold path then reads the whole context and reports what is wrong with it.

function isField(name) {
  switch (name) {
    case 'ip':
    case 'scopes':
    case 'cost':
    case 'tag':
    case 'kinds':
    case 'environments':
    case 'origin':
    case 'audience':
    case 'path':
    case 'claimedIp':
      return true
    default:
      return false
  }
}
const base = Object.prototype

/** Other code may have added a field to `Object.prototype`. The cold path reads own fields only. */
const isPolluted = () =>
  'ip' in base ||
  'scopes' in base ||
  'cost' in base ||
  'tag' in base ||
  'kinds' in base ||
  'environments' in base ||
  'origin' in base ||
  'path' in base ||
  'claimedIp' in base ||
  'audience' in base

function isPlain(context) {
  if (typeof context !== 'object' || Object.getPrototypeOf(context) !== base || isPolluted())
    return false
  for (const name in context) if (!isField(name)) return false
  return true
}

function textOf(value) {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value : undefined
}

/** The native side checks the range; a number that does not fit into 32 bits would wrap on the way, and -0 become 0. */
const isCost = (value) =>
  Number.isInteger(value) && (value > 0 || Object.is(value, 0)) && value <= UINT32_MAX

/** A number, or a text with a line for each named limit: its name, a space and the cost. */
function costOf(value) {
  if (value === undefined || value === null) return 1
  if (typeof value !== 'object') return isCost(value) ? value : undefined
  if (Object.getPrototypeOf(value) !== base) return undefined
  let lines = ''
  for (const name of Object.keys(value)) {
    const cost = value[name]
    if (!isCost(cost) || name.includes('\n')) return undefined
    lines = lines === '' ? `${name} ${cost}` : `${lines}\n${name} ${cost}`
  }
  return lines === '' ? 1 : lines
}

/** What the lines begin with that are no scopes, in their order. The native side checks each line, so none must have a break inside. */
const [TAG, KINDS, ENVIRONMENT, ORIGIN, AUDIENCE] = ['\t', '#', '@', '^', '!']

/** A line; `undefined` for what does not fit into one. An empty text has no meaning anywhere. */
const lineOf = (mark, value) =>
  typeof value === 'string' && value !== '' && !value.includes('\n')
    ? `${mark}${value}\n`
    : undefined

/** The same of what may be absent. */
const optionalLine = (mark, value) =>
  value === undefined || value === null ? '' : lineOf(mark, value)

function kindsOf(kinds) {
  if (kinds === undefined || kinds === null) return ''
  if (!Array.isArray(kinds) || kinds.length === 0) return undefined
  let names = ''
  for (let index = 0; index < kinds.length; index++) {
    const name = kinds[index]
    if (typeof name !== 'string' || name === '' || name.includes(',')) return undefined
    names = index === 0 ? name : `${names},${name}`
  }
  return lineOf(KINDS, names)
}

/** Only the one of the two that is accepted is worth a line. */
function environmentsOf(environments) {
  if (environments === undefined || environments === null) return ''
  if (!Array.isArray(environments) || environments.length !== 1) return undefined
  return lineOf(ENVIRONMENT, environments[0])
}

function scopesOf(query) {
  if (query === undefined || query === null) return ''
  if (!Array.isArray(query) || query.length > SCOPES_MAX) return queryOf(query)
  let lines = ''
  for (let index = 0; index < query.length; index++) {
    const scope = query[index]
    if (typeof scope !== 'string') return queryOf(query)
    if (scope === '' || scope.includes('\n')) return undefined
    lines = index === 0 ? scope : `${lines}\n${scope}`
  }
  return isMarked(lines) ? undefined : lines
}

function isMarked(lines) {
  const mark = lines[0]
  return (
    mark === TAG || mark === KINDS || mark === ENVIRONMENT || mark === ORIGIN || mark === AUDIENCE
  )
}

/** The text of a query that has groups, or many scopes. */
function queryOf(scopes) {
  return unwrap(native.checkKeyGuard({ __proto__: null, scopes }))
}

/** The limits of a key, with their states. */
function limitsOf(templates) {
  if (templates.length === 0) return []
  const limits = new Array(templates.length)
  for (let index = 0; index < templates.length; index++) {
    const { level, name, limit } = templates[index]
    const at = LIMITS + 2 * index
    limits[index] = { level, name, limit, remaining: numbers[at], resetMs: numbers[at + 1] }
  }
  return limits
}

/** The limit of which the least is left. */
function tightest(templates, limits) {
  if (limits.length === 0) return null
  let least = 0
  for (let index = 1; index < limits.length; index++)
    if (limits[index].remaining < limits[least].remaining) least = index
  const { limit, remaining, resetMs } = limits[least]
  return { limit, remaining, resetMs, windowSeconds: templates[least].windowSeconds }
}

function accepted(template, charge) {
  const { keyId, name, clientId, kind, environment, scopes, metadata, expiresAt, client } = template
  const { claims } = template
  const limits = limitsOf(template.limits)
  const result = {
    valid: true,
    code: VALID_CODE,
    keyId,
    name,
    clientId,
    kind,
    environment,
    scopes,
    metadata,
    expiresAt: expiresAt === null ? null : new Date(expiresAt),
    client,
    rateLimit: tightest(template.limits, limits),
    limits,
    charge,
  }
  // Of a token that stands for its key.
  if (claims !== undefined) result.claims = claims
  return result
}

function refused(number, template, missing) {
  const { code, status, message, reason } = refusals[number - 1]
  const result = { valid: false, code, status, message }
  if (reason !== undefined) result.reason = reason
  // In place of a charge.
  if (missing !== null) result.missingScopes = missing === '' ? [] : missing.split('\n')
  if (template !== undefined) result.keyId = template.keyId
  if (numbers[RETRY_AFTER_MS] >= 0) result.retryAfterMs = numbers[RETRY_AFTER_MS]
  if (numbers[LIMITED_BY] >= 0) {
    const limits = limitsOf(template.limits)
    const by = numbers[LIMITED_BY]
    // Behind the limits are the quotas.
    const { level, name } = limits[by] ?? template.quotas[by - limits.length]
    if (limits.length > 0) {
      result.rateLimit = tightest(template.limits, limits)
      result.limits = limits
    }
    result.limitedBy = { level, name }
  }
  return result
}

function verifyNatively(key, context) {
  if (context === undefined || context === null) return verifyWarmKey(key)
  if (!isPlain(context)) return MISS
  // Each field is read once: a getter may return something else the next time, or verify a key itself.
  const ip = textOf(context.ip)
  const [tag, kinds] = [optionalLine(TAG, context.tag), kindsOf(context.kinds)]
  const environments = environmentsOf(context.environments)
  const origin = optionalLine(ORIGIN, context.origin)
  const audience = optionalLine(AUDIENCE, context.audience)
  const scopes = scopesOf(context.scopes)
  const cost = costOf(context.cost)
  const path = textOf(context.path)
  const claimedIp = textOf(context.claimedIp)
  if (ip === undefined || scopes === undefined || cost === undefined) return MISS
  if (tag === undefined || kinds === undefined || environments === undefined) return MISS
  if (origin === undefined || audience === undefined) return MISS
  if (path === undefined || claimedIp === undefined) return MISS
  const lines = tag + kinds + environments + origin + audience + scopes
  return verifyWarm(key, ip, lines, cost, path, claimedIp)
}

/** The entry of a serial number has a template; 0 stands for no entry. */
const templateOfSerial = (serial) => (serial === 0 ? undefined : templateOf(serial))

const resultOf = (refusal, charge, template) =>
  refusal === VALID ? accepted(template, charge) : refused(refusal, template, charge)

/** The result, or `undefined` if the cache alone cannot answer. */
exports.verifyWarm = (key, context) => {
  let charge
  try {
    charge = verifyNatively(key, context)
  } catch {
    // A getter or a proxy threw: the cold path reports what is wrong.
    return undefined
  }
  if (charge === MISS) return undefined
  // Read before a template is made: whatever code that runs, it may verify another key.
  const refusal = numbers[REFUSAL]
  return resultOf(refusal, charge, templateOfSerial(numbers[SERIAL]))
}

/** The lines of what a guard requires, for a request from a page of this origin; `undefined` if something does not fit. */
exports.linesOf = ({ tag, head, audience, scopes }, page) => {
  const lines = [
    optionalLine(TAG, tag),
    optionalLine(ORIGIN, page),
    optionalLine(AUDIENCE, audience),
  ]
  return lines.includes(undefined) ? undefined : lines[0] + head + lines[1] + lines[2] + scopes
}

/**
 * The same for a request whose client is known by the hops that it took: the native side reads the address and verifies the key in
 * one call. `lines` are those of what the guard requires. It also gets the windows of the limits in seconds: `{ result, windows }`.
 */
exports.verifyWarmRequest = (key, hops, lines, givenCost, path) => {
  let charge
  try {
    const cost = costOf(givenCost)
    if (cost === undefined || lines === undefined) return undefined
    charge = verifyWarmRequest(key, hops, lines, cost, path)
  } catch {
    return undefined
  }
  if (charge === MISS) return undefined
  const refusal = numbers[REFUSAL]
  const template = templateOfSerial(numbers[SERIAL])
  const windows = template?.windows ?? []
  return { result: resultOf(refusal, charge, template), windows }
}
