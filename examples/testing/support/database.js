'use strict'

const { randomUUID } = require('node:crypto')
const { close, configure } = require('@sophra/api-keys')
const { Client } = require('pg')

/**
 * Creates an empty database for one test file, and configures the addon for it. The addon makes its tables at the first call.
 * Call `drop()` after the tests: it closes the addon, whose state belongs to the process, not to a test file.
 */
exports.useDatabase = async (serverUrl) => {
  const name = `test_${randomUUID().replaceAll('-', '')}`
  const url = Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href
  await query(serverUrl, `CREATE DATABASE ${name}`)
  configure({
    databaseUrl: url,
    // The cheapest hashing that is permitted makes tests fast. It is safe here: a key has 190 random bits.
    argon2MemoryKib: 8,
    argon2Iterations: 1,
    log: 'off',
  })
  return {
    url,
    drop: async () => {
      await close()
      await query(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`)
    },
  }
}

async function query(url, statement) {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
