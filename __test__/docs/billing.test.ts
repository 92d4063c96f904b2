import { afterAll, beforeAll, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { run } from '../support/child.js'
import { freshDatabase, type Database } from '../support/database.js'
import { compile } from './example.js'
import { blocks, read } from './markdown.js'

// The billing of the page about usage, in a process that dies at the worst moments.

const HOUR = 3_600_000
const [KEYS, HOURS] = [100, 25]
const ROWS = KEYS * HOURS
const [billing] = blocks(read('docs/guides/usage.md'), 'ts').filter((text) =>
  text.includes('exportUsage'),
)

let database: Database
beforeAll(async () => {
  database = await freshDatabase()
  addon.configure({ databaseUrl: database.url, ...cheapHashing })
  await addon.migrate()
  await addon.close()
  const first = new Date(Math.floor(Date.now() / HOUR) * HOUR - 2 * HOURS * HOUR)
  const { sql } = database
  await sql(`UPDATE sophra_api_keys.usage_state SET closed_until = $1, closes_until = $1`, [first])
  await sql(
    `INSERT INTO sophra_api_keys.usage_log
       (stored_at, shift, key_ids, client_ids, tags, outcomes, quarters, counts, costs)
     SELECT $1, 0, array_agg('key-' || key), array_agg('acme'::text), array_agg(''::text),
       array_agg('VALID'::text), array_agg($2 + 4 * hour::bigint), array_agg(1::bigint), array_agg(2::bigint)
     FROM generate_series(1, $3::int) AS key, generate_series(1, $4::int) AS hour`,
    [first, first.getTime() / (HOUR / 4), KEYS, HOURS],
  )
})
afterAll(() => database.drop())

const { problems, code } = compile(billing!)
const bill = () =>
  run([process.execPath, '--input-type=module', '--eval', code], {
    env: { DATABASE_URL: database.url, API_KEYS_LOG: 'off' },
  })
const billed = async () =>
  (
    await database.sql(
      `SELECT count(*)::int AS rows, count(DISTINCT usage_id)::int AS ids, sum(units)::int AS units FROM billed`,
    )
  )[0]!

test('it compiles', () => {
  expect(problems).toEqual([])
})

test('it bills each row once, however often it dies between the export and its own commit', async () => {
  // The connection of the app is cut while it stores the second part.
  await database.sql(`
    CREATE TABLE billed (
      usage_id BIGINT PRIMARY KEY, client_id TEXT NOT NULL, hour TIMESTAMPTZ NOT NULL, units BIGINT NOT NULL
    );
    CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF (SELECT count(*) FROM billed) = 1500 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER die BEFORE INSERT ON billed FOR EACH ROW EXECUTE FUNCTION die()`)
  for (let death = 0; death < 2; death++) {
    expect((await bill()).code).not.toBe(0)
    expect(await billed()).toMatchObject({ rows: 1_000, ids: 1_000 })
  }
  await database.sql(`DROP TRIGGER die ON billed`)
  const all = { rows: ROWS, ids: ROWS, units: 2 * ROWS }
  await Promise.all([bill(), bill()])
  expect(await billed()).toEqual(all)
  expect((await bill()).code).toBe(0)
  expect(await billed()).toEqual(all)
})
