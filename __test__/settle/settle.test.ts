import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { useSetting, type Issued, type NewKey } from '../support/setting.js'

const {
  createApiKey,
  deleteApiKey,
  flush,
  getQuota,
  patchApiKey,
  settle,
  setClient,
  verifyApiKey,
} = addon
type Context = NonNullable<Parameters<typeof verifyApiKey>[1]>

const setting = useSetting()

/** Nothing that is used comes back within a test. */
const limit = (name: string, limit: number) => ({ name, limit, windowSeconds: 86_400 })
const quota = (name: string, amount: number) => ({ name, amount, period: 'month' as const })

let clients = 0
const newClient = (): string => `client-${(clients += 1)}`
const create = (fields: Partial<NewKey> = {}): Promise<Issued> =>
  createApiKey({ name: 'Settled', clientId: newClient(), ...fields })

/** Verifies a key, and returns the charge. */
async function charged({ key }: Issued, context?: Context): Promise<string> {
  const result = await verifyApiKey(key, context)
  if (!result.valid) throw new Error(result.code)
  return result.charge!
}

/** What remains of each limit. */
async function left({ key }: Issued): Promise<number[]> {
  const { limits } = await verifyApiKey(key, { peek: true, cost: 0 })
  return limits!.map(({ remaining }) => remaining)
}
const used = async ({ id }: Issued, name = 'tokens'): Promise<number> =>
  (await getQuota({ keyId: id, name })).used

describe('a charge', () => {
  test('is in the answer for a key with a limit or a quota, of the key or of its client', async () => {
    const clientId = newClient()
    await setClient({ clientId, quotas: [quota('tokens', 10)] })
    const keys = [
      await create({ rateLimit: 10 }),
      await create({ limits: [limit('tokens', 10)] }),
      await create({ quotas: [quota('tokens', 10)] }),
      await create({ clientId }),
    ]
    const charges = new Set<string>()
    for (const key of keys) {
      for (let asked = 0; asked < 3; asked += 1) {
        const charge = await charged(key)
        expect(charge).toMatch(/^[\w-]{40,400}$/)
        charges.add(charge)
      }
    }
    expect(charges.size).toBe(12)
  })

  test('is null where nothing can be settled, and absent where nothing was charged', async () => {
    expect(await verifyApiKey((await create()).key)).toMatchObject({ valid: true, charge: null })
    const { key } = await create({ rateLimit: 1, rateLimitWindowSeconds: 86_400 })
    expect(await verifyApiKey(key, { peek: true })).toMatchObject({ valid: true, charge: null })
    expect(await verifyApiKey(key)).toMatchObject({ valid: true, charge: expect.any(String) })
    expect(await verifyApiKey(key)).not.toHaveProperty('charge')
  })

  test('has a handle for as many limits and quotas as there can be', async () => {
    const names = Array.from({ length: 8 }, (_, index) => `${'n'.repeat(60)}-${index}`)
    const many = {
      limits: names.map((name) => limit(name, 1_000_000)),
      quotas: names.map((name) => quota(name, 1_000_000)),
    }
    const [grandparentId, parentId, clientId] = [newClient(), newClient(), newClient()]
    await setClient({ clientId: grandparentId, ...many })
    await setClient({ clientId: parentId, parentId: grandparentId, ...many })
    await setClient({ clientId, parentId, ...many })
    const key = await create({ clientId, ...many })
    for (let asked = 0; asked < 2; asked += 1) {
      const charge = await charged(key, { cost: 100_000 })
      expect(await settle(charge, 1)).toBe(true)
    }
    expect(await used(key, names[7])).toBe(2)
    expect(new Set(await left(key))).toEqual(new Set([999_998]))
  })
})

