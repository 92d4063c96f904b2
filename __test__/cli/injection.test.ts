import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { insertOldToken } from '../support/old-rows.js'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import {
  insertInto,
  tamperedRows,
  textColumns,
  type Column,
  type Made,
} from '../support/hostile-rows.js'
import { expectHarmless, hostile, named, wellFormed } from '../support/hostile-texts.js'
import { cli } from './cli.js'

// Every text in every column that the command line shows, and in every argument.

const jwtSecret = 'a secret that is long enough to be one'

let database: Database
let env: Record<string, string>
beforeAll(async () => {
  database = await freshDatabase()
  env = { DATABASE_URL: database.url, JWT_SECRET: jwtSecret }
  addon.configure({ databaseUrl: database.url, jwtSecret, ...cheapHashing })
  await addon.migrate()
})
afterAll(async () => {
  await addon.close()
  await database.drop()
})

/** Runs the command, for people and for programs: neither's output steers a terminal. */
async function shown(args: string[], input = '', codes = [0, 1, 2]): Promise<string> {
  let all = ''
  for (const shape of [[], ['--json']]) {
    const { code, signal, stdout, stderr } = await cli([...args, ...shape], { env, input })
    expect(signal).toBe(null)
    expect(codes, `${args[0]} ${args[1]}: ${stderr.slice(0, 300)}`).toContain(code)
    for (const line of `${stdout}\n${stderr}`.split('\n'))
      expectHarmless(line.slice(0, 100_000), args.join(' ').slice(0, 100))
    if (shape.length > 0 && stdout !== '') JSON.parse(stdout)
    all += stdout + stderr
  }
  return all
}

// All of them in one, where an argument can have it; those that an id can have; and as many as an index can have.
const short = named.filter(([what]) => what !== 'NUL' && !what.startsWith('1 MiB'))
const all = wellFormed(short.map(([, text]) => text).join(''))
const TEXTS = [all, all.replace(/\p{Cc}/gu, ''), hostile['1 MiB of overrides']!.slice(0, 2_000)]

test('arguments', async () => {
  const commands = [
    (text: string) => ['keys', 'show', text],
    (text: string) => ['clients', 'get', text],
    (text: string) => ['clients', 'set', 'c', '--name', text],
    (text: string) => ['clients', 'delete', text],
    (text: string) => ['quotas', 'get', '--client', text, '--name', text],
    (text: string) => ['quotas', 'grant', '--key', text, '--name', text, '--amount', text],
    (text: string) => ['usage', 'show', '--key', text, '--group-by', text, '--time-zone', text],
    (text: string) => ['usage', 'show', '--client', text],
    (text: string) => ['usage', 'export', '--after', text],
    (text: string) => ['keys', 'list', '--client', text],
    (text: string) => ['keys', 'list', '--env', text],
    (text: string) => ['keys', 'list', `--${text}`],
    (text: string) => ['keys', text],
    (text: string) => [text],
  ]
  for (const args of commands)
    for (const text of [all, 'x'.repeat(100_000)]) await shown(args(text))
})

/** The value by which a verify finds a row. */
const FOUND_BY = ['id', 'key', 'lookup', 'previousKey', 'previousLookup', 'token']

/** Rows of the table that have the text in all other columns, and one more that has it as its id. */
async function tampered(table: string, text: string): Promise<Made[]> {
  const columns = (await textColumns(database.sql)).filter(
    (at) => at.table === table && !FOUND_BY.includes(at.column),
  )
  const values = { text: '$1::text', ARRAY: 'ARRAY[$1]', jsonb: 'jsonb_build_object($1, $1)' }
  const set = columns.map(({ column, type }) => `"${column}" = ${values[type]}`)
  const id: Column = { table, column: 'id', type: 'text' }
  const made = [
    ...(await tamperedRows(database.sql, id, text)),
    ...(await tamperedRows(database.sql, { ...id, column: 'name' }, text)),
  ]
  expect(made).toHaveLength(2)
  const update = `UPDATE "${table}" SET ${set.join()} WHERE "id" = ANY($2)`
  await database.sql(update, [text, made.map((row) => row.id)])
  return made
}

describe('rows', () => {
  test('of keys', async () => {
    for (const text of TEXTS) {
      for (const { id, secret } of await tampered('ApiKey', text)) {
        await shown(['keys', 'show', id])
        // Limits and quotas that cannot be read never mean that there is none.
        await shown(['keys', 'verify'], secret, [4])
        await database.sql(`UPDATE "ApiKey" SET "limits" = NULL WHERE "id" = $1`, [id])
        await shown(['keys', 'verify'], secret, [4])
        await database.sql(`UPDATE "ApiKey" SET "quotas" = NULL WHERE "id" = $1`, [id])
        await shown(['keys', 'verify'], secret)
        await shown(['keys', 'revoke', id])
      }
    }
    expect(await shown(['keys', 'list', '--all'])).toContain('\\u202a')
  })

  test('of admin tokens, and what doctor and migrate say of them', async () => {
    for (const text of TEXTS) await tampered('AdminToken', text)
    const old = await insertOldToken(database.sql, jwtSecret, { name: 'prod-api-1' })
    await database.sql(`UPDATE "AdminToken" SET "id" = $1 WHERE "id" = $2`, [`old ${all}`, old.id])
    expect(await shown(['admin-tokens', 'list'])).toContain('\\u202a')
    const [named] = await database.sql(`SELECT "id" FROM "AdminToken" WHERE "name" = $1`, [all])
    await shown(['admin-tokens', 'revoke', named!.id as string])
    expect(await shown(['migrate', '--adopt'])).toMatch(/admin token prod-api-1 \(old a.u000d/)
    const signingKey: Column = { table: 'ApiKey', column: 'signingKey', type: 'text' }
    for (const text of TEXTS) {
      const fingerprint = text.slice(0, 800)
      await insertInto(database.sql, 'signing_keys.fingerprint', fingerprint)
      await tamperedRows(database.sql, signingKey, fingerprint)
    }
    expect(await shown(['doctor'])).toMatch(/signing keys that signed them are missing/)
  })
})
