'use strict'

// The addon answers a list in lines of JSON: everything but the rows, then each row. They are read in parts, between which other
// work of this thread goes on.

const { setImmediate } = require('node:timers/promises')
const { unwrap } = require('./errors.js')

/** Characters that are read at a stretch: a few milliseconds of work. A longer row is read whole. */
const PART = 128 * 1024

/** Returns the rows, and what the addon says of the list. Throws its fault. */
exports.readList = async (answer, revive) => {
  const end = lineEnd(answer, 0)
  const list = unwrap(answer.slice(0, end))
  const rows = []
  let read = end
  for (let at = end + 1; at < answer.length;) {
    const next = lineEnd(answer, at)
    rows.push(revive(JSON.parse(answer.slice(at, next))))
    at = next + 1
    if (at - read < PART) continue
    read = at
    await setImmediate()
  }
  return { ...list, rows }
}

/** Metadata contains no line breaks: in JSON they are escaped in texts, and the server writes none in between. */
function lineEnd(answer, from) {
  const at = answer.indexOf('\n', from)
  return at < 0 ? answer.length : at
}
