/** (i) The least that any check of a key in a database costs: one SELECT of six columns by an indexed text. */
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { KEYS } from '../keys.mjs'

const CONNECTIONS = 10

const TABLE = `
  CREATE TABLE api_key (
    id text PRIMARY KEY,
    lookup text NOT NULL UNIQUE,
    name text NOT NULL,
    client_id text NOT NULL,
    scopes text[] NOT NULL DEFAULT '{documents:read}',
    expires_at timestamptz,
    metadata jsonb
  )`

const FIND = `SELECT id, name, client_id, scopes, expires_at, metadata FROM api_key WHERE lookup = $1`

export async function open({ databaseUrl }) {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: CONNECTIONS,
    idleTimeoutMillis: 0,
  })
  const lookups = Array.from({ length: KEYS }, () => randomBytes(12).toString('base64url'))
  await pool.query(TABLE)
  await pool.query(
    `INSERT INTO api_key (id, lookup, name, client_id)
     SELECT 'id-' || n, lookup, 'Key ' || n, 'client-' || n
     FROM unnest($1::text[]) WITH ORDINALITY AS made (lookup, n)`,
    [lookups],
  )
  await pool.query('ANALYZE api_key')
  const row = (title, query, more) => ({
    title,
    prepare: () => warmUpPool(pool, (client) => client.query(query(lookups[0]))),
    call: (turn) => pool.query(query(lookups[turn % KEYS])),
    accepts: ({ rows }) => rows.length === 1,
    together: true,
    ...more,
  })
  return [
    row(
      '`pg`: SELECT of six columns by an indexed text',
      (lookup) => ({
        text: FIND,
        values: [lookup],
      }),
      { role: 'select' },
    ),
    row(
      'the same as a named prepared statement',
      (lookup) => ({
        name: 'find',
        text: FIND,
        values: [lookup],
      }),
      { role: 'prepared' },
    ),
  ]
}

/** Opens all connections, and uses each once. */
async function warmUpPool(pool, use) {
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.connect()))
  await Promise.all(clients.map(use))
  for (const client of clients) client.release()
}
