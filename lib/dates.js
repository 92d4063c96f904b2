'use strict'

// The addon answers with instants in milliseconds. They become dates here, in the realm of the caller.

const { dates } = require('./key-fields.js')

function withDates(object, names) {
  for (const name of names) {
    if (typeof object?.[name] === 'number') object[name] = new Date(object[name])
  }
  return object
}

/** A key, a client, an admin token or a verification: their dates have the names that those of a key have. */
exports.withDates = (object) => withDates(object, dates)

/** A quota and what is left of it. */
exports.withQuotaDates = (state) => withDates(state, ['resetsAt'])

/** The rows of usage over time. */
exports.withUsageDates = (rows) => {
  for (const row of rows) withDates(row, ['start', 'hour'])
  return rows
}

/** An event, whose `changes` hold each changed field of a key before and after. */
exports.withEventDates = (event) => {
  withDates(event, ['at', ...dates])
  for (const name of dates) withDates(event.changes?.[name], ['before', 'after'])
  return event
}

/** An event of another process, whose instants are written as in ISO 8601. */
exports.withIsoDates = (event) => {
  const revive = (object, names) => {
    for (const name of names) {
      if (typeof object?.[name] === 'string') object[name] = new Date(object[name])
    }
  }
  revive(event, dates)
  for (const name of dates) revive(event.changes?.[name], ['before', 'after'])
  return event
}
