'use strict'

// A table of fields, such as that of `key-fields.js`, on the command line.

const { UsageError } = require('./errors.js')
const { suggestion } = require('./suggestion.js')
const { date, duration, json, limits, list, number, past, quotas, text } = require('./values.js')

const types = {
  date,
  duration,
  json,
  limits,
  list,
  number,
  past,
  quotas,
  text,
  environment: text,
  origins: list,
}

/** The option that sets a field. */
function optionFor({ type, value, help }) {
  return { ...types[type], ...(value && { value }), help }
}

const isSettable = ({ access, option }) => access === 'settable' && option

const isInitial = ({ access, option }) => access === 'initial' && option

/** The options that set the fields, by their names. */
const optionsFor = (fields) => optionsOf(fields.filter(isSettable))

/** The options that set fields for good. */
const initialOptionsFor = (fields) => optionsOf(fields.filter(isInitial))

const optionsOf = (fields) =>
  Object.fromEntries(fields.map((field) => [field.option, optionFor(field)]))

/** The field that `--clear` sets to null, by the word for it. */
function clearableOf(fields) {
  return Object.fromEntries(
    fields
      .filter((field) => field.clear || (isSettable(field) && !field.required))
      .map(({ name, clear, option }) => [clear ?? option, name]),
  )
}

/** The options that were given for these fields, as fields of an input. */
function valuesOf(fields, given) {
  return Object.fromEntries(
    fields
      .filter(({ option }) => given[option] !== undefined)
      .map(({ name, option }) => [name, given[option]]),
  )
}

const initialOf = (fields, given) => valuesOf(fields.filter(isInitial), given)

const inputOf = (fields, given) => valuesOf(fields.filter(isSettable), given)

/** The input of a command that changes what it is given: with `--enable`, `--disable` and `--clear`. */
function changesOf(fields, given, command) {
  if (given.enable && given.disable) {
    throw new UsageError('--enable and --disable exclude each other', command)
  }
  const changes = inputOf(fields, given)
  if (given.enable) changes.isActive = true
  if (given.disable) changes.isActive = false
  const clearable = clearableOf(fields)
  for (const word of given.clear ?? []) {
    if (!Object.hasOwn(clearable, word)) {
      const choices = suggestion(word, Object.keys(clearable))
      throw new UsageError(`--clear does not take this value${choices}`, command)
    }
    const field = clearable[word]
    if (field in changes) throw new UsageError(`--${word} is both set and cleared`, command)
    changes[field] = null
  }
  return changes
}

/** All fields of a row, for people. `shown` has those that are shown as more than their own value. */
function record(fields, row, shown = {}) {
  return fields
    .filter(({ name, label, hideEmpty }) => label && !(hideEmpty && row[name] === null))
    .map(({ name, label, empty }) => [
      label,
      shown[name] ? shown[name](row) : valueOr(empty, row[name]),
    ])
}

function valueOr(empty, value) {
  const isEmpty = value === null || (Array.isArray(value) && value.length === 0)
  return isEmpty && empty ? empty : value
}

module.exports = {
  changesOf,
  clearableOf,
  initialOf,
  initialOptionsFor,
  inputOf,
  optionFor,
  optionsFor,
  record,
  valuesOf,
}
