/** (g) The best hand-written alternative: one prepared statement finds the key, checks it and counts the use. */
import { createHash, randomBytes } from 'node:crypto'
import pg from 'pg'
import { KEYS } from '../keys.mjs'

const TABLE = `
  CREATE TABLE api_key (
    digest bytea PRIMARY KEY,
    client_id text NOT NULL,
    scopes text[] NOT NULL DEFAULT '{documents:read}',
    is_active boolean NOT NULL DEFAULT true,
    expires_at timestamptz,
    usage_count bigint NOT NULL DEFAULT 0,
    last_used_at timestamptz
  )`

const VERIFY = `
  UPDATE api_key SET usage_count = usage_count + 1, last_used_at = now()
  WHERE digest = $1 AND is_active AND (expires_at IS NULL OR expires_at > now())
    AND scopes @> '{documents:read}'
  RETURNING client_id, scopes, expires_at`

export async function open({ databaseUrl }) {
  const pool = new pg.Pool({ connectionString: databaseUrl })
  const keys = Array.from({ length: KEYS }, () => randomBytes(48).toString('base64url'))
  await pool.query(TABLE)
  await pool.query(
    `INSERT INTO api_key (digest, client_id) SELECT *, 'client' FROM unnest($1::bytea[])`,
    [keys.map(digest)],
  )
  return [
    {
      title: '`pg`: `UPDATE … RETURNING` by digest, no limit, no allow-list',
      call: (turn) =>
        pool.query({ name: 'verify', text: VERIFY, values: [digest(keys[turn % KEYS])] }),
      accepts: ({ rows }) => rows.length === 1,
      together: true,
    },
  ]
}

function digest(key) {
  return createHash('sha256').update(key).digest()
}
