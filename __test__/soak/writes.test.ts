import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { startPeer, type Peer } from '../support/peer.js'
import type { Options } from '../support/setting.js'

const [PROCESSES, KEYS, SECONDS] = [8, 20_000, 40]

let database: Database
let options: Options
let keys: string[]
let peers: Peer[] = []
beforeAll(async () => {
  database = await freshDatabase()
  options = { databaseUrl: database.url, suspensionSeconds: 0, ...cheapHashing }
  addon.configure(options)
  // Before the other processes start, which would all read of each key that it is new.
  keys = []
  const rateLimit = { rateLimit: 1_000, rateLimitWindowSeconds: 60 }
  const one = (): Promise<{ key: string }> =>
    addon.createApiKey({ name: 'Key', clientId: 'client', ...rateLimit })
  while (keys.length < PROCESSES * KEYS) {
    const some = await Promise.all(Array.from({ length: 50 }, one))
    keys.push(...some.map(({ key }) => key))
  }
  await addon.close()
}, 15 * 60_000)
beforeEach(async () => {
  await database.sql('UPDATE "ApiKey" SET "usageCount" = 0; TRUNCATE sophra_api_keys.spent')
  peers = await Promise.all(Array.from({ length: PROCESSES }, () => startPeer(options)))
})
afterEach(() => Promise.all(peers.map((peer) => peer.stop())))
afterAll(() => database.drop())

/** Lets a process verify all of its keys once per second. */
const use = (peer: Peer, keys: string[], seconds: number): Promise<number> =>
  peer.run(
    async ({ api }, keys, seconds) => {
      const start = performance.now()
      let passed = 0
      for (let second = 0; second < seconds; second++) {
        for (let part = 0; part < keys.length; part += 50) {
          const some = keys.slice(part, part + 50).map((key) => api.verifyApiKey(key))
          for (const { valid } of await Promise.all(some)) passed += Number(valid)
          const due = start + (second + part / keys.length) * 1_000
          const wait = Math.max(0, due - performance.now())
          await new Promise((resolve) => setTimeout(resolve, wait))
        }
      }
      return passed
    },
    keys,
    seconds,
  )

interface Written {
  transactions: number
  updates: number
  mebibytes: number
}

async function written(): Promise<Written> {
  // The server publishes what a session has done about once a second.
  await delay(2_000)
  const [row] = await database.sql(
    `SELECT xact_commit::int AS transactions, tup_updated::int AS updates,
       (pg_current_wal_lsn() - '0/0')::float8 / (1 << 20) AS mebibytes
     FROM pg_stat_database WHERE datname = current_database()`,
  )
  return row as unknown as Written
}

test.each([
  ['its own keys', false],
  ['the same keys', true],
])('8 processes of which each uses 20,000 keys per second: %s', async (which, isShared) => {
  const keysOf = (index: number): string[] =>
    isShared ? keys.slice(0, KEYS) : keys.slice(index * KEYS, (index + 1) * KEYS)
  const everybody = (seconds: number): Promise<number[]> =>
    Promise.all(peers.map((peer, index) => use(peer, keysOf(index), seconds)))
  // Everything is in memory, and the intervals are what they become.
  const first = await everybody(20)
  const before = await written()
  const begun = performance.now()
  const second = await everybody(SECONDS)
  const seconds = (performance.now() - begun) / 1_000
  const after = await written()
  const health = await Promise.all(peers.map((peer) => peer.run(({ api }) => api.health())))
  await Promise.all(peers.map((peer) => peer.run(({ api }) => api.flush())))
  const sum = [...first, ...second].reduce((a, b) => a + b, 0)
  const rate = (what: keyof Written): string => ((after[what] - before[what]) / seconds).toFixed(0)
  console.log(
    `${which}: ${(second.reduce((a, b) => a + b, 0) / seconds).toFixed(0)} verifies/s,` +
      ` ${rate('transactions')} transactions/s, ${rate('updates')} updates/s, ${rate('mebibytes')} MiB/s of WAL;` +
      ` intervals ${health.map((one) => `${one.usageIntervalMs} ms`).join(', ')}`,
  )
  const [stored] = await database.sql(
    `SELECT sum("usageCount")::float8 AS uses, (SELECT count(*)::int FROM sophra_api_keys.spent) AS limits FROM "ApiKey"`,
  )
  expect(stored).toEqual({ uses: sum, limits: isShared ? KEYS : PROCESSES * KEYS })
})
