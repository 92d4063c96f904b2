'use strict'

// However the process ends, the usage counted so far is stored first, within a second, or a few if there is much.

const { constants } = require('node:os')
const { isMainThread } = require('node:worker_threads')
const native = require('./addon.js')

/** By default these signals end the process without an `exit` event. */
const SIGNALS = ['SIGTERM', 'SIGINT']
/** So does this one, by which nodemon starts an app anew. Native code uses it for purposes of its own. */
const RESTART = 'SIGUSR2'

/** Marks the listener of every copy of this package in the process. */
const STORES_USAGE = Symbol.for('@sophra/api-keys: stores usage')

/** Only `listeners` tells what the app itself has added: development tools leave their own listeners out of it. */
const appListens = (signal) => process.listeners(signal).some((listener) => !listener[STORES_USAGE])

/**
 * Ends the process, also one that ignores the signal: as the first process of a container, or because of a hidden listener.
 * A process that ignores SIGUSR2 goes on.
 */
function defaultAction(signal) {
  process.kill(process.pid, signal)
  setImmediate(() => {
    if (signal === RESTART) process.prependListener(signal, onSignal)
    else process.exit(128 + constants.signals[signal])
  })
}

/**
 * Stores the usage. Then the app decides if it listens to the signal; otherwise the default action follows. While the other
 * listeners are called, ours is not registered, because some end the process only if they are alone.
 */
function onSignal(signal) {
  native.flushBlocking()
  const appDecides = appListens(signal)
  process.removeListener(signal, onSignal)
  process.nextTick(() => {
    if (appDecides) process.prependListener(signal, onSignal)
    else defaultAction(signal)
  })
}
onSignal[STORES_USAGE] = true

/** Whether no native code handles the signal, in whose place a listener would put itself. Windows does not have them all. */
const isFree = (signal) =>
  process.listenerCount(signal) > 0 ||
  (signal in constants.signals && native.hasDefaultAction(constants.signals[signal]))

let installed = false

/** Installed at the first use: a process that only imports the package stays as it is. */
exports.flushAtExit = () => {
  if (installed) return
  installed = true
  // Loaded when there is something to send.
  native.addCourier((request) => void require('./webhooks.js').send(request))
  // A thread that is terminated runs no more JavaScript, so the native side stores its usage.
  if (!isMainThread) return native.flushAtTeardown()
  process.on('exit', native.flushBlocking)
  // Ours runs first: a `once` listener of the app is still registered then, so that it counts.
  for (const signal of SIGNALS) process.prependListener(signal, onSignal)
  if (isFree(RESTART)) process.prependListener(RESTART, onSignal)
}
