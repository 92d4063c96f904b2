import { randomBytes } from 'node:crypto'
import { Client, Pool } from 'pg'
import { inject } from 'vitest'

// Rows come back as Postgres names them; a test says itself what it expects in them.
export type Row = Record<string, any>

export interface Database {
  url: string
  sql(text: string, params?: unknown[]): Promise<Row[]>
  drop(): Promise<void>
}

/** An empty database of its own on the shared server, or on the server of `serverUrl`. */
export async function freshDatabase(serverUrl = inject('postgresUrl')): Promise<Database> {
  const name = `test_${randomBytes(8).toString('hex')}`
  // No one can connect to template0, so files may create databases at the same time.
  await once(serverUrl, `CREATE DATABASE ${name} TEMPLATE template0`)
  const url = withDatabase(serverUrl, name)
  const pool = new Pool({ connectionString: url, max: 4 })
  // A server that is stopped on purpose must not end the test process.
  pool.on('error', () => {})
  return {
    url,
    sql: async (text, params) => (await pool.query(text, params)).rows,
    drop: async () => {
      await pool.end()
      await once(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    },
  }
}

async function once(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

function withDatabase(serverUrl: string, name: string): string {
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return url.href
}
