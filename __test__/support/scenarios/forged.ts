import { expect } from 'vitest'
import { addon } from '../addon.js'
import { forged } from '../forge.js'
import type { Setting } from '../setting.js'
import { stats } from '../stats.js'

const BATCH = 10_000

/** Forged keys cost no statement and no hash, and push nothing out of memory. */
export async function forgedKeys(setting: Setting, count: number): Promise<void> {
  const real = await setting.warmKeys(100)
  const before = stats()
  let spent = 0
  const cost = await setting.cost(async () => {
    for (let left = count; left > 0; left -= BATCH) {
      const size = Math.min(left, BATCH)
      const batch = Array.from({ length: size }, (_, at) => forged(real[at % real.length]!.key))
      const start = performance.now()
      for (const key of batch) {
        const answer = await addon.verifyApiKey(key)
        // expect() is too slow for a million calls.
        if (answer.code !== 'INVALID_KEY') throw new Error(`${key}: ${answer.code}`)
      }
      spent += performance.now() - start
    }
    for (const { id, key } of real) {
      expect(await addon.verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
    }
  })
  console.log(`a forged key: ${((spent * 1_000) / count).toFixed(2)} µs (${count})`)
  expect(cost).toEqual({ selects: 0, hashes: 0, statements: [] })
  expect(stats().cached).toBe(before.cached)
}
