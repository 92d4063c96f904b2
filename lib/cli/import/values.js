'use strict'

// How the values of rows become those of items. What cannot be read is refused, without its text, which may hold anything.

const isAbsent = (value) => value === null || value === undefined || value === ''

/** JSON, which some columns hold as text. */
function json(value) {
  if (typeof value !== 'string') return value ?? undefined
  try {
    return JSON.parse(value) ?? undefined
  } catch {
    throw new Error('has JSON that cannot be read')
  }
}

/** ISO 8601, as databases write it. */
const INSTANT =
  /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?) ?(Z|UTC|[+-]\d\d(?::?\d\d)?)?)?$/i

/** Instants without a time zone are in UTC. */
function instantOf(value) {
  if (isAbsent(value)) return undefined
  const date = typeof value === 'number' ? new Date(value) : dateOf(String(value))
  if (Number.isNaN(date.getTime())) throw new Error('has an instant that cannot be read')
  return date
}

/** `Date` alone would take much more for an instant, and the 31st of February for a day in March. */
function dateOf(text) {
  const [, day, time = '00:00', zone = 'Z'] = INSTANT.exec(text) ?? []
  const midnight = new Date(`${day}T00:00Z`)
  if (Number.isNaN(midnight.getTime()) || !midnight.toISOString().startsWith(day))
    return new Date(NaN)
  return new Date(`${day}T${time}${offsetOf(zone.toUpperCase())}`)
}

function offsetOf(zone) {
  const [, hours, minutes = '00'] = /^([+-]\d\d):?(\d\d)?$/.exec(zone) ?? []
  return hours ? `${hours}:${minutes}` : 'Z'
}

/** Some databases have numbers in place of true and false. */
function flagOf(value, ifAbsent) {
  if (isAbsent(value)) return ifAbsent
  if (value === true || value === 1) return true
  if (value === false || value === 0) return false
  throw new Error('has neither true nor false where one of them must be')
}

function textOf(value, name) {
  if (typeof value !== 'string') throw new Error(`${name} must be a text`)
  return value
}

/** The first of these ids that there is. */
function clientOf(...ids) {
  const id = ids.find((id) => !isAbsent(id))
  if (id === undefined) throw new Error('names no client: give --client')
  return String(id)
}

/** A rate limit, of which either both numbers are there or none. */
function rateLimitOf(limit, milliseconds) {
  if (isAbsent(limit) || isAbsent(milliseconds)) return {}
  return { rateLimit: limit, rateLimitWindowSeconds: milliseconds / 1_000 }
}

/** What a key may be used for once. */
const totalOf = (remaining) => [{ name: 'remaining', amount: Number(remaining), period: 'total' }]

module.exports = { clientOf, flagOf, instantOf, isAbsent, json, rateLimitOf, textOf, totalOf }
