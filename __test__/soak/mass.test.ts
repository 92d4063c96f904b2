import { beforeAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { refusalOf } from '../support/refusal.js'
import { useSetting, type Issued } from '../support/setting.js'

const { createApiKey, verifyApiKey } = addon

const setting = useSetting()

const ROWS = 1_000_000

let keys: Issued[]
beforeAll(async () => {
  keys = await setting.warmKeys(100)
  // Keys that nobody holds, in pieces as an import would bring them.
  for (let from = 0; from < ROWS; from += 100_000) {
    await setting.sql(
      `INSERT INTO "ApiKey" ("id", "key", "lookup", "clientId", "name", "updatedAt")
       SELECT 'mass-' || n, '$argon2id$' || n, 'lookup-' || n, 'mass', 'Mass', now()
       FROM generate_series($1::int, $1::int + 99999) AS n`,
      [from],
    )
  }
}, 15 * 60_000)

test('a million new rows disturb no warm key', async () => {
  await setting.caughtUp()
  for (const { id, key } of keys) {
    expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
  }
})

test('one statement that changes a million rows is seen as fast as any', async () => {
  const start = performance.now()
  await setting.sql(`UPDATE "ApiKey" SET "isActive" = false WHERE "clientId" <> 'marker'`)
  const committed = performance.now()
  await Promise.all(keys.map(({ key }) => refusalOf(key)))
  console.log(
    `${ROWS} rows changed in ${((committed - start) / 1_000).toFixed(1)} s,` +
      ` refused ${(performance.now() - committed).toFixed(0)} ms after that`,
  )
  await setting.caughtUp()
})

test('and what comes after it as well', async () => {
  const { id, key } = await createApiKey({ name: 'After', clientId: 'c' })
  expect((await verifyApiKey(key)).valid).toBe(true)
  await setting.sql(`UPDATE "ApiKey" SET "isActive" = false WHERE "id" = $1`, [id])
  await refusalOf(key)
  const [warm] = await setting.warmKeys(1)
  const cost = await setting.cost(async () => {
    for (let time = 0; time < 10_000; time++) await verifyApiKey(warm!.key)
  })
  expect(cost).toEqual({ selects: 0, hashes: 0, statements: [] })
})
