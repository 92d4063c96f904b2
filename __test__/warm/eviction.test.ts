import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useSetting } from '../support/setting.js'
import { stats } from '../support/stats.js'

const { flush, verifyApiKey } = addon

const CAPACITY = 100
const setting = useSetting({ cacheCapacity: CAPACITY })

const perDay = { rateLimit: 1_000, rateLimitWindowSeconds: 86_400 }

test('keys that are used again stay while a thousand others pass once', async () => {
  const hot = await setting.warmKeys(20)
  for (let round = 0; round < 3; round++) {
    for (const { key } of hot) await verifyApiKey(key)
  }
  const passing = await setting.coldKeys(1_000)
  const scan = await setting.cost(async () => {
    for (const [at, { id, key }] of passing.entries()) {
      expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
      const { id: hotId, key: hotKey } = hot[at % hot.length]!
      expect(await verifyApiKey(hotKey)).toMatchObject({ valid: true, keyId: hotId })
      expect(stats().cached).toBeLessThanOrEqual(CAPACITY)
    }
  })
  expect(scan).toMatchObject({ selects: 1_000, hashes: 1_000 })
})

test('keys that were used again stay through a scan that does not touch them', async () => {
  const hot = await setting.warmKeys(20)
  for (let round = 0; round < 5; round++) {
    for (const { key } of hot) await verifyApiKey(key)
  }
  for (const { key } of await setting.coldKeys(1_000)) await verifyApiKey(key)
  const cost = await setting.cost(async () => {
    for (const { key } of hot) expect((await verifyApiKey(key)).valid).toBe(true)
  })
  console.log(`after a scan of ten times the capacity: ${20 - cost.selects} of 20 still warm`)
  expect(cost.selects).toBeLessThanOrEqual(2)
})

test('what is evicted loses neither its limit nor its usage, and is not mixed up', async () => {
  const keys = await setting.coldKeys(300, perDay)
  for (let round = 1; round <= 3; round++) {
    for (const { id, key } of keys) {
      expect(await verifyApiKey(key)).toMatchObject({
        valid: true,
        keyId: id,
        rateLimit: { remaining: 1_000 - round },
      })
    }
  }
  await flush()
  const rows = await setting.sql(
    `SELECT DISTINCT "usageCount"::int AS uses FROM "ApiKey" WHERE "id" = ANY ($1)`,
    [keys.map(({ id }) => id)],
  )
  expect(rows).toEqual([{ uses: 3 }])
})

test('a key that was evicted is revoked like any other', async () => {
  const keys = await setting.coldKeys(300)
  for (const { key } of keys) expect((await verifyApiKey(key)).valid).toBe(true)
  await setting.sql(`UPDATE "ApiKey" SET "isActive" = false WHERE "id" = ANY ($1)`, [
    keys.map(({ id }) => id),
  ])
  await setting.caughtUp()
  for (const { key } of keys) expect((await verifyApiKey(key)).code).toBe('DISABLED')
})

test('many at once, far more than there is room for', async () => {
  const keys = await setting.coldKeys(400)
  const asked = Array.from({ length: 5 }, () => keys).flat()
  const answers = await Promise.all(asked.map(({ key }) => verifyApiKey(key)))
  expect(answers.map(({ keyId }) => keyId)).toEqual(asked.map(({ id }) => id))
  expect(stats().cached).toBeLessThanOrEqual(CAPACITY)
})
