'use strict'

const { createRequire } = require('node:module')
const path = require('node:path')
const { UsageError } = require('../errors.js')

/** Rows per statement. */
const PART = 1_000

/**
 * The rows of a table, each with its number, in the order of a unique column, in parts, so that any number of them fits into memory.
 * Rows that are deleted meanwhile are not in the way.
 */
async function* rowsOf(url, table, order) {
  if (!url) throw new UsageError('Set DATABASE_URL, or give --source', 'import')
  const client = clientOf(url)
  // A connection that is lost between two statements fails the next one.
  client.on('error', () => {})
  try {
    await client.connect()
    const column = quoted(order)
    // JavaScript holds no longer numbers, so they become texts.
    const part = (where) => `SELECT (
        SELECT jsonb_object_agg(key, CASE WHEN jsonb_typeof(value) = 'number' AND length(value::text) > 15
          THEN to_jsonb(value::text) ELSE value END)
        FROM jsonb_each(to_jsonb(entry))
      ) AS value, ${column}::text AS place
      FROM ${table.split('.').map(quoted).join('.')} AS entry ${where} ORDER BY ${column} LIMIT ${PART}`
    let line = 0
    for (let after; ;) {
      const { rows } = await (after === undefined
        ? client.query(part(''))
        : client.query(part(`WHERE ${column} > $1`), [after]))
      for (const { value } of rows) yield { line: (line += 1), value }
      if (rows.length < PART) return
      after = rows.at(-1).place
    }
  } catch (error) {
    throw problemOf(error)
  } finally {
    await client.end().catch(() => {})
  }
}

/** Undefined tables and columns, as Postgres names them. */
const UNKNOWN = ['42P01', '3F000', '42703']

/** Without the text of the server. */
function problemOf({ code }) {
  if (UNKNOWN.includes(code))
    return new UsageError('The database has no such table: give --table', 'import')
  const error = new Error(`The table cannot be read (${code ?? 'no answer'})`)
  error.code = 'DATABASE_UNAVAILABLE'
  return error
}

const quoted = (name) => `"${name.replaceAll('"', '""')}"`

function clientOf(url) {
  const { Client } = driver()
  try {
    return new Client({ connectionString: url })
  } catch {
    throw new UsageError('The URL of the database cannot be read', 'import')
  }
}

/** This package has no driver in JavaScript: that of the project reads tables that are not its own. */
function driver() {
  try {
    return createRequire(path.join(process.cwd(), 'package.json'))('pg')
  } catch {
    throw new UsageError(
      'Reading a table needs the npm package pg in this folder. Without it, give a file with the JSON of a row on each line',
      'import',
    )
  }
}

module.exports = { rowsOf }
