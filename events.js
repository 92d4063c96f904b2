'use strict'

// `onEvent`: one native listener for all callbacks of this thread.

const native = require('./addon.js')
const { freeze } = require('./warm.js')

const listeners = new Set()
let registration

const DATES = ['at', 'suspendedUntil']

const CHANGED_DATES = ['expiresAt', 'suspendedUntil', 'previousKeyExpiresAt']

function withDates(object, names) {
  for (const name of names) {
    if (typeof object?.[name] === 'number') object[name] = new Date(object[name])
  }
}

function withEventDates(event) {
  withDates(event, DATES)
  for (const name of CHANGED_DATES) withDates(event.changes?.[name], ['before', 'after'])
  return event
}

/** Whatever may have been thrown. */
function textOf(error) {
  try {
    return String(error)
  } catch {
    return 'with something that is no text'
  }
}

/** What goes wrong in one listener is nobody else's matter. */
function warn(error) {
  process.emitWarning(`A listener of onEvent failed: ${textOf(error)}`, 'ApiKeyWarning')
}

async function call({ callback }, event) {
  try {
    await callback(event)
  } catch (error) {
    warn(error)
  }
}

function deliver(json) {
  const event = freeze(withEventDates(JSON.parse(json)))
  for (const listener of [...listeners]) void call(listener, event)
}

exports.withEventDates = withEventDates
exports.onEvent = (callback) => {
  // An object of its own: the same callback may be added twice.
  const listener = { callback }
  listeners.add(listener)
  registration ??= native.addListener(deliver)
  return () => {
    listeners.delete(listener)
    if (listeners.size > 0 || registration === undefined) return
    native.removeListener(registration)
    registration = undefined
  }
}
