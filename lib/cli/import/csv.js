'use strict'

const { UsageError } = require('../errors.js')
const { LINE_MAX } = require('./lines.js')

/**
 * The records of CSV (RFC 4180) whose first one names the columns: `{ line, value }`, an object of texts without those that are
 * empty, or `{ line, problem }`. A record that cannot be read ends with its first line, so that one quote too many hides no others.
 */
async function* csvOf(lines, columns) {
  let names
  for await (const { line, fields, problem } of recordsOf(lines)) {
    if (names) yield { line, ...valueOf(names, fields, problem) }
    else names = namesOf(fields, problem, columns)
  }
}

function namesOf(fields, problem, columns) {
  const fail = (message) => {
    throw new UsageError(`The first line must name the columns: ${message}`, 'import')
  }
  if (problem) fail(`it ${problem}`)
  const names = fields.map((name) => name.trim())
  const unknown = names.findIndex((name) => !Object.hasOwn(columns, name))
  // Without the text, which is a key if the line with the names was forgotten.
  if (unknown >= 0) fail(`field ${unknown + 1} of it names none. Commas separate them`)
  if (new Set(names).size < names.length) fail('it names one twice')
  return names
}

function valueOf(names, fields, problem) {
  if (problem) return { problem }
  if (fields.length !== names.length)
    return { problem: `has ${fields.length} fields, and ${names.length} columns were named` }
  const value = {}
  fields.forEach((field, at) => {
    if (field !== '') value[names[at]] = field
  })
  return { value }
}

async function* recordsOf(lines) {
  const source = lines[Symbol.asyncIterator]()
  /** Lines that are read again, the next one at the end. */
  const again = []
  const next = async () => again.pop() ?? (await source.next()).value
  for (let first; (first = await next());) {
    const record = { ...first }
    const more = []
    let isOpen = !record.problem && hasOpenQuote(record.text)
    while (isOpen) {
      const another = await next()
      if (!another) break
      more.push(another)
      if (another.problem || record.text.length + another.text.length > LINE_MAX) break
      record.text += `\n${another.text}`
      isOpen = !hasOpenQuote(another.text)
    }
    if (isOpen) record.problem = 'has a quote that is not closed'
    if (!record.problem && /^\r?$/.test(record.text)) continue
    const fields = record.problem ? undefined : fieldsOf(record.text.replace(/\r$/, ''))
    if (fields) {
      yield { line: record.line, fields }
      continue
    }
    const problem = record.problem ?? 'has a quote within a field that is not quoted as a whole'
    yield { line: record.line, problem }
    while (more.length > 0) again.push(more.pop())
  }
}

/** In a record that can be read, quotes come in pairs. */
const hasOpenQuote = (text) => text.split('"').length % 2 === 0

/** The fields of a record; `undefined` if it is none. */
function fieldsOf(text) {
  const field = /(?:"([^"]*(?:""[^"]*)*)"|([^",]*))(,|$)/y
  const fields = []
  for (;;) {
    const [, quoted, plain, end] = field.exec(text) ?? []
    if (end === undefined) return undefined
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'))
    if (end === '') return fields
  }
}

module.exports = { csvOf }
