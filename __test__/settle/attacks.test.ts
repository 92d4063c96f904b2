import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { useSetting, type Issued, type NewKey } from '../support/setting.js'

const { createApiKey, flush, getQuota, patchApiKey, settle, verifyApiKey } = addon

const setting = useSetting()

const create = (fields: Partial<NewKey>): Promise<Issued> =>
  createApiKey({ name: 'Settled', clientId: 'c', ...fields })
async function charged({ key }: Issued, cost: number): Promise<string> {
  const result = await verifyApiKey(key, { cost })
  if (!result.valid) throw new Error(result.code)
  return result.charge!
}
async function left({ key }: Issued): Promise<number> {
  const { limits } = await verifyApiKey(key, { peek: true, cost: 0 })
  return limits![0]!.remaining
}

describe('a limit is given back nothing', () => {
  test('that an earlier refund has made available already', async () => {
    const key = await create({ limits: [{ name: 'tokens', limit: 10, windowSeconds: 2 }] })
    const [one, next] = [await charged(key, 5), await charged(key, 5)]
    await settle(one, 0)
    await eventually(async () => expect(await left(key)).toBe(10), 20_000)
    await charged(key, 10)
    const before = performance.now()
    await settle(next, 0)
    expect(await left(key)).toBeLessThanOrEqual((performance.now() - before) / 200 + 1)
  })

  test('that was charged before the limit was changed', async () => {
    const limits = (limit: number) => [{ name: 'tokens', limit, windowSeconds: 86_400 }]
    const key = await create({ limits: limits(10) })
    const charge = await charged(key, 10)
    await patchApiKey({ id: key.id, limits: limits(40) })
    await charged(key, 30)
    expect(await settle(charge, 0)).toBe(true)
    expect(await left(key)).toBe(0)
  })
})

describe('a quota', () => {
  const quotas = (amount: number) => [{ name: 'tokens', amount, period: 'total' as const }]

  test('that was lowered admits nothing of what is given back', async () => {
    const key = await create({ quotas: quotas(1_000) })
    const charges = [await charged(key, 500), await charged(key, 500)]
    await patchApiKey({ id: key.id, quotas: quotas(600) })
    expect((await verifyApiKey(key.key)).code).toBe('QUOTA_EXCEEDED')
    for (const charge of charges) expect(await settle(charge, 0)).toBe(true)
    let admitted = 0
    for (let asked = 0; asked < 12; asked += 1)
      admitted += (await verifyApiKey(key.key, { cost: 100 })).valid ? 100 : 0
    expect(admitted).toBe(600)
    await flush()
    const state = await getQuota({ keyId: key.id, name: 'tokens' })
    expect(state).toMatchObject({ used: 600, remaining: 0 })
  })

  test('that was used up can be used elsewhere after a refund', async () => {
    const key = await create({ quotas: quotas(20) })
    const charge = await charged(key, 20)
    await flush()
    const elsewhere = (cost: number): Promise<string> =>
      setting.peer.run(
        async ({ api }, key, cost) => (await api.verifyApiKey(key, { cost })).code,
        key.key,
        cost,
      )
    expect(await elsewhere(1)).toBe('QUOTA_EXCEEDED')
    await settle(charge, 0)
    await eventually(async () => expect(await elsewhere(20)).toBe('VALID'), 60_000)
    expect((await verifyApiKey(key.key)).code).toBe('QUOTA_EXCEEDED')
  })
})

test('two calls at once never say that the charge was settled before it is', async () => {
  const key = await create({ quotas: [{ name: 'tokens', amount: 10_000, period: 'total' }] })
  const charge = await charged(key, 1)
  const codes = await Promise.all(
    [1, 2, 3].map(() =>
      settle(charge, 5_000).then(String, (error: { code: string }) => error.code),
    ),
  )
  expect(codes.filter((code) => code === 'true')).toHaveLength(1)
  expect(codes.filter((code) => code !== 'true' && code !== 'OVERLOADED')).toEqual([])
  expect(await settle(charge, 5_000)).toBe(false)
  expect((await getQuota({ keyId: key.id, name: 'tokens' })).used).toBe(5_000)
})
