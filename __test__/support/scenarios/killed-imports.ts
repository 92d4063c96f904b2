import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { expect } from 'vitest'
import { bin, cli } from '../../cli/cli.js'
import { neutralEnvironment } from '../child.js'
import type { Database } from '../database.js'
import { eventually } from '../eventually.js'

// Imports of the rows of better-auth, by the command, from the table beside our own.

const FROM = ['import', '--from', 'better-auth']

/** The key of the row with this number, from 1 on. */
export const keyOfRow = (number: number): string => `key-of-better-auth-${number}`

/** Rows as better-auth writes them. Some have a limit, a quota, permissions or metadata. */
export async function fillBetterAuth({ sql }: Database, rows: number): Promise<void> {
  await sql(
    `CREATE TABLE "apikey" AS
     SELECT 'id-' || n AS "id", 'default' AS "configId", 'Key ' || n AS "name", 'key-of' AS "start", NULL::text AS "prefix",
       'user-' || n % 1000 AS "referenceId",
       translate(rtrim(encode(sha256(('key-of-better-auth-' || n)::bytea), 'base64'), '='), '+/', '-_') AS "key",
       NULL::integer AS "refillInterval", NULL::integer AS "refillAmount", NULL::timestamptz AS "lastRefillAt",
       true AS "enabled", n % 2 = 0 AS "rateLimitEnabled", 86400000 AS "rateLimitTimeWindow", 10 AS "rateLimitMax",
       0 AS "requestCount", CASE WHEN n % 5 = 0 THEN 100 END AS "remaining", NULL::timestamptz AS "lastRequest",
       now() + interval '1 year' AS "expiresAt", now() AS "createdAt", now() AS "updatedAt",
       CASE WHEN n % 3 = 0 THEN '{"files":["read","write"]}' END AS "permissions",
       CASE WHEN n % 7 = 0 THEN '{"plan":"pro"}' END AS "metadata"
     FROM generate_series(1, $1::integer) AS n`,
    [rows],
  )
  await sql(`ALTER TABLE "apikey" ADD PRIMARY KEY ("id")`)
}

export interface Kills {
  rows: number
  kills: number
}

/** Kills the command at random moments of its progress, and begins it again until all rows are there, each once. */
export async function importThroughKills(
  database: Database,
  env: Record<string, string>,
  { rows, kills }: Kills,
): Promise<void> {
  const stored = async (): Promise<number> =>
    Number((await database.sql(`SELECT count(*) AS count FROM "ApiKey"`))[0]!.count)
  for (let kill = 0; kill < kills; kill += 1) {
    const left = rows - (await stored())
    // About as many for each of the runs.
    const aim =
      rows - left + randomInt(1, Math.max(2, Math.ceil((1.5 * left) / (kills + 1 - kill))))
    const child = spawn(process.execPath, [bin, ...FROM], {
      env: { ...neutralEnvironment(), ...env },
      stdio: 'ignore',
    })
    const ended = once(child, 'exit')
    await eventually(async () => expect(await stored()).toBeGreaterThanOrEqual(aim), 120_000)
    child.kill('SIGKILL')
    expect(await ended).toEqual([null, 'SIGKILL'])
  }
  const before = await stored()
  expect(before).toBeLessThan(rows)
  const last = await cli(FROM, { env, timeoutMs: 600_000 })
  expect(last).toMatchObject({ code: 0 })
  expect(last.stdout).toMatch(/\nFailed: 0\n$/)
  expect(last.stderr).toMatch(/^5000 read, \d+ imported, \d+ skipped\n/)
  await expectAllOnce(database, rows)
}

/** No row is missing, none is there twice, and none is plaintext. */
export async function expectAllOnce({ sql }: Database, rows: number): Promise<void> {
  const [counts] = await sql(
    `SELECT count(*)::int AS keys, count(DISTINCT "lookup")::int AS lookups, count(row."id")::int AS found,
       (SELECT count(*)::int FROM sophra_api_keys.imports) AS imports,
       count(*) FILTER (WHERE key."key" !~ '^\\$(import|argon2id)\\$')::int AS plaintexts
     FROM "ApiKey" AS key LEFT JOIN "apikey" AS row ON row."id" = key."id"`,
  )
  expect(counts).toEqual({ keys: rows, lookups: rows, found: rows, imports: rows, plaintexts: 0 })
}
