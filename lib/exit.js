'use strict'

// By whatever road the process ends, the usage that was counted is stored first, in at most a second.

const { isMainThread } = require('node:worker_threads')
const native = require('./addon.js')

/** Their default action ends the process, and `exit` is not emitted. */
const SIGNALS = ['SIGTERM', 'SIGINT']

const OURS = Symbol.for('@sophra/api-keys: stores usage')

/** The app's listeners, not those of another copy of this package. */
const listensToo = (signal) => process.rawListeners(signal).some((listener) => !listener[OURS])

/** Flushes, and lets the default action follow unless the app listens too and decides by itself. */
function onSignal(signal) {
  native.flushBlocking()
  if (listensToo(signal)) return
  process.removeListener(signal, onSignal)
  process.kill(process.pid, signal)
}
onSignal[OURS] = true

let installed = false

/** At the first use: an app that only imports the package is left alone. */
exports.flushAtExit = () => {
  if (installed) return
  installed = true
  // In a thread that is terminated no JavaScript runs any more.
  if (!isMainThread) return native.flushAtTeardown()
  process.on('exit', native.flushBlocking)
  // First in line: a `once` listener of the app counts as long as it has not been called.
  for (const signal of SIGNALS) process.prependListener(signal, onSignal)
}
