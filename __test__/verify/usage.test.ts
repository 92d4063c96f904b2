import { Client } from 'pg'
import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { usageThroughCuts } from '../support/scenarios/cuts.js'
import { useSetting } from '../support/setting.js'

const { flush, getApiKey, health, verifyApiKey } = addon

/** Nothing is stored but by `flush()`. */
const setting = useSetting({ flushIntervalMs: 600_000, statementTimeoutMs: 10_000 })

const limited = { rateLimit: 1_000, rateLimitWindowSeconds: 86_400 }

const spentOf = async (id: string): Promise<number> => {
  const rows = await setting.sql(
    `SELECT spent::int FROM sophra_api_keys.spent WHERE limit_id = 'key/' || $1 || '/default'`,
    [id],
  )
  return rows[0]!.spent as number
}
/** Flushes of this process that the server keeps waiting for a lock. */
const waiting = (count: number): Promise<void> =>
  eventually(async () => {
    const rows = await setting.sql(
      `SELECT FROM pg_stat_activity WHERE datname = current_database()
         AND wait_event_type = 'Lock' AND query LIKE '%usage_batches%'`,
    )
    expect(rows).toHaveLength(count)
  })

test('is exact, key by key, however the connections break', async () => {
  await usageThroughCuts(setting, { keys: 100, verifies: 10_000, cuts: 20 })
})

test('is exact when a flush is sent again while the server is still at it', async () => {
  const [key] = await setting.warmKeys(1, limited)
  await flush()
  const holder = new Client({ connectionString: setting.database.url })
  await holder.connect()
  await holder.query('BEGIN')
  await holder.query(
    `SELECT FROM sophra_api_keys.spent WHERE limit_id = 'key/' || $1 || '/default' FOR UPDATE`,
    [key!.id],
  )
  await verifyApiKey(key!.key, { cost: 5 })
  const flushed = flush()
  await waiting(1)
  expect((await health()).usagePending).toBe(1)
  setting.tap.cut()
  setting.tap.mend()
  await waiting(2)
  await holder.query('COMMIT')
  await holder.end()
  await flushed
  expect((await health()).usagePending).toBe(0)
  expect((await getApiKey(key!.id))!.usageCount).toBe(2)
  expect(await spentOf(key!.id)).toBe(6)
})

test('counts on beyond 2 ** 31', async () => {
  const [key] = await setting.warmKeys(1)
  await flush()
  const near = 2 ** 31 - 5
  await setting.sql(`UPDATE "ApiKey" SET "usageCount" = $1 WHERE "id" = $2`, [near, key!.id])
  for (let n = 0; n < 10; n++) await verifyApiKey(key!.key)
  await flush()
  expect((await getApiKey(key!.id))!.usageCount).toBe(near + 10)
})

test('lastUsedAt is the last use, and never goes back', async () => {
  const [key] = await setting.warmKeys(1)
  const lastUsed = async (): Promise<number> => (await getApiKey(key!.id))!.lastUsedAt!.getTime()
  const before = Date.now()
  await verifyApiKey(key!.key)
  const after = Date.now()
  await flush()
  expect(await lastUsed()).toBeGreaterThanOrEqual(before)
  expect(await lastUsed()).toBeLessThanOrEqual(after)
  await flush()
  expect(await lastUsed()).toBeLessThanOrEqual(after)
  // Another process has stored a later one.
  await verifyApiKey(key!.key)
  const later = Date.now() + 60_000
  await setting.sql(`UPDATE "ApiKey" SET "lastUsedAt" = $1::text::timestamp WHERE "id" = $2`, [
    new Date(later).toISOString().slice(0, -1),
    key!.id,
  ])
  await flush()
  expect(await lastUsed()).toBe(later)
  expect((await getApiKey(key!.id))!.usageCount).toBe(3)
})

test('of a deleted key, or of one whose id was used again, is not counted for another key', async () => {
  const [gone, stays] = await setting.warmKeys(2)
  await setting.sql(`DELETE FROM "ApiKey" WHERE "id" = $1`, [gone!.id])
  await flush()
  expect((await health()).usagePending).toBe(0)
  expect((await getApiKey(stays!.id))!.usageCount).toBe(1)
})

test('is pending until it is stored, in an outage too', async () => {
  await flush()
  const keys = await setting.warmKeys(10)
  await flush()
  setting.tap.cut()
  for (let n = 0; n < 5; n++) for (const { key } of keys) await verifyApiKey(key)
  for (let time = 0; time < 3; time++) {
    await expect(flush()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
    expect((await health()).usagePending).toBe(50)
  }
  for (const { key } of keys) await verifyApiKey(key)
  expect((await health()).usagePending).toBe(60)
  setting.tap.mend()
  await eventually(() => flush())
  expect((await health()).usagePending).toBe(0)
  for (const { id } of keys) expect((await getApiKey(id))!.usageCount).toBe(7)
})
