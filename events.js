'use strict'

// `onEvent`: one native listener for all callbacks of this thread.

const native = require('./native.js')

const listeners = new Set()
let registration

const DATES = ['at', 'suspendedUntil']

function eventOf(json) {
  const event = JSON.parse(json)
  for (const name of DATES) {
    if (typeof event[name] === 'number') event[name] = new Date(event[name])
  }
  return Object.freeze(event)
}

/** What goes wrong in one listener is nobody else's matter. */
function warn(error) {
  process.emitWarning(`A listener of onEvent failed: ${error}`, 'ApiKeyWarning')
}

async function call({ callback }, event) {
  try {
    await callback(event)
  } catch (error) {
    warn(error)
  }
}

function deliver(json) {
  const event = eventOf(json)
  for (const listener of [...listeners]) void call(listener, event)
}

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
