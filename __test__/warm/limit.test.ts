import { setImmediate as immediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import type { Fault } from '../support/faults.js'
import { useSetting, type Issued } from '../support/setting.js'
import { stats } from '../support/stats.js'

const { flush, getApiKey, patchApiKey, verifyApiKey } = addon

const CAPACITY = 4
const setting = useSetting({ cacheCapacity: CAPACITY, flushIntervalMs: 50 })

const LIMIT = 100
const perDay = { rateLimit: LIMIT, rateLimitWindowSeconds: 86_400 }

/** Of a key that changes faster than it can be read or changed again: no answer, and no use. */
const unread = (fault: Fault): false => {
  expect(fault).toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
  return false
}

/** Other keys push this one out of memory, and its name changes, while so many verifies are under way. */
async function accepted(hot: Issued, others: Issued[], count: number): Promise<number> {
  const CHUNK = 500
  const isAccepted = async (): Promise<boolean> => (await verifyApiKey(hot.key)).valid
  const asked: Promise<boolean>[] = []
  const beside: Promise<unknown>[] = []
  for (let at = 0; at < count; at += CHUNK) {
    for (let n = 0; n < CHUNK; n++) asked.push(isAccepted().catch(unread))
    beside.push(...others.map(({ key }) => verifyApiKey(key)))
    beside.push(patchApiKey({ id: hot.id, name: `Name ${at}` }).catch(unread))
    await immediate()
  }
  await Promise.all(beside)
  // Whatever is left, once no change is news any more.
  await setting.caughtUp()
  for (let n = 0; n < 2 * LIMIT; n++) asked.push(isAccepted())
  return (await Promise.all(asked)).filter(Boolean).length
}

async function expectUses({ id }: Issued, uses: number): Promise<void> {
  await flush()
  // Refused verifies do not count as usage.
  expect((await getApiKey(id))!.usageCount).toBe(uses)
  const [row] = await setting.sql(
    `SELECT spent::int FROM sophra_api_keys.spent WHERE limit_id = 'key/' || $1 || '/default'`,
    [id],
  )
  expect(row).toEqual({ spent: uses })
}

test('of ten thousand concurrent verifies exactly the limit passes, through evictions and renames', async () => {
  const RUNS = 20
  const others = await setting.coldKeys(3 * CAPACITY)
  let selects = 0
  for (let run = 0; run < RUNS; run++) {
    const [hot] = await setting.warmKeys(1, perDay)
    const before = stats().selects
    // One made it warm.
    expect(1 + (await accepted(hot!, others, 10_000))).toBe(LIMIT)
    selects += stats().selects - before
    await expectUses(hot!, LIMIT)
  }
  console.log(`rows read in ${RUNS} runs: ${selects}`)
  // It was out of memory, or changed, again and again.
  expect(selects).toBeGreaterThan(RUNS * 10)
})

test.each([
  ['raised', 60, 150, 150],
  ['raised when it was used up', 1_000, 150, 150],
  ['lowered to more than was used', 60, 80, 80],
  ['lowered to less than was used', 60, 50, 60],
  ['lowered when it was used up', 1_000, 50, 100],
  ['lowered to one', 60, 1, 60],
])(
  'a limit that is %s admits the larger of itself and what was used',
  async (_, first, limit, all) => {
    const others = await setting.coldKeys(3 * CAPACITY)
    for (let run = 0; run < 5; run++) {
      const [hot] = await setting.coldKeys(1, perDay)
      let uses = 0
      for (let n = 0; n < first; n++) if ((await verifyApiKey(hot!.key)).valid) uses++
      expect(uses).toBe(Math.min(first, LIMIT))
      await patchApiKey({ id: hot!.id, rateLimit: limit })
      expect(uses + (await accepted(hot!, others, 2_000))).toBe(all)
      await expectUses(hot!, all)
    }
  },
)

test('edits to and fro, in the middle of it, give nothing away', async () => {
  const others = await setting.coldKeys(3 * CAPACITY)
  const [hot] = await setting.warmKeys(1, perDay)
  const edit = async (): Promise<void> => {
    for (const rateLimit of [80, 20, 90, 1, 100, 40, LIMIT]) {
      await patchApiKey({ id: hot!.id, rateLimit })
    }
  }
  const [uses] = await Promise.all([accepted(hot!, others, 10_000), edit()])
  expect(1 + uses + (await accepted(hot!, others, 2_000))).toBe(LIMIT)
  await expectUses(hot!, LIMIT)
})
