import { availableParallelism } from 'node:os'
import type { Peer } from '../../support/peer.js'

export const permits = Math.max(1, availableParallelism() - 1)
/** The default configuration. */
const HASH_MEMORY_MIB = 7

export interface Storm {
  codes: Record<string, number>
  retries: number
  selects: number
  hashes: number
  ms: number
  /** Beyond the moment that a timer was due. */
  loopDelayMs: { p50: number; p99: number; max: number }
  /** Above what it was before: at its most, and what of that was the heap of the callers' JavaScript. */
  extraMib: { all: number; heap: number }
}

/** Makes keys over there, by default as many at a time as keep its hashing busy. */
export const makeKeys = (peer: Peer, count: number, atATime = 8): Promise<string[]> =>
  peer.run(
    async ({ api }, count, atATime) => {
      const keys: string[] = []
      while (keys.length < count) {
        const size = Math.min(atATime, count - keys.length)
        const input = { name: 'n', clientId: 'c' }
        const batch = Array.from({ length: size }, () => api.createApiKey(input))
        for (const { key } of await Promise.all(batch)) keys.push(key)
      }
      return keys
    },
    count,
    atATime,
  )

/** Verifies all keys over there, a few at a time. */
export const verifyInTurn = (peer: Peer, keys: string[]): Promise<boolean> =>
  peer.run(async ({ api }, keys) => {
    let valid = true
    for (let at = 0; at < keys.length; at += 8) {
      const batch = keys.slice(at, at + 8).map((key) => api.verifyApiKey(key))
      for (const answer of await Promise.all(batch)) valid &&= answer.valid
    }
    return valid
  }, keys)

/** Milliseconds that a cold verify takes while nothing else goes on over there: the median. */
export const coldVerifyMs = (peer: Peer, keys: string[]): Promise<number> =>
  peer.run(async ({ api }, keys) => {
    const times: number[] = []
    for (const key of keys) {
      const start = performance.now()
      await api.verifyApiKey(key)
      times.push(performance.now() - start)
    }
    await api.flush()
    return times.sort((a, b) => a - b)[times.length >> 1]!
  }, keys)

/** All keys, so many at a time, in a process that has verified none of them. Who is told to come later comes later. */
export const storm = (peer: Peer, keys: string[], atATime = keys.length): Promise<Storm> =>
  peer.run(
    async ({ api, stats, require }, keys, atATime) => {
      const { monitorEventLoopDelay } =
        require('node:perf_hooks') as typeof import('node:perf_hooks')
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

      const before = stats()
      const idle = process.memoryUsage()
      let peak = idle
      const watch = setInterval(() => {
        const now = process.memoryUsage()
        if (now.rss > peak.rss) peak = now
      }, 20)
      const resolution = 1
      const loop = monitorEventLoopDelay({ resolution })
      loop.enable()
      const start = performance.now()
      const codes: Record<string, number> = {}
      const left = keys.values()
      const caller = async (): Promise<void> => {
        for (const key of left) {
          const code = await verify(key)
          codes[code] = (codes[code] ?? 0) + 1
        }
      }
      await Promise.all(Array.from({ length: atATime }, caller))
      const ms = performance.now() - start
      loop.disable()
      clearInterval(watch)

      // Records the time from one timer to the next.
      const delayMs = (nanoseconds: number): number => nanoseconds / 1e6 - resolution
      const after = stats()
      await api.flush()
      return {
        codes,
        retries,
        selects: after.selects - before.selects,
        hashes: after.hashes - before.hashes,
        ms,
        loopDelayMs: {
          p50: delayMs(loop.percentile(50)),
          p99: delayMs(loop.percentile(99)),
          max: delayMs(loop.max),
        },
        extraMib: {
          all: (peak.rss - idle.rss) / (1 << 20),
          heap: (peak.heapTotal - idle.heapTotal) / (1 << 20),
        },
      }
    },
    keys,
    atATime,
  )

/** `aim`: what the time is compared with; `loopAimMs`: what the delay of the event loop is. */
export function printStorm(what: string, result: Storm, aim: string, loopAimMs = 20): void {
  const { codes, ms, retries, selects, hashes, loopDelayMs, extraMib } = result
  const { p50, p99, max } = loopDelayMs
  console.log(
    [
      `cold keys, ${what}: ${JSON.stringify(codes)}`,
      `time ${(ms / 1_000).toFixed(1)} s (${aim})`,
      `told to come later ${retries}, statements ${selects}, hashes ${hashes}`,
      `event loop delay p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms (aim ${loopAimMs}), max ${max.toFixed(0)} ms`,
      `memory above idle ${extraMib.all.toFixed(0)} MiB (aim ${permits * HASH_MEMORY_MIB + 64}),` +
        ` of that the callers' heap ${extraMib.heap.toFixed(0)}`,
    ].join('\n  '),
  )
}
