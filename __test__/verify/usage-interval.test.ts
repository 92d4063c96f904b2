import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { useSetting, type Issued } from '../support/setting.js'

const { close, configure, flush, getApiKey, health, metrics, verifyApiKey } = addon

const [INTERVAL, MAX] = [20, 400]
const setting = useSetting({ flushIntervalMs: INTERVAL, usageIntervalMaxMs: MAX })
const STORES = /UPDATE "ApiKey" AS key SET\s+"usageCount"/
const TELLS = /INSERT INTO sophra_api_keys\.spent/

/** Lets the database take so long for each row whose usage it stores. */
const slowDown = (seconds: number): Promise<unknown> =>
  setting.sql(`CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql
      AS $$ BEGIN PERFORM pg_sleep(${seconds}); RETURN NEW; END $$;
    CREATE TRIGGER wait BEFORE UPDATE OF "usageCount" ON "ApiKey" FOR EACH ROW EXECUTE FUNCTION wait()`)
const speedUp = (): Promise<unknown> => setting.sql('DROP FUNCTION IF EXISTS wait CASCADE')

const interval = async (): Promise<number> => (await health()).usageIntervalMs
/** Verifies the key again and again until this holds; how often it passed. */
async function useUntil({ key }: Issued, holds: () => void | Promise<void>): Promise<number> {
  let uses = 0
  await eventually(async () => {
    uses += Number((await verifyApiKey(key)).valid)
    await holds()
  }, 20_000)
  return uses
}
const statements = (pattern: RegExp, mark: number): number =>
  setting.tap.statements.slice(mark).filter((text) => pattern.test(text)).length

test('the interval stretches while storing takes long, and shrinks again, and usage is exact', async () => {
  const [key] = await setting.coldKeys(1, { rateLimit: 100_000, rateLimitWindowSeconds: 86_400 })
  expect(await interval()).toBe(INTERVAL)
  await slowDown(0.02)
  let uses = 0
  try {
    uses += await useUntil(key!, async () => expect(await interval()).toBeGreaterThanOrEqual(200))
    await speedUp()
    await slowDown(0.1)
    uses += await useUntil(key!, async () => expect(await interval()).toBe(MAX))
    expect(await metrics()).toContain(`\nsophra_api_key_usage_interval_seconds ${MAX / 1_000}\n`)
    expect((await health()).status).toBe('ok')
  } finally {
    await speedUp()
  }
  uses += await useUntil(key!, async () => expect(await interval()).toBeLessThan(200))
  await flush()
  expect((await getApiKey(key!.id))!.usageCount).toBe(uses)
})

test('limits are exchanged meanwhile in each flush interval, and flush() and close() store all', async () => {
  const [key] = await setting.coldKeys(1, { rateLimit: 5, rateLimitWindowSeconds: 1 })
  const rested = { ...setting.options, usageIntervalMaxMs: 300_000 }
  await close()
  configure(rested)
  await slowDown(1)
  let uses = 0
  try {
    uses += await useUntil(key!, async () =>
      expect(await interval()).toBeGreaterThanOrEqual(10_000),
    )
  } finally {
    await speedUp()
  }
  const mark = setting.tap.statements.length
  uses += await useUntil(key!, () => expect(statements(TELLS, mark)).toBeGreaterThanOrEqual(10))
  expect(statements(STORES, mark)).toBe(0)
  await flush()
  expect((await getApiKey(key!.id))!.usageCount).toBe(uses)
  await eventually(async () => expect((await verifyApiKey(key!.key)).valid).toBe(true))
  await close()
  const [row] = await setting.sql(
    `SELECT "usageCount"::int AS uses FROM "ApiKey" WHERE "id" = $1`,
    [key!.id],
  )
  expect(row).toEqual({ uses: uses + 1 })
})
