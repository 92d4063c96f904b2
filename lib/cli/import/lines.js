'use strict'

const { isUtf8 } = require('node:buffer')

/** Bytes of a line: more than an item may have. */
const LINE_MAX = 256 * 1024
const LINE_END = 0x0a

/**
 * The lines of a stream, however many and long they are: `{ line, text }` with the number of the line, or `{ line, problem }` if it
 * cannot be read.
 */
async function* linesOf(stream) {
  let [line, parts, length] = [1, [], 0]
  const ended = () => {
    const entry = { line, ...textOf(parts, length) }
    // Some programs begin a file with a mark of its encoding.
    if (line === 1) entry.text = entry.text?.replace(/^\ufeff/, '')
    ;[line, parts, length] = [line + 1, [], 0]
    return entry
  }
  for await (const chunk of stream) {
    let from = 0
    for (let end; (end = chunk.indexOf(LINE_END, from)) >= 0; from = end + 1) {
      add(chunk.subarray(from, end))
      yield ended()
    }
    add(chunk.subarray(from))
  }
  if (length > 0) yield ended()

  function add(part) {
    length += part.length
    // What is too long is not kept.
    if (length > LINE_MAX) parts = []
    else if (part.length > 0) parts.push(part)
  }
}

function textOf(parts, length) {
  if (length > LINE_MAX) return { problem: 'is too long' }
  const bytes = Buffer.concat(parts)
  return isUtf8(bytes) ? { text: bytes.toString() } : { problem: 'is not UTF-8' }
}

/** The values of lines of JSON. */
async function* jsonOf(lines) {
  for await (const { line, text, problem } of lines) {
    if (problem) yield { line, problem }
    else if (text.trim() !== '') yield { line, ...valueOf(text) }
  }
}

function valueOf(text) {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return { problem: 'is not JSON' }
  }
}

module.exports = { LINE_MAX, jsonOf, linesOf }
