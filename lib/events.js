'use strict'

// `onEvent`: one native listener serves all callbacks of this thread.

const native = require('./addon.js')
const { withEventDates, withIsoDates } = require('./dates.js')
const { freeze } = require('./templates.js')

/** Calls of one listener that may be pending at a time. Events beyond that are dropped and counted. */
const MAX_PENDING = 1_024
/** The share of these calls for events that are not alerts, so that a flood of them leaves room for alerts. */
const MAX_PENDING_INFO = MAX_PENDING / 2

const listeners = new Set()
let registration

/** The text of anything that may have been thrown. */
function textOf(error) {
  try {
    return String(error)
  } catch {
    return 'a value that cannot be converted to text'
  }
}

/** A listener that fails must not disturb the app or the other listeners. */
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

/** The end of an outage is an alert too: operators wait for it. */
const isAlert = ({ severity, type }) => severity !== 'info' || type === 'database.recovered'

function deliver(json) {
  const { elsewhere = false, ...event } = JSON.parse(json)
  freeze(withEventDates(elsewhere ? withIsoDates(event) : event))
  const most = isAlert(event) ? MAX_PENDING : MAX_PENDING_INFO
  for (const listener of [...listeners]) {
    if (elsewhere && !listener.fleet) continue
    if (listener.pending < most) void call(listener, event)
    else native.eventDropped()
  }
}

exports.onEvent = (callback, fleet) => {
  // Each registration is an object of its own: the same callback may be registered twice.
  const listener = { callback, fleet, pending: 0 }
  listeners.add(listener)
  registration ??= native.addListener(deliver)
  if (fleet) native.followFleet(true)
  return () => {
    if (listeners.delete(listener) && fleet) native.followFleet(false)
    if (listeners.size > 0 || registration === undefined) return
    native.removeListener(registration)
    registration = undefined
  }
}
