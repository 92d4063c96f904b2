'use strict'

// However the process ends, the usage counted so far is stored first, within a second at most.

const { isMainThread } = require('node:worker_threads')
const native = require('./addon.js')

/** By default these signals end the process without an `exit` event. */
const SIGNALS = ['SIGTERM', 'SIGINT']

/** Marks the listener of every copy of this package in the process. */
const STORES_USAGE = Symbol.for('@sophra/api-keys: stores usage')

const appListens = (signal) =>
  process.rawListeners(signal).some((listener) => !listener[STORES_USAGE])

/** Stores the usage. Then the default action follows, unless the app listens to the signal and decides for itself. */
function onSignal(signal) {
  native.flushBlocking()
  if (appListens(signal)) return
  process.removeListener(signal, onSignal)
  process.kill(process.pid, signal)
}
onSignal[STORES_USAGE] = true

let installed = false

/** Installed at the first use: a process that only imports the package stays as it is. */
exports.flushAtExit = () => {
  if (installed) return
  installed = true
  // A thread that is terminated runs no more JavaScript, so the native side stores its usage.
  if (!isMainThread) return native.flushAtTeardown()
  process.on('exit', native.flushBlocking)
  // Ours runs first: a `once` listener of the app is still registered then, so that it counts.
  for (const signal of SIGNALS) process.prependListener(signal, onSignal)
}
