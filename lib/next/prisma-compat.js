'use strict'

// What the clients of an app that kept keys with Prisma may go on sending to `/api/keys`: `apiKeyRoutes({ compat: 'prisma' })`. Only
// what has one meaning is taken. All else is passed on as it is, and the addon refuses it.

const { initial, settable } = require('../key-fields.js')
const { filters } = require('../key-filters.js')

/** An instant without a time zone, as the field `datetime-local` of a form writes it. */
const LOCAL = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?$/
/** Names that are told, so that the header stays short. */
const NAMES_MAX = 20
const NAME_MAX = 64
const HEADER_MAX = 1_000

/** The app made every key active, whatever it was sent. */
const POSTED = [...settable.filter((name) => name !== 'isActive'), ...initial, 'idempotencyKey']
const QUERIED = [...filters.map(({ name }) => name), 'isActive', 'sort', 'order', 'limit', 'cursor']

/** The fields of a new key, and the names of those that are ignored: unknown ones, and new ones of another type. */
exports.posted = (body) =>
  divided(body, (name, value) => POSTED.includes(name) && fits(name, value))

/** The fields of a change. The app refused unknown ones here. */
exports.changed = (body, accepts) => divided(body, accepts)

/** The parameters of a list, without a prototype like the query itself. The app read none. */
exports.queried = (query) => {
  const { fields, ignored } = divided(query, (name) => QUERIED.includes(name))
  return { fields: Object.assign(Object.create(null), fields), ignored }
}

/** The header that names what was ignored, so that a misspelt field does not pass unseen. */
exports.ignoredHeader = (ignored) =>
  ignored.some(safe) ? { 'X-Ignored-Fields': namesOf(ignored) } : {}

/** As many as fit: a long header may be too much for a proxy. */
function namesOf(ignored) {
  const names = ignored.map(safe).filter(Boolean).slice(0, NAMES_MAX)
  while (names.join(', ').length > HEADER_MAX) names.pop()
  return names.join(', ')
}

function divided(sent, accepts) {
  const entries = Object.entries(sent)
  const isTaken = ([name, value]) => accepts(name, value)
  return {
    fields: Object.fromEntries(
      entries.filter(isTaken).map(([name, value]) => [name, taken(name, value)]),
    ),
    ignored: entries.filter((entry) => !isTaken(entry)).map(([name]) => name),
  }
}

/** Whether a field that the app did not know is what it is here, and not what a client meant by the name. */
function fits(name, value) {
  if (name === 'scopes') return value === null || Array.isArray(value)
  if (name === 'metadata')
    return value === null || (typeof value === 'object' && !Array.isArray(value))
  return true
}

function taken(name, value) {
  if (name === 'expiresAt') return instant(value)
  if (name === 'rateLimit' && value === 0) return null
  return value
}

/** What `new Date()` took. Without a time zone it is UTC. */
function instant(value) {
  if (value === '') return null
  if (typeof value === 'number' && value !== 0) return dated(value, value)
  return typeof value === 'string' && LOCAL.test(value) ? dated(`${value}Z`, value) : value
}

function dated(instant, sent) {
  const date = new Date(instant)
  return Number.isNaN(date.getTime()) ? sent : date.toISOString()
}

/** A header holds no other characters than these, and a name may have any. */
const safe = (name) => encodeURIComponent(name.slice(0, NAME_MAX).replace(/\p{Surrogate}/gu, ''))
