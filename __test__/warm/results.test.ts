import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { faultOf } from '../support/faults.js'
import { useSetting, type NewKey } from '../support/setting.js'

const { configure, close, verifyApiKey } = addon
type Context = Parameters<typeof verifyApiKey>[1]

const setting = useSetting()

/** Metadata with every kind of value, and with names that are special in JavaScript. */
const metadata = JSON.parse(`{
  "plan": "pro", "deep": { "list": [1, [2.5, -0.0, 1e21], { "x": null }] }, "": "empty name",
  "__proto__": { "polluted": true }, "constructor": 1, "toString": "text", "then": "no promise",
  "emoji 🔑": "\\u2028\\u0001", "9007199254740993": true, "10": 1, "9": 2
}`) as Record<string, unknown>

const kinds: [string, Partial<NewKey>, Context, string][] = [
  ['a bare key', {}, undefined, 'VALID'],
  [
    'a key with everything',
    {
      name: 'Näme "quoted" \\ 🔑',
      clientId: '__proto__',
      scopes: ['a', 'b:*'],
      metadata,
      expiresAt: new Date(Date.now() + 3_600_123),
      rateLimit: 1_000,
      rateLimitWindowSeconds: 86_400,
    },
    { scopes: ['b:c'] },
    'VALID',
  ],
  ['a disabled key', { isActive: false }, undefined, 'DISABLED'],
  ['a key without the scope', { scopes: ['a'] }, { scopes: ['b'] }, 'INSUFFICIENT_SCOPE'],
  ['a key from elsewhere', { allowedIps: ['::1'] }, { ip: '::2' }, 'IP_NOT_ALLOWED'],
  [
    'a cost by name',
    { rateLimit: 10, limits: [{ name: 'tokens', limit: 100, windowSeconds: 60 }] },
    { cost: { tokens: 3 } },
    'VALID',
  ],
  ['a cost above the limit', { rateLimit: 1 }, { cost: 2 }, 'RATE_LIMITED'],
]

describe.each(kinds)('%s', (_what, fields, context, code) => {
  test('is answered warm as it was cold, to the order of the fields', async () => {
    const [issued] = await setting.coldKeys(1, fields)
    const cold = await verifyApiKey(issued!.key, context)
    const warm = await verifyApiKey(issued!.key, context)
    expect(cold.code).toBe(code)
    expect(warm).toEqual(withChargeOf(warm, cold))
    expect(Object.keys(warm)).toEqual(Object.keys(cold))
    if (warm.valid && cold.valid) {
      expect(JSON.stringify(warm.metadata)).toBe(JSON.stringify(cold.metadata))
    }
    expect(Object.getPrototypeOf(warm)).toBe(Object.prototype)
  })

  test('is answered anew whatever is done to an answer', async () => {
    const [issued] = await setting.coldKeys(1, fields)
    await verifyApiKey(issued!.key, context)
    const expected = snapshot(await verifyApiKey(issued!.key, context))
    for (let time = 0; time < 3; time++) {
      spoil(await verifyApiKey(issued!.key, context))
      const answer = await verifyApiKey(issued!.key, context)
      expect(snapshot(answer)).toEqual(expected)
      expect(Object.getPrototypeOf(answer)).toBe(Object.prototype)
    }
    expect({}).not.toHaveProperty('polluted')
  })
})

test('what answers share is frozen', async () => {
  const [issued] = await setting.warmKeys(1, { scopes: ['a'], metadata, rateLimit: 1_000 })
  const [one, other] = [await verifyApiKey(issued!.key), await verifyApiKey(issued!.key)]
  expect(one).not.toBe(other)
  const shared = sharedObjects(one, other)
  for (const object of shared) expect(Object.isFrozen(object)).toBe(true)
})

test('two keys never share an answer', async () => {
  const keys = await setting.warmKeys(300)
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(keys.map(({ key }) => verifyApiKey(key)))
    expect(answers.map(({ keyId }) => keyId)).toEqual(keys.map(({ id }) => id))
  }
})

test('nothing is answered from memory while the addon closes', async () => {
  const [issued] = await setting.warmKeys(1)
  const closing = close()
  const fault = await faultOf(() => verifyApiKey(issued!.key))
  expect(fault).toMatchObject({ code: 'CONFIGURATION', status: 500 })
  await closing
  configure(setting.options)
  expect((await verifyApiKey(issued!.key)).valid).toBe(true)
})

test('a new start forgets what was warm, and whose it was', async () => {
  const keys = await setting.warmKeys(20)
  await Promise.all(keys.map(({ key }) => verifyApiKey(key)))
  await close()
  configure(setting.options)
  // In another order than before.
  const again = keys.toReversed()
  const cost = await setting.cost(async () => {
    for (const { id, key } of [...again, ...again]) {
      expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
    }
  })
  expect(cost).toMatchObject({ selects: 20, hashes: 20 })
})

type Answer = Awaited<ReturnType<typeof verifyApiKey>>

/** The rest of a limit and the charge differ from one verify to the next, and are tested elsewhere. */
function withChargeOf(warm: Answer, cold: Answer): Answer {
  const { rateLimit, limits } = warm
  if (rateLimit === undefined) return cold
  const charge = warm.valid && cold.valid ? { charge: cold.charge && warm.charge } : {}
  return { ...cold, rateLimit, limits, ...charge } as Answer
}

/** A copy that later changes do not reach. */
function snapshot(answer: Answer): unknown {
  const { rateLimit, limits, charge, ...others } = { charge: null, ...answer }
  const named = limits?.map(({ level, name, limit }) => ({ level, name, limit }))
  return { ...structuredClone(others), limit: rateLimit?.limit, named, charge: typeof charge }
}

/** Changes everything that can be changed, in place, all the way down. */
function spoil(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  for (const part of Object.values(value)) spoil(part)
  const attempts = [
    () => value instanceof Date && value.setTime(0),
    () => Array.isArray(value) && value.push('*', 'admin'),
    () => Array.isArray(value) && value.reverse(),
    ...Object.keys(value).map((name) => () => Reflect.set(value, name, 'spoilt')),
    () => Reflect.set(value, 'valid', true),
    () => Reflect.defineProperty(value, 'added', { value: 1, enumerable: true }),
    () => Reflect.setPrototypeOf(value, { polluted: true }),
    ...Object.keys(value).map((name) => () => Reflect.deleteProperty(value, name)),
  ]
  for (const attempt of attempts) {
    try {
      attempt()
    } catch {
      // Frozen: so much the better.
    }
  }
}

function sharedObjects(one: unknown, other: unknown): object[] {
  if (typeof one !== 'object' || typeof other !== 'object' || !one || !other) return []
  const here = one === other ? [one] : []
  const names = Object.keys(one) as (keyof object)[]
  return [...here, ...names.flatMap((name) => sharedObjects(one[name], other[name]))]
}
