'use strict'

// What is printed may come from a database that anybody wrote into: nothing of it may steer the terminal.

/** Control characters, those that end a line or turn the direction of text, invisible ones, and lone surrogates. */
const steering = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

const escaped = (text) => String(text).replace(steering, inUnits)

/** As JSON writes them. */
const inUnits = (character) =>
  character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')

const styles = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 }

function createOutput({ json }) {
  const colours = (stream) =>
    Boolean(stream.isTTY) && !process.env.NO_COLOR && process.env.TERM !== 'dumb'
  const style = (stream) => (name, text) =>
    colours(stream) ? `\u001b[${styles[name]}m${text}\u001b[0m` : text
  const out = style(process.stdout)
  const err = style(process.stderr)

  const print = (text) => process.stdout.write(`${text}\n`)
  const complain = (text) => process.stderr.write(`${text}\n`)

  return {
    json,
    style: out,
    /** Our own text. */
    print,
    /** The answer for a program. */
    value: (value) => print(asJson(value, 2)),
    error: (value) => complain(asJson(value)),
    fail: (text) => complain(`${err('red', 'error:')} ${escaped(text)}`),
    warn: (text) => complain(`${err('yellow', 'warning:')} ${escaped(text)}`),
    hint: (text) => complain(escaped(text)),
    /** Progress and questions, which are no part of the answer. */
    note: (text) => complain(escaped(text)),
    line: ([colour, mark], text) => print(`${out(colour, mark)} ${escaped(text)}`),
    table: (headings, rows) => print(table(headings, rows, out)),
    record: (fields) => print(record(fields, out)),
  }
}

/** JSON escapes C0 alone; the rest is escaped as JSON permits. The line ends that are left are those of the indent. */
function asJson(value, indent) {
  return JSON.stringify(value, undefined, indent).replace(steering, (character) =>
    character === '\n' ? character : inUnits(character),
  )
}

function table(headings, rows, style) {
  const cells = rows.map((row) => row.map((cell) => shortened(escaped(text(cell)))))
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...cells.map((row) => row[column].length)),
  )
  const line = (row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd()
  return [style('bold', line(headings)), ...cells.map(line)].join('\n')
}

function record(fields, style) {
  const width = Math.max(...fields.map(([name]) => name.length))
  return fields
    .map(([name, value]) => `${style('dim', name.padEnd(width))}  ${escaped(text(value))}`)
    .join('\n')
}

/** A cell of a table; `show` tells all of it. */
function shortened(cell) {
  const most = 40
  return cell.length > most ? `${cell.slice(0, most - 1)}…` : cell
}

function text(value) {
  if (value === null || value === undefined || value === '') return '-'
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) return value.length > 0 ? value.join(', ') : '-'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** A name in a question. */
const quoted = (text) => `"${shortened(escaped(text))}"`

module.exports = { createOutput, quoted }
