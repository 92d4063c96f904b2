import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ApiKeyEvent } from '../../index.js'
import { addon, cheapHashing } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { faultOf } from '../support/faults.js'
import { useAddon } from '../support/use-addon.js'

const { close, configure, createApiKey, flush, health, metrics, onEvent, verifyApiKey } = addon

const { sql, url } = useAddon({ flushIntervalMs: 50 })
const input = { name: 'n', clientId: 'c' }

let events: ApiKeyEvent[]
let stop: () => void
beforeEach(() => {
  events = []
  stop = onEvent((event) => events.push(event))
})
afterEach(async () => {
  stop()
  await sql(`DROP TRIGGER IF EXISTS planted ON "ApiKey"`)
})

/** The app's own trigger refuses a statement, with a text that quotes a value. */
async function plant(on: string, sqlstate: string): Promise<void> {
  await sql(`
    CREATE OR REPLACE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'hunter2' USING ERRCODE = '${sqlstate}'; END $$`)
  await sql(
    `CREATE TRIGGER planted BEFORE ${on} ON "ApiKey" FOR EACH ROW EXECUTE FUNCTION planted()`,
  )
}

const internal = () => events.filter(({ type }) => type === 'internal.error')

/** Failed rounds of a background task. */
function failures(task: string): number {
  const line = `sophra_api_key_background_failures_total{task="${task}"}`
  const sample = metrics()
    .split('\n')
    .find((text) => text.startsWith(line))
  return Number(sample!.slice(line.length))
}

test('a refused statement of a call is reported once, by its name and SQLSTATE', async () => {
  await createApiKey(input)
  await plant('INSERT', 'ZX001')
  for (let time = 0; time < 3; time++) {
    const fault = await faultOf(() => createApiKey(input))
    expect(fault).toMatchObject({ code: 'INTERNAL', status: 500 })
    expect(fault.message).toContain('ZX001')
  }
  await eventually(() => expect(internal()).toHaveLength(1))
  expect(internal()[0]).toMatchObject({
    severity: 'critical',
    place: expect.stringMatching(/^src\/store\/key_insert\.rs:\d+$/),
    statement: 'insert_key',
    sqlstate: 'ZX001',
  })
  expect(JSON.stringify(events)).not.toContain('hunter2')
})

test('failed background work is reported once, and each failure is counted', async () => {
  const { key } = await createApiKey(input)
  await plant('UPDATE OF "usageCount"', 'ZX002')
  const before = failures('flush')
  expect(await verifyApiKey(key)).toMatchObject({ valid: true })
  await eventually(() => expect(failures('flush')).toBeGreaterThan(before + 2))
  const reported = internal().filter((event) => 'sqlstate' in event && event.sqlstate === 'ZX002')
  expect(reported).toEqual([
    expect.objectContaining({
      place: expect.stringMatching(/^src\/store\/usage\.rs:\d+$/),
      statement: 'add_usage',
      task: 'flush',
    }),
  ])
  // What could not be stored is kept.
  await sql(`DROP TRIGGER planted ON "ApiKey"`)
  await flush()
  const rows = await sql(
    `SELECT "usageCount"::integer AS used FROM "ApiKey" ORDER BY "createdAt" DESC`,
  )
  expect(rows[0]).toEqual({ used: 1 })
})

test('a fault does not hide another one of the same flush, and a call does not repeat it', async () => {
  const { key } = await createApiKey(input)
  await flush()
  await plant('UPDATE OF "usageCount"', 'ZX003')
  await sql(`ALTER TABLE sophra_api_keys.audit ADD CONSTRAINT planted CHECK (false) NOT VALID`)
  await verifyApiKey(key)
  await verifyApiKey('unknown')
  await faultOf(() => flush())
  await eventually(() => {
    const statements = internal().map((event) => 'statement' in event && event.statement)
    expect(statements.sort()).toEqual(['add_usage', 'write_audit'])
  })
  const before = failures('flush')
  await eventually(() => expect(failures('flush')).toBeGreaterThan(before + 2))
  expect(internal()).toHaveLength(2)
  await sql(`ALTER TABLE sophra_api_keys.audit DROP CONSTRAINT planted`)
  await sql(`DROP TRIGGER planted ON "ApiKey"`)
  await flush()
})

test('a start that fails is reported by health alone too', async () => {
  await close()
  configure({ databaseUrl: url(), ...cheapHashing })
  await sql(`
    CREATE OR REPLACE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'hunter2' USING ERRCODE = 'ZX004'; END $$`)
  await sql(
    `CREATE TRIGGER planted BEFORE INSERT ON sophra_api_keys.signing_keys
     FOR EACH ROW EXECUTE FUNCTION planted()`,
  )
  await sql(`DELETE FROM sophra_api_keys.signing_keys`)
  expect((await health()).status).toBe('down')
  await eventually(() => expect(internal()).toHaveLength(1))
  expect(internal()[0]).toMatchObject({ sqlstate: 'ZX004' })
  await sql(`DROP TRIGGER planted ON sophra_api_keys.signing_keys`)
})

test('every background task has its counter from the start', () => {
  const tasks = [
    ...metrics().matchAll(/^sophra_api_key_background_failures_total\{task="(.+?)"\}/gm),
  ]
  expect(tasks.map(([, task]) => task).sort()).toEqual([
    'change_log',
    'fleet_events',
    'flush',
    'key_usage',
    'legacy_backfill',
    'listener',
    'pruning',
    'quota_leases',
    'rehash',
    'suspensions',
    'unconfirmed_keys',
    'usage_history',
    'webhooks',
  ])
})
