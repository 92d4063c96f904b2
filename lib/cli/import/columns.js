'use strict'

// The columns of CSV: the fields of an item, and those within its hash by names with dots.

const { fields } = require('../../key-fields.js')
const { instantOf, json } = require('./values.js')

const text = (value) => value
// What is none of these stays a text, so that the addon names the field.
const number = (value) => (/^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value)
const boolean = (value) => (/^(true|false)$/i.test(value) ? value.toLowerCase() === 'true' : value)
/** JSON, or values with commas between them. */
const list = (value) =>
  value.startsWith('[') ? json(value) : value.split(',').map((entry) => entry.trim())

const types = {
  boolean,
  date: instantOf,
  duration: number,
  json,
  limits: json,
  list,
  number,
  origins: list,
  quotas: json,
  text,
}
const settable = fields.filter(({ access }) => access === 'settable')

/** How each column is read. */
const columns = {
  ...Object.fromEntries(settable.map(({ name, type }) => [name, types[type]])),
  id: text,
  key: text,
  prefix: text,
  createdAt: instantOf,
  createdBy: text,
  lastUsedAt: instantOf,
  usageCount: number,
  suspendedUntil: instantOf,
  revokedAt: instantOf,
  revokedBy: text,
  revokedReason: text,
  'hash.algorithm': text,
  'hash.encoding': text,
  'hash.value': text,
  'hash.salt': text,
  'hash.parameters.N': number,
  'hash.parameters.r': number,
  'hash.parameters.p': number,
  'hash.parameters.iterations': number,
  'hash.part.separator': text,
  'hash.part.hashed': text,
  'hash.part.before': text,
}

/** The item of a record, whose columns are all known. */
function itemOf(record, client) {
  const item = { clientId: client }
  for (const [column, value] of Object.entries(record)) {
    const path = column.split('.')
    const last = path.pop()
    let place = item
    for (const name of path) {
      if (!Object.hasOwn(place, name)) place[name] = {}
      place = place[name]
    }
    place[last] = readAs(column, value)
  }
  return item
}

function readAs(column, value) {
  try {
    return columns[column](value)
  } catch (error) {
    throw new Error(`${column} ${error.message}`)
  }
}

module.exports = { columns, itemOf }
