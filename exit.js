'use strict'

// By whatever road the process ends, the usage that was counted is stored first, in at most a second.

const { isMainThread } = require('node:worker_threads')
const native = require('./native.js')

/** Their default action ends the process, and `exit` is not emitted. */
const SIGNALS = ['SIGTERM', 'SIGINT']

/** Flushes, and lets the default action follow unless the app listens too and decides by itself. */
function onSignal(signal) {
  native.flushBlocking()
  if (process.listenerCount(signal) > 1) return
  process.removeListener(signal, onSignal)
  process.kill(process.pid, signal)
}

let installed = false

/** At the first use: an app that only imports the package is left alone. */
exports.flushAtExit = () => {
  if (installed) return
  installed = true
  native.flushAtTeardown()
  if (!isMainThread) return
  process.on('exit', native.flushBlocking)
  // First in line: a `once` listener of the app counts as long as it has not been called.
  for (const signal of SIGNALS) process.prependListener(signal, onSignal)
}
