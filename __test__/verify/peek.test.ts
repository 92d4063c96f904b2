import { randomInt } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { forged } from '../support/forge.js'
import { useSetting, type Issued } from '../support/setting.js'

// A verify that only looks: everything is checked, and nothing is charged or counted.

const { flush, getApiKey, listAuditEvents, metrics, patchApiKey, verifyApiKey } = addon

const setting = useSetting({
  flushIntervalMs: 600_000,
  suspensionSeconds: 600,
  throttle: 3,
})

const peek = (key: string, context = {}) => verifyApiKey(key, { ...context, peek: true })
const anHour = { rateLimit: 10, rateLimitWindowSeconds: 3_600 }
const freshIp = (): string => `198.51.${randomInt(256)}.${randomInt(256)}`

/** The verifies that the metrics have counted, by their results. */
const counted = (): string[] =>
  metrics()
    .split('\n')
    .filter((line) => line.startsWith('sophra_api_key_verifications_total{'))

const attempts = async (): Promise<number> => {
  await flush()
  const { events } = await listAuditEvents({ type: 'key.refused' })
  return events.reduce((sum, { count }) => sum + count, 0)
}

describe.each(['cold', 'warm'])('a %s key', (kind) => {
  const made = async (fields = {}): Promise<Issued> => {
    const [key] = await (kind === 'cold'
      ? setting.coldKeys(1, fields)
      : setting.warmKeys(1, fields))
    await flush()
    return key!
  }

  test('is accepted without a use', async () => {
    const { id, key } = await made()
    const before = [await getApiKey(id), counted()]
    expect(await peek(key, { path: '/account' })).toMatchObject({ valid: true, keyId: id })
    await flush()
    expect([await getApiKey(id), counted()]).toEqual(before)
  })

  test('keeps its limit, which is told as it stands', async () => {
    const { key } = await made(anHour)
    const left = kind === 'cold' ? 10 : 9
    for (const cost of [1, left]) {
      expect(await peek(key, { cost })).toMatchObject({ rateLimit: { limit: 10, remaining: left } })
    }
    expect(await verifyApiKey(key, { cost: left })).toMatchObject({ rateLimit: { remaining: 0 } })
    expect(await peek(key)).toMatchObject({ code: 'RATE_LIMITED', rateLimit: { remaining: 0 } })
  })

  test('is refused like by a verify, without an attempt that anyone hears of', async () => {
    const { id, key } = await made({ scopes: ['docs:read'], allowedIps: ['10.0.0.0/8'] })
    const before = [counted(), await attempts()]
    expect(await peek(key, { ip: '192.0.2.1' })).toMatchObject({ code: 'IP_NOT_ALLOWED' })
    const ip = '10.1.2.3'
    expect(await peek(key, { ip, scopes: ['a'] })).toMatchObject({ code: 'INSUFFICIENT_SCOPE' })
    await patchApiKey({ id, isActive: false })
    expect(await peek(key, { ip })).toMatchObject({ code: 'DISABLED', keyId: id })
    expect([counted(), await attempts()]).toEqual(before)
  })
})

test('the limit is told as other processes have left it, again and again', async () => {
  const [issued] = await setting.coldKeys(1, anHour)
  const { key } = issued!
  const useThere = (cost: number): Promise<unknown> =>
    setting.peer.run(
      async ({ api }, key, cost) => {
        await api.verifyApiKey(key, { cost })
        await api.flush()
      },
      key,
      cost,
    )
  for (const left of [10, 7, 4]) {
    expect(await peek(key)).toMatchObject({ valid: true, rateLimit: { remaining: left } })
    await useThere(3)
    // What is unused here is followed no longer.
    await flush()
  }
  expect(await peek(key, { cost: 2 })).toMatchObject({ code: 'RATE_LIMITED' })
  expect(await verifyApiKey(key)).toMatchObject({ valid: true, rateLimit: { remaining: 0 } })
})

test('no number of peeks over the limit suspends a key, and one that is suspended is told as that', async () => {
  const [issued] = await setting.warmKeys(1, { ...anHour, rateLimit: 1 })
  const { id, key } = issued!
  for (let time = 0; time < 20; time++) expect((await peek(key)).code).toBe('RATE_LIMITED')
  await flush()
  expect(await getApiKey(id)).toMatchObject({ suspendedUntil: null })
  expect((await verifyApiKey(key)).code).toBe('RATE_LIMITED')
  expect((await peek(key)).code).toBe('SUSPENDED')
})

test('wrong keys lead to no throttling, and a throttled address is told as that', async () => {
  const [wrong] = await setting.coldKeys(1)
  const [ip, key] = [freshIp(), forged(wrong!.key)]
  for (const text of [key, 'nonsense', `${wrong!.key}x`])
    for (let time = 0; time < 5; time++) expect((await peek(text, { ip })).code).toBe('INVALID_KEY')
  expect((await peek(wrong!.key, { ip })).code).toBe('VALID')
  for (let time = 0; time < 4; time++) await verifyApiKey(key, { ip })
  expect((await peek(key, { ip })).code).toBe('THROTTLED')
})

test('a peek says what the next verify will say, whatever came before', async () => {
  const seed = randomInt(2 ** 31)
  let state = seed
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % below
  }
  const keys = await setting.warmKeys(5, anHour)
  for (let round = 0; round < 1_000; round++) {
    const { id, key } = keys[random(keys.length)]!
    if (random(20) === 0) await patchApiKey({ id, suspendedUntil: null })
    const context = { cost: 1 + random(12), scopes: random(10) === 0 ? ['a'] : [] }
    const seen = await peek(key, context)
    if (random(2) === 0) continue
    const verified = await verifyApiKey(key, context)
    expect(seen.code, `seed ${seed}, round ${round}`).toBe(verified.code)
    if (!seen.valid || !verified.valid) continue
    expect(seen.rateLimit!.remaining - verified.rateLimit!.remaining).toBe(context.cost)
  }
})

test.each([null, undefined, false])('%j is no peek', async (none) => {
  const [issued] = await setting.coldKeys(1)
  expect((await verifyApiKey(issued!.key, { peek: none })).valid).toBe(true)
  await flush()
  expect(await getApiKey(issued!.id)).toMatchObject({ usageCount: 1 })
})

test('without a key it is refused as ever, and counted nowhere', async () => {
  const before = counted()
  expect(await verifyApiKey(undefined, { peek: true })).toMatchObject({ code: 'MISSING_KEY' })
  expect(counted()).toEqual(before)
})

test.each(['true', 1, {}])('%j is refused', async (peek) => {
  const [issued] = await setting.coldKeys(1)
  await expect(verifyApiKey(issued!.key, { peek } as never)).rejects.toMatchObject({
    code: 'INVALID_INPUT',
    issues: [{ path: 'peek', message: 'must be true or false' }],
  })
})
