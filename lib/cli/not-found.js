'use strict'

/** As the addon says it of what cannot be changed. */
function notFound(what) {
  return Object.assign(new Error(`${what} not found`), { code: 'NOT_FOUND' })
}

module.exports = { notFound }
