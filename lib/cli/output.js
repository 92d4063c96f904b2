'use strict'

// Printed text may come from a database that others write to, so no character of it may control the terminal.

/** Control characters, line and paragraph separators, invisible and directional format characters, lone surrogates. */
const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

const escaped = (text) => String(text).replace(unsafe, escape)

/** A character as JSON escapes it: one escape for each UTF-16 unit. */
const escape = (character) =>
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
  const printError = (text) => process.stderr.write(`${text}\n`)

  return {
    json,
    style: out,
    /** Text of the program itself, which is not escaped. */
    print,
    /** A result or an error as JSON, for programs. */
    value: (value) => print(asJson(value, 2)),
    error: (value) => printError(asJson(value)),
    fail: (text) => printError(`${err('red', 'error:')} ${escaped(text)}`),
    warn: (text) => printError(`${err('yellow', 'warning:')} ${escaped(text)}`),
    hint: (text) => printError(escaped(text)),
    /** Progress and remarks, which are no part of the result. */
    note: (text) => printError(escaped(text)),
    line: ([colour, mark], text) => print(`${out(colour, mark)} ${escaped(text)}`),
    /** One of many results, which are printed as they come: values with blanks between them, or an object per line. */
    row: (fields) =>
      print(json ? asJson(fields) : Object.values(fields).map(text).map(escaped).join('  ')),
    table: (headings, rows) => print(table(headings, rows, out)),
    record: (fields) => print(record(fields, out)),
  }
}

/** JSON.stringify escapes only C0 controls: the others are escaped here. The remaining line ends are those of the indent. */
function asJson(value, indent) {
  return JSON.stringify(value, undefined, indent).replace(unsafe, (character) =>
    character === '\n' ? character : escape(character),
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

/** Cuts a cell of a table; `show` prints the whole value. */
function shortened(cell) {
  const max = 40
  return cell.length > max ? `${cell.slice(0, max - 1)}…` : cell
}

function text(value) {
  if (value === null || value === undefined || value === '') return '-'
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) return value.length > 0 ? value.join(', ') : '-'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** A name, quoted in a question. */
const quoted = (text) => `"${shortened(escaped(text))}"`

/** A number with its noun: `1 problem`, `2 problems`. */
const counted = (count, noun) => `${count} ${noun}${count === 1 ? '' : 's'}`

/** The beginning of a sentence: `1 row is`, `2 rows are`. */
const are = (count, noun) => `${counted(count, noun)} ${count === 1 ? 'is' : 'are'}`

module.exports = { are, counted, createOutput, quoted }
