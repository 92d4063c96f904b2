'use strict'

const native = require('../addon.js')
const { guarded, unwrap } = require('../errors.js')
const { flushAtExit } = require('../exit.js')

/** Asks the addon what only the console asks. `undefined`: there is no such thing. */
exports.ask = async (wanted, text, options) => {
  flushAtExit()
  return unwrap(await guarded(native.askOfConsole, wanted, text, options))
}