describe('settling', () => {
  test('moves the difference on limits and quotas, down and up', async () => {
    const clientId = newClient()
    await setClient({
      clientId,
      limits: [limit('tokens', 1_000)],
      quotas: [quota('tokens', 5_000)],
    })
    const key = await create({
      clientId,
      limits: [limit('tokens', 100)],
      quotas: [quota('tokens', 500)],
    })
    const all = async (): Promise<number[]> => [
      ...(await left(key)),
      await used(key),
      (await getQuota({ clientId, name: 'tokens' })).used,
    ]
    const more = await charged(key, { cost: 10 })
    expect(await all()).toEqual([90, 990, 10, 10])
    expect(await settle(more, 25)).toBe(true)
    expect(await all()).toEqual([75, 975, 25, 25])
    const less = await charged(key, { cost: 20 })
    expect(await settle(less, 5)).toBe(true)
    expect(await all()).toEqual([70, 970, 30, 30])
    const nothing = await charged(key, { cost: 30 })
    expect(await settle(nothing, 0)).toBe(true)
    expect(await all()).toEqual([70, 970, 30, 30])
    const same = await charged(key, { cost: 7 })
    expect(await settle(same, 7)).toBe(true)
    expect(await all()).toEqual([63, 963, 37, 37])
  })

  test('leaves as it was charged what the cost does not name', async () => {
    const key = await create({
      rateLimit: 100,
      rateLimitWindowSeconds: 86_400,
      limits: [limit('tokens', 1_000), limit('images', 10)],
      quotas: [quota('tokens', 5_000), quota('exports', 3)],
    })
    const charge = await charged(key, { cost: { tokens: 100, images: 2 } })
    expect(await settle(charge, { tokens: 40, images: 3, videos: 5 })).toBe(true)
    expect(await left(key)).toEqual([99, 960, 7])
    expect([await used(key), await used(key, 'exports')]).toEqual([40, 1])
  })

  test('charges what cost nothing so far', async () => {
    const key = await create({ limits: [limit('tokens', 100)], quotas: [quota('tokens', 500)] })
    const charge = await charged(key, { cost: { tokens: 0 } })
    expect(await settle(charge, { tokens: 60 })).toBe(true)
    expect([await left(key), await used(key)]).toEqual([[40], 60])
  })

  test('happens once, also where many ask at once', async () => {
    const key = await create({ limits: [limit('tokens', 100)], quotas: [quota('tokens', 500)] })
    const charge = await charged(key, { cost: 50 })
    const settled = await Promise.all(Array.from({ length: 50 }, () => settle(charge, 20)))
    expect(settled.filter(Boolean)).toHaveLength(1)
    expect(await settle(charge, 0)).toBe(false)
    expect([await left(key), await used(key)]).toEqual([[80], 20])
  })

  test('takes no more than is left, and gives back no more than was charged', async () => {
    const key = await create({ limits: [limit('tokens', 100)], quotas: [quota('tokens', 150)] })
    const [one, next] = [await charged(key, { cost: 60 }), await charged(key, { cost: 10 })]
    expect(await settle(one, 1_000_000)).toBe(true)
    expect([await left(key), await used(key)]).toEqual([[0], 150])
    expect(await settle(next, 0)).toBe(true)
    expect([await left(key), await used(key)]).toEqual([[10], 140])
    expect((await verifyApiKey(key.key, { cost: 11 })).code).toBe('RATE_LIMITED')
    expect((await verifyApiKey(key.key, { cost: 10 })).valid).toBe(true)
    expect((await verifyApiKey(key.key)).code).toBe('RATE_LIMITED')
  })

  test('gives nothing back of a limit that has become available again by itself', async () => {
    // 100 in a second: after it, all of them are there again.
    const key = await create({ limits: [{ name: 'tokens', limit: 100, windowSeconds: 1 }] })
    const charges: string[] = []
    for (let asked = 0; asked < 10; asked += 1) charges.push(await charged(key, { cost: 10 }))
    await eventually(async () => expect(await left(key)).toEqual([100]), 20_000)
    await charged(key, { cost: 100 })
    for (const charge of charges) await settle(charge, 0)
    // A moment later there may be a few, but not the hundred that was given back.
    const begun = performance.now()
    const [remaining] = await left(key)
    expect(remaining).toBeLessThanOrEqual(60 + (performance.now() - begun) / 10)
  })

  test('is stored: other processes learn of it', async () => {
    const key = await create({ limits: [limit('tokens', 100)], quotas: [quota('tokens', 500)] })
    const charge = await charged(key, { cost: 50 })
    await settle(charge, 70)
    await flush()
    const elsewhere = await setting.peer.run(async ({ api }, { id, key }) => {
      const { limits } = await api.verifyApiKey(key, { cost: 0 })
      const { used, withheld } = await api.getQuota({ keyId: id, name: 'tokens' })
      return [limits![0]!.remaining, used, withheld]
    }, key)
    expect(elsewhere).toEqual([30, 70, 0])
  })

  test('of a quota uses units of grants, and gives them back last', async () => {
    const key = await create({ quotas: [quota('tokens', 10)] })
    await addon.grantQuota({ keyId: key.id, name: 'tokens', amount: 100 })
    const charge = await charged(key, { cost: 5 })
    await settle(charge, 30)
    expect(await getQuota({ keyId: key.id, name: 'tokens' })).toMatchObject({
      used: 30,
      granted: 80,
      remaining: 80,
    })
    const next = await charged(key, { cost: 20 })
    await settle(next, 1)
    expect(await getQuota({ keyId: key.id, name: 'tokens' })).toMatchObject({
      used: 31,
      granted: 79,
    })
  })

  test('works for a key that was changed, disabled or renamed since, not for one with other limits', async () => {
    const fields = { limits: [limit('tokens', 100)], quotas: [quota('tokens', 500)] }
    const key = await create(fields)
    const charges = [await charged(key, { cost: 10 }), await charged(key, { cost: 10 })]
    await patchApiKey({
      id: key.id,
      name: 'Other',
      limits: [limit('tokens', 200)],
      isActive: false,
    })
    expect(await settle(charges[0]!, 2)).toBe(true)
    await patchApiKey({ id: key.id, limits: [limit('images', 200)], isActive: true })
    await verifyApiKey(key.key, { cost: 0 })
    expect(await settle(charges[1]!, 2)).toBe(false)
    expect(await used(key)).toBe(12)
  })

  test('refuses what is no charge of this process', async () => {
    const key = await create({ rateLimit: 100 })
    const charge = await charged(key)
    const elsewhere = await setting.peer.run(async ({ api }, key) => {
      const result = await api.verifyApiKey(key)
      return result.valid ? result.charge! : ''
    }, key.key)
    const other = charge.at(0) === 'A' ? 'B' : 'A'
    for (const wrong of [
      elsewhere,
      '',
      'x',
      `${other}${charge.slice(1)}`,
      `${charge}A`,
      charge.slice(1),
    ])
      await expect(settle(wrong, 0)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        issues: [{ path: 'charge' }],
      })
    for (const wrong of [null, undefined, 5, {}])
      await expect(settle(wrong as unknown as string, 0)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        issues: [{ path: 'charge' }],
      })
    expect(await settle(charge, 1)).toBe(true)
  })

  test('refuses a wrong cost, and settles nothing then', async () => {
    const key = await create({ limits: [limit('tokens', 100)] })
    const charge = await charged(key, { cost: 10 })
    const none = [null, undefined, {}, { tokens: undefined }]
    for (const wrong of [-1, 1.5, NaN, 1_000_001, '5', ...none, { tokens: -1 }, []])
      await expect(settle(charge, wrong as number)).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    expect(await settle(charge, { tokens: 5 })).toBe(true)
    expect(await left(key)).toEqual([95])
  })

  test('of a key that was deleted changes nothing', async () => {
    const key = await create({ quotas: [quota('tokens', 100)] })
    const charge = await charged(key, { cost: 10 })
    await deleteApiKey(key.id)
    expect(typeof (await settle(charge, 1))).toBe('boolean')
  })

  test('is counted by the metrics', async () => {
    const count = async (result: string): Promise<number> =>
      Number(
        new RegExp(`settlements_total\\{result="${result}"\\} (\\d+)`).exec(
          await addon.metrics(),
        )![1],
      )
    const before = [await count('settled'), await count('repeated')]
    const charge = await charged(await create({ rateLimit: 10 }))
    await settle(charge, 0)
    await settle(charge, 0)
    const after = [await count('settled'), await count('repeated')]
    expect(after).toEqual(before.map((count) => count + 1))
  })
})

test('a settled charge costs no statement', async () => {
  const [key] = await setting.warmKeys(1, { limits: [limit('tokens', 1_000)] })
  const { statements } = await setting.cost(async () => {
    for (let asked = 0; asked < 100; asked += 1) await settle(await charged(key!, { cost: 5 }), 3)
  })
  expect(statements).toEqual([])
  expect((await left(key!))[0]).toBeLessThanOrEqual(700)
})
