import { Client } from 'pg'
import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { useSetting } from '../support/setting.js'
import { insertOldKey, oldKey } from '../support/old-rows.js'

const { verifyApiKey } = addon

const POOL = 8
// Hashing as by default: so many hashes would be more than the queue takes.
const setting = useSetting({ argon2MemoryKib: 7_168, argon2Iterations: 5, poolMax: POOL })

const verifyStrangers = (count: number): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, () => verifyApiKey(oldKey()))).then((answers) =>
    answers.map(({ code }) => code),
  )

/** The codes of all of them, where some may be faults. */
const codesOf = async (count: number): Promise<string[]> => {
  const outcomes = await Promise.allSettled(
    Array.from({ length: count }, () => verifyApiKey(oldKey())),
  )
  return outcomes.map((outcome) =>
    outcome.status === 'fulfilled' ? outcome.value.code : (outcome.reason as { code: string }).code,
  )
}

test('where there is no legacy key, strings in their shape cost no statement each', async () => {
  await setting.caughtUp()
  const cost = await setting.cost(async () => {
    expect(new Set(await verifyStrangers(1_000))).toEqual(new Set(['INVALID_KEY']))
    expect(new Set(await verifyStrangers(1_000))).toEqual(new Set(['INVALID_KEY']))
  })
  expect(cost).toMatchObject({ selects: 0, hashes: 0 })
  expect(cost.statements.length).toBeLessThanOrEqual(1)
})

test('a legacy key that another writer stores is found from then on', async () => {
  await verifyStrangers(1)
  const { key, id } = await insertOldKey(setting.sql)
  await setting.caughtUp()
  expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
  await setting.sql(`DELETE FROM "ApiKey" WHERE "id" = $1`, [id])
})

test('a replaced legacy key is found during its grace period', async () => {
  const { key, id } = await insertOldKey(setting.sql)
  await addon.updateApiKey({ id, regenerateKey: true, gracePeriodSeconds: 600 })
  await setting.caughtUp()
  expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
  const elsewhere = await setting.peer.run(async ({ api }, key) => {
    await api.verifyApiKey('a string in the shape of an old key')
    return api.verifyApiKey(key)
  }, key)
  expect(elsewhere).toMatchObject({ valid: true, keyId: id })
})

test('many strings in the shape of old keys do not keep valid keys from being hashed', async () => {
  await insertOldKey(setting.sql)
  const [cold] = await setting.coldKeys(1)
  const strangers = codesOf(1_000)
  expect(await verifyApiKey(cold!.key)).toMatchObject({ valid: true })
  for (const code of await strangers) expect(['INVALID_KEY', 'OVERLOADED']).toContain(code)
})

test('strings in the shape of old keys use a small share of the connections', async () => {
  await insertOldKey(setting.sql)
  await setting.caughtUp()
  // It is known that there are some.
  await codesOf(1)
  const holder = new Client({ connectionString: setting.database.url })
  await holder.connect()
  try {
    await holder.query('BEGIN; LOCK TABLE "ApiKey" IN ACCESS EXCLUSIVE MODE')
    const strangers = codesOf(200)
    const waiting = async (): Promise<number> => {
      const [row] = await setting.sql(
        `SELECT count(*)::integer AS count FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'
           AND query LIKE '%is_found%'`,
      )
      return row!.count as number
    }
    await eventually(async () => expect(await waiting()).toBeGreaterThan(0))
    expect(await waiting()).toBeLessThanOrEqual(POOL / 4)
    await holder.query('ROLLBACK')
    await strangers
  } finally {
    await holder.end()
  }
})
