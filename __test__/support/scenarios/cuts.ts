import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { addon } from '../addon.js'
import { eventually } from '../eventually.js'
import type { Fault } from '../faults.js'
import type { Setting } from '../setting.js'

const { flush, verifyApiKey } = addon

export interface Cuts {
  keys: number
  verifies: number
  cuts: number
}

/** A statement that stores usage, or that makes it last. */
const STORES = /sophra_api_keys\.usage_batches/

/** Every rejection must be an outage. */
export const outage = (fault: Fault): false => {
  expect(fault).toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
  return false
}

/** Breaks all connections at some moment of a flush: before it, in it, or when only its answer is missing. */
export async function cutFlush({ tap }: Setting): Promise<void> {
  if (randomInt(2) === 0) {
    const held = tap.hold(STORES)
    const flushed = flush().catch(outage)
    await held
    // The server may be anywhere in it, or have done it.
    if (randomInt(2) === 0) await delay(randomInt(10))
    tap.cut()
    tap.mend()
    await flushed
    return
  }
  const flushed = flush().catch(outage)
  await delay(randomInt(15))
  tap.cut()
  tap.mend()
  await flushed
}

/** Counts what is accepted while connections are cut, and compares it with the rows, key by key. */
export async function usageThroughCuts(
  setting: Setting,
  { keys, verifies, cuts }: Cuts,
): Promise<void> {
  const limitless = await setting.warmKeys(keys / 2)
  const limited = await setting.warmKeys(keys / 2, {
    rateLimit: 1_000_000,
    rateLimitWindowSeconds: 86_400,
  })
  const all = [...limitless, ...limited]
  const uses = new Map(all.map(({ id }) => [id, 1]))
  const spent = new Map(limited.map(({ id }) => [id, 1]))
  const use = async (): Promise<void> => {
    const { id, key } = all[randomInt(all.length)]!
    const cost = randomInt(1, 6)
    const answer = await verifyApiKey(key, { cost }).catch(outage)
    if (!answer) return
    expect(answer.valid).toBe(true)
    uses.set(id, uses.get(id)! + 1)
    if (spent.has(id)) spent.set(id, spent.get(id)! + cost)
  }
  const some = verifies / cuts
  for (let cut = 0; cut < cuts; cut++) {
    const cutting = cutFlush(setting)
    for (let n = 0; n < some; n += 100) {
      await Promise.all(Array.from({ length: Math.min(100, some - n) }, use))
    }
    await cutting
  }
  await eventually(() => flush(), 60_000)
  expect((await addon.health()).usagePending).toBe(0)

  const ids = all.map(({ id }) => id)
  const rows = await setting.sql(
    `SELECT "id", "usageCount"::int AS uses, spent::int
     FROM "ApiKey" LEFT JOIN sophra_api_keys.spent ON limit_id = 'key/' || "id" || '/default' WHERE "id" = ANY ($1)`,
    [ids],
  )
  expect(rows).toHaveLength(keys)
  for (const { id, ...row } of rows) {
    expect({ id, ...row }).toEqual({ id, uses: uses.get(id), spent: spent.get(id) ?? null })
  }
  const total = [...uses.values()].reduce((a, b) => a + b, 0)
  console.log(`${total} uses of ${keys} keys through ${cuts} cuts: all of them stored, and once`)
}
