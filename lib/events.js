'use strict'

// `onEvent`: one native listener for all callbacks of this thread.

const native = require('./addon.js')
const { freeze } = require('./warm.js')

/** Calls of one listener that may be pending: as many as wait for a busy thread. What is more is dropped and counted. */
const PENDING_MAX = 1_024
/** Of these the most that are no alerts, so that a flood of the rest leaves room for them. */
const REST_MAX = PENDING_MAX / 2

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

async function call(listener, event) {
  listener.pending++
  try {
    await listener.callback(event)
  } catch (error) {
    warn(error)
  } finally {
    listener.pending--
  }
}

/** What an admin wants to be told at once, the all-clear too. */
const isAlert = ({ severity, type }) => severity !== 'info' || type === 'database.recovered'

function deliver(json) {
  const event = freeze(withEventDates(JSON.parse(json)))
  const room = isAlert(event) ? PENDING_MAX : REST_MAX
  for (const listener of [...listeners]) {
    if (listener.pending < room) void call(listener, event)
    else native.eventDropped()
  }
}

exports.withEventDates = withEventDates
exports.onEvent = (callback) => {
  // An object of its own: the same callback may be added twice.
  const listener = { callback, pending: 0 }
  listeners.add(listener)
  registration ??= native.addListener(deliver)
  return () => {
    listeners.delete(listener)
    if (listeners.size > 0 || registration === undefined) return
    native.removeListener(registration)
    registration = undefined
  }
}
