import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { useSetting, type Issued } from '../support/setting.js'

const { close, configure, flush, getApiKey, patchApiKey, verifyApiKey } = addon

/** Nothing is stored but by `flush()` and `close()`, and suspensions. */
const setting = useSetting({ flushIntervalMs: 600_000 })

const DAY = 86_400
const newKey = async (rateLimit: number, rateLimitWindowSeconds = DAY): Promise<Issued> =>
  (await setting.coldKeys(1, { rateLimit, rateLimitWindowSeconds }))[0]!
/** What a deployment does: the next verify is the first of a new service. */
const restart = async (options: object = {}): Promise<void> => {
  await close()
  configure({ ...setting.options, ...options })
}
const passes = async (ms: number): Promise<void> => {
  const start = performance.now()
  await eventually(() => expect(performance.now()).toBeGreaterThan(start + ms))
}

test('a limit holds across restarts, from the first verify on', async () => {
  const [once, often] = [await newKey(1), await newKey(10)]
  const codes: string[] = []
  for (let time = 0; time < 4; time++) {
    await restart()
    codes.push((await verifyApiKey(once.key)).code)
    expect(await verifyApiKey(often.key)).toMatchObject({ rateLimit: { remaining: 9 - time } })
  }
  expect(codes).toEqual(['VALID', 'RATE_LIMITED', 'RATE_LIMITED', 'RATE_LIMITED'])
})

test('so does how long a refused client has to wait', async () => {
  const { key } = await newKey(120)
  expect((await verifyApiKey(key, { cost: 120 })).valid).toBe(true)
  const waits = async (): Promise<number> => {
    const answer = await verifyApiKey(key)
    if (answer.valid) throw new Error('accepted')
    return answer.retryAfterMs!
  }
  const before = await waits()
  expect(before).toBeGreaterThan(0)
  await restart()
  const after = await waits()
  expect(after).toBeGreaterThan(0)
  expect(after).toBeLessThanOrEqual(before + 5)
})

test('a first verify reads what others have used, and is still one statement', async () => {
  const { key } = await newKey(10)
  await setting.peer.run(async ({ api }, key) => {
    await api.verifyApiKey(key, { cost: 7 })
    await api.flush()
  }, key)
  const cost = await setting.cost(async () => {
    expect(await verifyApiKey(key)).toMatchObject({ rateLimit: { limit: 10, remaining: 2 } })
  })
  expect(cost.selects).toBe(1)
  expect(cost.statements).toHaveLength(1)
  expect(await verifyApiKey(key, { cost: 3 })).toMatchObject({ code: 'RATE_LIMITED' })
  // It charges the use of the others once, also when it flushes and reads the row again.
  await flush()
  await patchApiKey({ id: (await keyOf(key)).id, name: 'Renamed' })
  expect(await verifyApiKey(key, { cost: 2 })).toMatchObject({
    code: 'VALID',
    rateLimit: { remaining: 0 },
  })
})

const keyOf = async (key: string): Promise<{ id: string }> => {
  const answer = await verifyApiKey(key, { cost: 1_000_000 })
  return { id: answer.keyId! }
}

test('what is available again is charged to no new process', async () => {
  const { key } = await newKey(2, 1)
  expect(await verifyApiKey(key, { cost: 2 })).toMatchObject({ rateLimit: { remaining: 0 } })
  await passes(1_100)
  await restart()
  expect(await verifyApiKey(key)).toMatchObject({ rateLimit: { remaining: 1 } })
})

test('a reset is known to a new process', async () => {
  const { id, key } = await newKey(1)
  expect((await verifyApiKey(key)).valid).toBe(true)
  await flush()
  await patchApiKey({ id, suspendedUntil: null })
  await restart()
  expect((await verifyApiKey(key)).valid).toBe(true)
})

test('a suspension and a revocation hold across restarts', async () => {
  await restart({ suspensionSeconds: 600 })
  const [suspended, revoked] = [await newKey(1), await newKey(1)]
  expect((await verifyApiKey(suspended.key)).valid).toBe(true)
  expect(await verifyApiKey(suspended.key)).toMatchObject({ retryAfterMs: 600_000 })
  expect((await verifyApiKey(revoked.key)).valid).toBe(true)
  await patchApiKey({ id: revoked.id, isActive: false })
  await restart({ suspensionSeconds: 600 })
  const answer = await verifyApiKey(suspended.key)
  expect(answer).toMatchObject({ code: 'SUSPENDED' })
  expect(!answer.valid && answer.retryAfterMs).toBeGreaterThan(500_000)
  expect(await verifyApiKey(revoked.key)).toMatchObject({ code: 'DISABLED' })
  await restart()
})

const toASecond = { rateLimitWindowSeconds: 1 }
test.each<[string, (key: Issued) => Promise<unknown>, () => Promise<void>]>([
  ['this process', ({ id }) => patchApiKey({ id, ...toASecond }), async () => {}],
  [
    'another process',
    async ({ id }) => {
      await setting.peer.run(
        ({ api }, id) => api.patchApiKey({ id, rateLimitWindowSeconds: 1 }),
        id,
      )
      await setting.caughtUp()
    },
    async () => {},
  ],
  [
    'another writer',
    async ({ id }) => {
      await setting.sql(`UPDATE "ApiKey" SET "rateLimitWindowSeconds" = 1 WHERE "id" = $1`, [id])
      await setting.caughtUp()
    },
    async () => {},
  ],
  ['a process before this one', ({ id }) => patchApiKey({ id, ...toASecond }), restart],
])('a shorter window by %s counts from the change on', async (_, change, then) => {
  const created = await newKey(1)
  expect((await verifyApiKey(created.key)).valid).toBe(true)
  await change(created)
  await then()
  // Nobody asks in the meantime.
  await passes(1_200)
  expect(await verifyApiKey(created.key)).toMatchObject({ code: 'VALID' })
})

test('a longer window keeps the use', async () => {
  const { id, key } = await newKey(1, 60)
  expect((await verifyApiKey(key)).valid).toBe(true)
  await flush()
  await patchApiKey({ id, rateLimitWindowSeconds: DAY })
  const waits = async (): Promise<unknown> => {
    const answer = await verifyApiKey(key)
    return answer.valid ? 0 : answer.retryAfterMs
  }
  expect(await waits()).toBeGreaterThan(80_000_000)
  await restart()
  expect(await waits()).toBeGreaterThan(80_000_000)
  expect((await getApiKey(id))!.suspendedUntil).toBeNull()
})
