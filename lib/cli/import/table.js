'use strict'

const { createRequire } = require('node:module')
const path = require('node:path')
const { UsageError } = require('../errors.js')

/** Rows per statement. */
const PART = 1_000

/** The rows of a table, in the order of a unique column, in parts, so that any number of them fits into memory. */
async function* rowsOf(url, table, order) {
  if (!url) throw new UsageError('Set DATABASE_URL, or give --source', 'import')
  const { Client } = driver()
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const column = quoted(order)
    const statement = `SELECT to_jsonb(entry) AS value FROM ${table.split('.').map(quoted).join('.')} AS entry
      WHERE $1::text IS NULL OR ${column} > (SELECT ${column} FROM ${table.split('.').map(quoted).join('.')} WHERE ${column}::text = $1)
      ORDER BY ${column} LIMIT ${PART}`
    let after = null
    for (;;) {
      const { rows } = await client.query(statement, [after])
      for (const { value } of rows) yield { value }
      if (rows.length < PART) return
      after = String(rows.at(-1).value[order])
    }
  } finally {
    await client.end()
  }
}

const quoted = (name) => `"${name.replaceAll('"', '""')}"`

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
