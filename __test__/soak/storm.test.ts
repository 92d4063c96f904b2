import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshDatabase, type Database } from '../support/database.js'
import { startPeer, type Peer } from '../warm/support/peer.js'

const KEYS = 10_000
const permits = Math.max(1, availableParallelism() - 1)
/** As configured by default. */
const HASH_MEMORY_MIB = 7

const options = { signingKeys: [randomBytes(32).toString('base64')], suspensionSeconds: 0 }

let database: Database
let keys: string[]
beforeAll(async () => {
  database = await freshDatabase()
  const maker = await startPeer({ databaseUrl: database.url, ...options })
  keys = await createAll(maker)
  await maker.stop()
}, 20 * 60_000)
afterAll(() => database.drop())

const createAll = (maker: Peer): Promise<string[]> =>
  maker.run(async ({ api }, count) => {
    const keys: string[] = []
    while (keys.length < count) {
      const batch = Array.from({ length: 8 }, () => api.createApiKey({ name: 'n', clientId: 'c' }))
      for (const { key } of await Promise.all(batch)) keys.push(key)
    }
    return keys
  }, KEYS)

interface Storm {
  codes: Record<string, number>
  retries: number
  hashes: number
  /** Of one hash, while nothing else goes on. */
  hashMs: number
  ms: number
  loopDelayMs: number
  extraMib: number
}

/** All keys at once, in a process that has seen none of them. Who is told to come later comes later. */
const storm = (peer: Peer): Promise<Storm> =>
  peer.run(async ({ api, stats, require }, keys) => {
    const { monitorEventLoopDelay } = require('node:perf_hooks') as typeof import('node:perf_hooks')
    const hashStart = performance.now()
    for (let time = 0; time < 10; time++) await api.createApiKey({ name: 'n', clientId: 'c' })
    const hashMs = (performance.now() - hashStart) / 10

    const { hashes } = stats()
    const idle = process.memoryUsage().rss
    let peak = idle
    const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 50)
    const loop = monitorEventLoopDelay({ resolution: 5 })
    loop.enable()
    let retries = 0
    const verify = async (key: string): Promise<string> => {
      for (;;) {
        try {
          return (await api.verifyApiKey(key)).code
        } catch (error) {
          const fault = error as { code: string; retryAfterMs: number }
          if (fault.code !== 'OVERLOADED') return fault.code
          retries++
          await new Promise((resolve) => setTimeout(resolve, fault.retryAfterMs))
        }
      }
    }
    const start = performance.now()
    const codes: Record<string, number> = {}
    for (const code of await Promise.all(keys.map(verify))) codes[code] = (codes[code] ?? 0) + 1
    const ms = performance.now() - start
    loop.disable()
    clearInterval(watch)
    return {
      codes,
      retries,
      hashes: stats().hashes - hashes,
      hashMs,
      ms,
      loopDelayMs: loop.percentile(99) / 1e6,
      extraMib: (peak - idle) / (1 << 20),
    }
  }, keys)

function print(what: string, { hashMs, ms, loopDelayMs, extraMib, retries }: Storm): void {
  const ideal = (KEYS * hashMs) / permits
  console.log(
    `${KEYS} cold keys at once ${what}: ${(ms / 1_000).toFixed(1)} s` +
      ` (${(ms / ideal).toFixed(2)} × hashes ÷ permits), ${retries} told to come later,` +
      ` event loop p99 ${loopDelayMs.toFixed(1)} ms, memory +${extraMib.toFixed(0)} MiB` +
      ` (hashing has ${permits * HASH_MEMORY_MIB})`,
  )
}

test('ten thousand cold keys at once: every one is accepted in the end', async () => {
  const peer = await startPeer({ databaseUrl: database.url, ...options })
  const result = await storm(peer)
  await peer.stop()
  print('by their hashes', result)
  expect(result).toMatchObject({ codes: { VALID: KEYS }, hashes: KEYS })
})

test('the same by the cold digest', async () => {
  const withDigest = { databaseUrl: database.url, ...options, coldDigest: 'on' as const }
  const prover = await startPeer(withDigest)
  expect((await storm(prover)).codes).toEqual({ VALID: KEYS })
  await expect
    .poll(() => database.sql(`SELECT count("coldDigest")::int AS digests FROM "ApiKey"`), {
      timeout: 60_000,
    })
    .toEqual([{ digests: KEYS }])
  await prover.stop()
  const peer = await startPeer(withDigest)
  const result = await storm(peer)
  await peer.stop()
  print('by their digests', result)
  expect(result).toMatchObject({ codes: { VALID: KEYS }, hashes: 0 })
})
