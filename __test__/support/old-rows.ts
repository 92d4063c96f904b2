import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { Database } from './database.js'
import { jwt, type Claims } from './jwt.js'

type Sql = Database['sql']

/** A key that an old instance made: its row holds the plaintext. */
export interface OldKey {
  id: string
  key: string
}

/** A key in the format of the old app. */
export const oldKey = (): string => randomBytes(32).toString('base64url')

/** Rows as an old instance wrote them, each with some usage of its own. */
export async function insertOldKeys(sql: Sql, count: number): Promise<OldKey[]> {
  const keys = Array.from({ length: count }, () => ({ id: randomUUID(), key: oldKey() }))
  await sql(
    `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "updatedAt", "expiresAt", "usageCount")
     SELECT id, key, 'client-' || n, 'Old ' || n, '2023-01-02 03:04:05.678', '2094-01-01 00:00:00.123', n
     FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS old (id, key, n)`,
    [keys.map(({ id }) => id), keys.map(({ key }) => key)],
  )
  return keys
}

/** One such row with the columns that are given. */
export async function insertOldKey(
  sql: Sql,
  columns: Record<string, unknown> = {},
): Promise<OldKey> {
  const row = { id: randomUUID(), key: oldKey(), clientId: 'old', name: 'Old', ...columns }
  const names = Object.keys(row)
  await sql(
    `INSERT INTO "ApiKey" (${names.map((name) => `"${name}"`).join()}, "updatedAt")
     VALUES (${names.map((_, index) => `$${index + 1}`).join()}, now())`,
    Object.values(row),
  )
  return row
}

export interface OldToken {
  id: string
  token: string
}

export const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1_000) + seconds

/** An admin's row as an old instance wrote it; by default the token is one that verifies. */
export async function insertOldToken(
  sql: Sql,
  secret: string,
  { name = 'Old admin', token, ...claims }: Claims & { name?: string; token?: string } = {},
): Promise<OldToken> {
  const issued = { type: 'admin', name, iat: inSeconds(0), exp: inSeconds(3_600), ...claims }
  const row = {
    id: randomUUID(),
    token: token ?? jwt({ alg: 'HS256', typ: 'JWT' }, { ...issued, jti: randomUUID() }, secret),
  }
  await sql(
    `INSERT INTO "AdminToken" ("id", "token", "name", "updatedAt") VALUES ($1, $2, $3, now())`,
    [row.id, row.token, name],
  )
  return row
}

/** The lookup of an adopted row. */
export const digestOf = (text: string): string =>
  `sha256:${createHash('sha256').update(text).digest('hex')}`

/** All that is stored of a row but its usage. */
export const storedRows = (sql: Sql, table: 'ApiKey' | 'AdminToken'): ReturnType<Sql> =>
  sql(
    `SELECT (to_jsonb(t) - 'usageCount' - 'lastUsedAt' - 'currentKeyFirstUsedAt')::text AS row FROM "${table}" AS t ORDER BY "id"`,
  )

/** The number of changes in the log, without the test changes of processes that check it. */
export const changesLogged = async (sql: Sql): Promise<number> => {
  const [row] = await sql(
    `SELECT count(*)::int AS count FROM sophra_api_keys.changes
     WHERE key_id IS DISTINCT FROM (SELECT id FROM sophra_api_keys.change_log)`,
  )
  return row!.count as number
}
