import { randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { exits } from '../support/scenarios/exits.js'
import { hostileKeys } from '../support/scenarios/hostile.js'
import { loads, terminations } from '../support/scenarios/terminations.js'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { forged, withAnotherLookup, withWrongSecret } from '../support/forge.js'
import { useSetting, type Issued } from '../support/setting.js'
import { stats } from '../support/stats.js'

const { flush, verifyApiKey } = addon

const signingKey = randomBytes(32).toString('base64')
const CAPACITY = 1_000
const setting = useSetting({ signingKeys: [signingKey], cacheCapacity: CAPACITY })

const envFor = ({ key }: Issued): Record<string, string> => ({
  DATABASE_URL: setting.database.url,
  KEY: key,
  API_KEYS_SIGNING_KEYS: signingKey,
  API_KEYS_ARGON2_MEMORY_KIB: '8',
  API_KEYS_ARGON2_ITERATIONS: '1',
  API_KEYS_LOG: 'off',
})

test('500 threads are terminated in the middle of verifies', () => terminations(envFor, 500))

test('500 threads load the package: the memory stays', async () => {
  const [early, late] = await loads(envFor, 500)
  console.log(`MiB after 100 threads: ${early.toFixed(0)}, after 500: ${late.toFixed(0)}`)
  expect(late - early).toBeLessThan(64)
})

test('200 processes end by every road in the middle of verifies', () => exits(envFor, 200))

test('a million hostile keys', async () => {
  const [issued] = await setting.warmKeys(1)
  await hostileKeys(issued!.key, 1_000_000)
})

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const memoryMiB = (): number => {
  collectGarbage()
  return process.memoryUsage().rss / 2 ** 20
}

test('ten million verifies with churn, evictions and outages: exact counts, and the memory stays', async () => {
  const ROUNDS = 20
  const VERIFIES = 500_000
  const steady = await setting.coldKeys(CAPACITY / 2)
  const uses = new Map<string, number>()
  const counted = async ({ id, key }: Issued): Promise<void> => {
    const answer = await verifyApiKey(key).catch((fault: { code: string }) => fault)
    if (answer.code === 'VALID') uses.set(id, (uses.get(id) ?? 0) + 1)
    // A key that was pushed out of memory, in an outage.
    else if (answer.code !== 'DATABASE_UNAVAILABLE') throw new Error(answer.code)
  }
  const used: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    for (let n = 0; n < VERIFIES; n++) {
      await counted(steady[n % steady.length]!)
      if (n === VERIFIES / 2) setting.tap.cut()
    }
    setting.tap.mend()
    // As many as the cache holds, so that others are evicted.
    const passing = await eventually(() => setting.coldKeys(CAPACITY), 60_000)
    for (const key of passing) await counted(key)
    used.push(memoryMiB())
  }
  await eventually(() => flush(), 60_000)
  expect(stats().cached).toBeLessThanOrEqual(CAPACITY)
  const total = [...uses.values()].reduce((sum, count) => sum + count, 0)
  console.log(`${total} accepted; MiB: ${used.map((mib) => mib.toFixed(0)).join(' ')}`)
  const rows = await setting.sql(
    `SELECT "id", "usageCount"::int AS uses FROM "ApiKey" WHERE "usageCount" > 0`,
  )
  const stored = new Map(rows.map(({ id, uses }) => [id as string, uses as number]))
  for (const [id, count] of uses) expect([id, stored.get(id)]).toEqual([id, count])
  const [warmed, last] = [used[Math.floor(ROUNDS / 4)]!, used.at(-1)!]
  expect(last - warmed).toBeLessThan(32)
})

describe('the time of a refusal', () => {
  const PAIRS = 4_000

  const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

  /** How often the first takes longer than the second, both asked for in turn: one half where there is no difference. */
  async function compare(first: () => string, second: () => string): Promise<number> {
    const timed = async (key: string): Promise<number> => {
      const start = performance.now()
      const { code } = await verifyApiKey(key)
      const took = performance.now() - start
      if (code !== 'INVALID_KEY') throw new Error(code)
      return took
    }
    const times: [number[], number[]] = [[], []]
    for (let n = 0; n < PAIRS; n++) {
      // By chance, so that nothing periodic favours one of them.
      for (const which of Math.random() < 0.5 ? ([0, 1] as const) : ([1, 0] as const)) {
        times[which].push(await timed(which === 0 ? first() : second()))
      }
    }
    const longer = times[0].filter((took, n) => took > times[1][n]!).length / PAIRS
    const [a, b] = times.map((list) => (median(list) * 1_000).toFixed(1))
    console.log(`medians ${a} and ${b} µs; the first took longer in ${(longer * 100).toFixed(1)} %`)
    return longer
  }

  test('does not reveal whether a key exists, and the test can fail', async () => {
    const [real] = await setting.warmKeys(1)
    const wrong = (): string => withWrongSecret(real!.key, signingKey)
    const unknown = (): string => withAnotherLookup(real!.key, signingKey)
    for (let n = 0; n < 500; n++) for (const make of [wrong, unknown]) await verifyApiKey(make())
    console.log('the same kind twice:')
    expect(Math.abs((await compare(wrong, wrong)) - 0.5)).toBeLessThan(0.05)
    console.log('an unknown lookup, and a wrong secret:')
    expect(Math.abs((await compare(unknown, wrong)) - 0.5)).toBeLessThan(0.05)
    console.log('planted, one that ends before the hash:')
    expect(await compare(() => forged(real!.key), wrong)).toBeLessThan(0.1)
  })
})
