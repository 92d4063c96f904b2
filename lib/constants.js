'use strict'

/** The codes, messages and limits that the native side defines: none of them is written a second time in JavaScript. */
module.exports = JSON.parse(require('./addon.js').constants())
