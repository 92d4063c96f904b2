'use strict'

// Lists as CSV (RFC 4180), sent while they are read.

const { setImmediate } = require('node:timers/promises')
const { streamOf } = require('../next/list.js')
const { NO_STORE } = require('../guard/answers.js')

/** Spreadsheets take what begins like this for a formula, in full width too. */
const FORMULA = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/

/** The response with a file of this name. `pages` yields lists of rows, and each row has the values of the columns. */
exports.csv = async (name, columns, pages) => {
  const texts = textsOf(columns, pages)
  // A fault of the first page still becomes a response of its own.
  const first = await texts.next()
  return new Response(streamOf(first, texts), {
    headers: {
      'Content-Type': 'text/csv; charset=utf-8; header=present',
      'Content-Disposition': `attachment; filename="${name}.csv"`,
      ...NO_STORE,
    },
  })
}

async function* textsOf(columns, pages) {
  let text = line(columns)
  for await (const rows of pages) {
    for (const row of rows) text += line(row)
    yield text
    text = ''
    await setImmediate()
  }
  if (text) yield text
}

const line = (values) => `${values.map(cell).join(',')}\r\n`

function cell(value) {
  const text = textOf(value)
  const harmless = typeof value !== 'number' && FORMULA.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}

function textOf(value) {
  if (value === null || value === undefined) return ''
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '' : value.toISOString()
  if (Array.isArray(value) && value.every((entry) => typeof entry === 'string'))
    return value.join(' ')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
