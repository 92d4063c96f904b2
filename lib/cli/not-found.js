'use strict'

/** The error of a command that cannot find the key or token of an id, with the message that the addon has for it. */
function notFound(what) {
  return Object.assign(new Error(`${what} not found`), { code: 'NOT_FOUND' })
}

module.exports = { notFound }
