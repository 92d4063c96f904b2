'use strict'

// The addon answers with instants in milliseconds. They become dates here, in the realm of the caller.

const { dates } = require('./key-fields.js')

function withDates(object, names, written = 'number') {
  for (const name of names) {
    if (typeof object?.[name] === written) object[name] = new Date(object[name])
  }
  return object
}

/** A key, a client or a verification: their dates have the names that those of a key have. */
exports.withDates = (object) => withDates(object, dates)

/** An admin token, which has some that a key does not have. */
exports.withTokenDates = (token) =>
  withDates(withDates(token, dates), ['rotatedAt', 'previousTokenExpiresAt'])

/** A quota and what is left of it. */
exports.withQuotaDates = (state) => withDates(state, ['resetsAt'])

/** The rows of usage over time. */
exports.withUsageDates = (rows) => {
  for (const row of rows) withDates(row, ['start', 'hour'])
  return rows
}

/** The fields of a key in an event, whose `changes` hold each changed one before and after. */
function withKeyDates(event, written) {
  withDates(event, dates, written)
  for (const name of dates) withDates(event.changes?.[name], ['before', 'after'], written)
  return event
}

exports.withEventDates = (event) => withKeyDates(withDates(event, ['at']), 'number')

/** An event of another process, whose instants are written as in ISO 8601. */
exports.withIsoDates = (event) => withKeyDates(event, 'string')
