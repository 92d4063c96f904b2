'use strict'

// How text on the command line becomes a value, or `undefined` if it cannot. The addon checks which values are allowed.

const units = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }

/** Seconds: `90`, `90s`, `15m`, `12h`, `30d`, `2w`. */
function seconds(text) {
  const [, count, unit] = /^(\d{1,9})([smhdw]?)$/.exec(text) ?? []
  return count === undefined ? undefined : Number(count) * (units[unit] ?? 1)
}

/**
 * An instant with a time zone, or a distance from now: `1` for the future, `-1` for the past. A day alone is none: it could mean its
 * beginning or its end, somewhere.
 */
const instant = (direction) => (text) => {
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d.*(Z|[+-]\d\d:?\d\d)$/.test(text)) return valid(text)
  const distance = /[smhdw]$/.test(text) ? seconds(text) : undefined
  return distance === undefined ? undefined : valid(Date.now() + direction * distance * 1000)
}

function valid(time) {
  const date = new Date(time)
  return Number.isNaN(date.getTime()) ? undefined : date
}

function whole(text) {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

function object(text) {
  try {
    const value = JSON.parse(text)
    return value !== null && typeof value === 'object' ? value : undefined
  } catch {
    return undefined
  }
}

function array(text) {
  const value = object(text)
  return Array.isArray(value) ? value : undefined
}

const text = { value: '<text>' }
/** Text that is told the addon many times, which would name it as often. */
const textUpTo = (max) => ({
  ...text,
  read: (given) => (given.length <= max ? given : undefined),
  rule: `must have at most ${max} characters`,
})
const list = { value: '<text>', multiple: true }
const number = { value: '<number>', read: whole, rule: 'must be a whole number' }
const duration = {
  value: '<time>',
  read: seconds,
  rule: 'must be a number of seconds, or like 15m, 12h, 30d, 2w',
}
const date = {
  value: '<when>',
  read: instant(1),
  rule: 'must be a time from now like 30d, or an instant with a time zone like 2027-01-31T12:00:00Z',
}
const past = {
  value: '<when>',
  read: instant(-1),
  rule: 'must be a time ago like 24h, or an instant with a time zone like 2027-01-31T12:00:00Z',
}
const json = { value: '<json>', read: object, rule: 'must be a JSON object' }
const limits = {
  value: '<json>',
  read: array,
  rule: 'must be a JSON array, like [{"name": "tokens", "limit": 1000, "windowSeconds": 60}]',
}
const quotas = {
  value: '<json>',
  read: array,
  rule: 'must be a JSON array, like [{"name": "tokens", "amount": 100000, "period": "month"}]',
}

module.exports = { date, duration, json, limits, list, number, past, quotas, text, textUpTo }
