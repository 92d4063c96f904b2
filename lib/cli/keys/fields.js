'use strict'

// The fields of a key on the command line, by the table that the whole package shares.

const { fields } = require('../../key-fields.js')
const { date, duration, json, list, number, text } = require('../values.js')

const types = { date, duration, json, list, number, text }

function optionFor({ type, value, help }) {
  return { ...types[type], ...(value && { value }), help }
}

const settable = fields.filter(({ access, option }) => access === 'settable' && option)
const filters = fields.filter(({ filter }) => filter)

/** The options that set a field. */
const options = Object.fromEntries(settable.map((field) => [field.option, optionFor(field)]))

/** The options of `keys list` that select keys by a field. */
const filterOptions = Object.fromEntries(
  filters.map((field) => [field.option, { ...optionFor(field), help: field.filter }]),
)

/** The field that `--clear` sets to null, by the word for it. */
const clearable = Object.fromEntries(
  fields
    .filter((field) => field.clear || (settable.includes(field) && !field.required))
    .map(({ name, clear, option }) => [clear ?? option, name]),
)

/** The given options as fields of an input. */
const inputOf = (given) => valuesOf(settable, given)

/** The given filters as fields of a query. */
const queryOf = (given) => valuesOf(filters, given)

function valuesOf(fields, given) {
  return Object.fromEntries(
    fields
      .filter(({ option }) => given[option] !== undefined)
      .map(({ name, option }) => [name, given[option]]),
  )
}

/** The state of a key in one word. */
function stateOf(key, now = new Date()) {
  if (!key.isActive) return 'disabled'
  if (key.expiresAt && key.expiresAt <= now) return 'expired'
  if (key.suspendedUntil && key.suspendedUntil > now) return 'suspended'
  return 'active'
}

function limitOf({ rateLimit, rateLimitWindowSeconds: window }) {
  if (rateLimit === null) return 'none'
  return window === null ? `${rateLimit} per window` : `${rateLimit} per ${window} s`
}

/** How fields are shown that take more than their own value. */
const shown = { isActive: (key) => stateOf(key), rateLimit: limitOf }

function shownValue({ name, empty }, key) {
  if (shown[name]) return shown[name](key)
  const value = key[name]
  const isEmpty = value === null || (Array.isArray(value) && value.length === 0)
  return isEmpty && empty ? empty : value
}

/** Keys as a table: its headings and rows. */
const table = (keys) => [
  ['ID', 'START', 'NAME', 'CLIENT', 'STATE', 'LIMIT', 'USED', 'LAST USED'],
  keys.map((key) => [
    key.id,
    key.start,
    key.name,
    key.clientId,
    stateOf(key),
    limitOf(key),
    key.usageCount,
    key.lastUsedAt ?? 'never',
  ]),
]

/** All fields of a key, for people. */
function record(key) {
  return fields
    .filter(({ name, label, hideEmpty }) => label && !(hideEmpty && key[name] === null))
    .map((field) => [field.label, shownValue(field, key)])
}

module.exports = {
  clearable,
  filterOptions,
  inputOf,
  options,
  queryOf,
  record,
  table,
}
