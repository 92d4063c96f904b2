import { Client } from 'pg'
import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { usageThroughCuts } from '../support/scenarios/cuts.js'
import { startPeer, type Peer } from '../support/peer.js'
import { useSetting, type Issued } from '../support/setting.js'
import { printTimes } from '../support/times.js'

const { flush, health, patchApiKey, verifyApiKey } = addon

const setting = useSetting({ flushIntervalMs: 600_000 })

const limited = { rateLimit: 1_000_000, rateLimitWindowSeconds: 86_400 }

test('200,000 verifies over 1,000 keys through 200 cuts are stored exactly', async () => {
  await usageThroughCuts(setting, { keys: 1_000, verifies: 200_000, cuts: 200 })
})

test('a flush of 10,000 changed keys', async () => {
  const keys: Issued[] = []
  while (keys.length < 10_000) keys.push(...(await setting.warmKeys(500, limited)))
  await flush()
  const times: number[] = []
  for (let time = 0; time < 10; time++) {
    for (const { key } of keys) await verifyApiKey(key)
    const start = performance.now()
    await flush()
    times.push(performance.now() - start)
  }
  printTimes('flush of 10,000 keys with a limit (aim 150 ms)', times)
  const uses = await setting.sql(
    `SELECT DISTINCT "usageCount"::int AS uses FROM "ApiKey" WHERE "id" = ANY ($1)`,
    [keys.map(({ id }) => id)],
  )
  expect(uses).toEqual([{ uses: 11 }])
})

test('a thousand rounds of flushes by two processes among edits: no deadlock, and exact', async () => {
  const ROUNDS = 1_000
  const keys = await setting.warmKeys(60, limited)
  const ids = keys.map(({ id }) => id)
  const presented = keys.map(({ key }) => key)
  const editor = new Client({ connectionString: setting.database.url })
  await editor.connect()
  const use = async (): Promise<void> => {
    for (const key of presented) expect((await verifyApiKey(key)).valid).toBe(true)
    await flush()
  }
  const useThere = (): Promise<void> =>
    setting.peer.run(async ({ api }, keys) => {
      for (const key of keys) if (!(await api.verifyApiKey(key)).valid) throw new Error('Refused')
      await api.flush()
    }, presented)
  // One row after the other, in the opposite order.
  const edit = async (round: number): Promise<void> => {
    await editor.query('BEGIN')
    for (const id of [...ids].sort().reverse()) {
      await editor.query(`UPDATE "ApiKey" SET "name" = $1 WHERE "id" = $2`, [`${round}`, id])
    }
    await editor.query('COMMIT')
  }
  const patch = async (round: number): Promise<void> => {
    await patchApiKey({ id: ids[(round * 7) % ids.length]!, clientId: `client ${round}` })
  }
  const remove = async (passing: Issued): Promise<void> => {
    expect((await verifyApiKey(passing.key)).valid).toBe(true)
    await setting.sql(`DELETE FROM "ApiKey" WHERE "id" = $1`, [passing.id])
  }
  const passing: Issued[] = []
  while (passing.length < ROUNDS) passing.push(...(await setting.coldKeys(500, limited)))
  for (let round = 0; round < ROUNDS; round++) {
    // Any deadlock, here or for the editor, is a rejection.
    await Promise.all([use(), useThere(), edit(round), patch(round), remove(passing[round]!)])
  }
  await Promise.all([flush(), setting.peer.run(({ api }) => api.flush())])
  await editor.end()
  const rows = await setting.sql(
    `SELECT DISTINCT "usageCount"::int AS uses, spent::int
     FROM "ApiKey" JOIN sophra_api_keys.spent ON limit_id = 'key/' || "id" || '/default' WHERE "id" = ANY ($1)`,
    [ids],
  )
  const uses = 2 * ROUNDS + 1
  expect(rows).toEqual([{ uses, spent: uses }])
})

test('a million verifies while Postgres is away take no more memory than there are keys', async () => {
  const KEYS = 1_000
  const keys = (await setting.coldKeys(KEYS)).map(({ key }) => key)
  const peer: Peer = await startPeer({ ...setting.options, stalenessSeconds: 3_600 })
  /** Makes the given number of rounds over all keys, and returns the memory afterwards, in MiB. */
  const rounds = (count: number): Promise<number> =>
    peer.run(
      async ({ api }, keys, count) => {
        for (let round = 0; round < count; round++) {
          for (const key of keys) {
            if (!(await api.verifyApiKey(key)).valid) throw new Error('Refused')
          }
        }
        return process.memoryUsage().rss / (1 << 20)
      },
      keys,
      count,
    )
  const pending = (): Promise<number> =>
    peer.run(async ({ api }) => (await api.health()).usagePending)
  await rounds(1)
  await peer.run(({ api }) => api.flush())
  setting.tap.cut()
  const warm = await rounds(100)
  const after = await rounds(900)
  console.log(
    `RSS after 100,000 verifies ${warm.toFixed(0)} MiB, after a million ${after.toFixed(0)} MiB`,
  )
  expect(after - warm).toBeLessThan(64)
  expect(await pending()).toBe(1_000 * KEYS)
  setting.tap.mend()
  await eventually(() => peer.run(({ api }) => api.flush()), 60_000)
  expect(await pending()).toBe(0)
  await peer.stop()
  expect((await health()).usagePending).toBe(0)
})
