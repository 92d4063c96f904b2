import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { insertOldKeys, type OldKey } from '../support/old-rows.js'
import { cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { dump, occurring } from '../support/leaks.js'
import { startPeer, type Peer } from '../support/peer.js'

let database: Database
beforeAll(async () => {
  database = await freshDatabase()
  const peer = await startPeer({ databaseUrl: database.url })
  await peer.run(({ api }) => api.migrate())
  await peer.stop()
})
afterAll(async () => {
  await database.drop()
})

interface Calm {
  verifies: number
  wrong: number
  perVerifyNs: number
  loopDelayMs: { p50: number; p99: number; max: number }
}

/** Warm verifies without a pause but for other work of the loop, for about so long. */
const verifyWarm = (peer: Peer, keys: string[], ms: number): Promise<Calm> =>
  peer.run(
    async ({ api, require }, keys, ms) => {
      const { monitorEventLoopDelay } =
        require('node:perf_hooks') as typeof import('node:perf_hooks')
      const resolution = 1
      const loop = monitorEventLoopDelay({ resolution })
      let [verifies, wrong, spent] = [0, 0, 0]
      loop.enable()
      for (const end = performance.now() + ms; performance.now() < end;) {
        const start = performance.now()
        for (const key of keys) if (!(await api.verifyApiKey(key)).valid) wrong++
        spent += performance.now() - start
        verifies += keys.length
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
      loop.disable()
      const delayMs = (nanoseconds: number): number =>
        Math.round((nanoseconds / 1e6 - resolution) * 10) / 10
      return {
        verifies,
        wrong,
        perVerifyNs: Math.round((spent / verifies) * 1e6),
        loopDelayMs: {
          p50: delayMs(loop.percentile(50)),
          p99: delayMs(loop.percentile(99)),
          max: delayMs(loop.max),
        },
      }
    },
    keys,
    ms,
  )

const remaining = async (): Promise<number> => {
  const [row] = await database.sql(
    `SELECT count(*)::int AS count FROM "ApiKey" WHERE "lookup" IS NULL`,
  )
  return row!.count as number
}

const print = (what: string, calm: Calm): void => console.log(`${what}: ${JSON.stringify(calm)}`)

describe('100,000 rows, with hashing as cheap as can be', () => {
  const ROWS = 100_000
  let keys: OldKey[]

  test('are adopted by three processes, one of which is killed, while keys are verified', async () => {
    const options = { databaseUrl: database.url, ...cheapHashing }
    const serving = await startPeer(options)
    keys = await insertOldKeys(database.sql, ROWS)
    await database.sql(`ANALYZE "ApiKey"`)
    const warm = keys.slice(0, 200).map(({ key }) => key)
    print('before', await verifyWarm(serving, warm, 3_000))
    await serving.stop()

    const start = performance.now()
    const peers = await Promise.all(
      Array.from({ length: 3 }, () => startPeer({ ...options, adopt: 'hash' })),
    )
    const [one, other, doomed] = peers as [Peer, Peer, Peer]
    // Adoption begins with the first call.
    await Promise.all(peers.map((peer) => peer.run(({ api }) => api.listApiKeys({ limit: 1 }))))
    await eventually(async () => expect(await remaining()).toBeLessThan(ROWS * 0.9), 600_000)
    doomed.signal('SIGKILL')
    const calm = await verifyWarm(one, warm, 10_000)
    print('meanwhile', calm)
    expect(calm.wrong).toBe(0)
    await eventually(async () => expect(await remaining()).toBe(0), 1_200_000)
    console.log(`${ROWS} rows: ${((performance.now() - start) / 1_000).toFixed(0)} s`)
    await Promise.all([one.stop(), other.stop()])
  })

  test('leave no plaintext, and every old key verifies', async () => {
    const texts = keys.map(({ key }) => key)
    expect(occurring(texts, await dump(database.sql))).toEqual([])
    const peer = await startPeer({ databaseUrl: database.url, ...cheapHashing })
    let valid = 0
    for (let from = 0; from < ROWS; from += 10_000) {
      valid += await peer.run(
        async ({ api }, keys) => {
          let valid = 0
          for (const key of keys) valid += Number((await api.verifyApiKey(key)).valid)
          return valid
        },
        texts.slice(from, from + 10_000),
      )
    }
    expect(valid).toBe(ROWS)
    await peer.stop()
  })
})

test('500 rows with the default parameters say what 10,000 cost', async () => {
  const ROWS = 500
  const keys = await insertOldKeys(database.sql, ROWS)
  const warm = keys.slice(0, 50).map(({ key }) => key)
  const peer = await startPeer({ databaseUrl: database.url })
  print('before', await verifyWarm(peer, warm, 3_000))
  const start = performance.now()
  const swept = peer.run(async ({ api, stats }) => {
    const before = stats().hashes
    const { adopted } = await api.migrate({ adopt: true })
    return { adopted, hashes: stats().hashes - before }
  })
  const calm = await verifyWarm(peer, warm, 3_000)
  print('meanwhile', calm)
  expect(calm.wrong).toBe(0)
  expect(await swept).toEqual({ adopted: ROWS, hashes: ROWS })
  const seconds = (performance.now() - start) / 1_000
  console.log(
    `${ROWS} rows: ${seconds.toFixed(1)} s, so 10,000 take about ${((seconds / ROWS) * 10_000).toFixed(0)} s`,
  )
  await peer.stop()
})
