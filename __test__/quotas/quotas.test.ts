import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { invalidFields } from '../support/faults.js'
import { useSetting, type Issued, type NewKey } from '../support/setting.js'

const { createApiKey, flush, getApiKey, getQuota, grantQuota, patchApiKey } = addon
const { setClient, updateApiKey, verifyApiKey } = addon
type Context = NonNullable<Parameters<typeof verifyApiKey>[1]>
type Quota = NonNullable<NewKey['quotas']>[number]

const setting = useSetting()

const quota = (name: string, amount: number, fields: Partial<Quota> = {}): Quota => ({
  name,
  amount,
  period: 'month',
  ...fields,
})

let clients = 0
const newClient = (): string => `client-${(clients += 1)}`
const create = (fields: Partial<NewKey> = {}): Promise<Issued> =>
  createApiKey({ name: 'With quotas', clientId: newClient(), ...fields })
const withQuota = (amount: number, fields: Partial<Quota> = {}): Promise<Issued> =>
  create({ quotas: [quota('calls', amount, fields)] })
const codeOf = async ({ key }: Issued, context?: Context): Promise<string> =>
  (await verifyApiKey(key, context)).code

/** How often a key passes of so many verifies, one after the other. */
async function passed({ key }: Issued, times: number, context?: Context): Promise<number> {
  let passed = 0
  for (let time = 0; time < times; time += 1)
    passed += Number((await verifyApiKey(key, context)).valid)
  return passed
}

describe('the quotas of a key', () => {
  test('are kept as they were set', async () => {
    const quotas = [
      quota('calls', 1_000_000_000_000, { timeZone: 'Europe/Berlin', anchorDay: 31 }),
      quota('tokens', 0, { period: 'total' }),
    ]
    const whole = [quotas[0], { ...quotas[1], timeZone: 'UTC' }]
    const key = await create({ quotas })
    expect(key.quotas).toEqual(whole)
    expect((await getApiKey(key.id))!.quotas).toEqual(whole)
    await updateApiKey({ id: key.id, name: 'Other' })
    expect((await getApiKey(key.id))!.quotas).toEqual(whole)
    expect((await patchApiKey({ id: key.id, quotas: null })).quotas).toEqual([])
    expect((await create()).quotas).toEqual([])
  })

  test('have their defaults', async () => {
    const key = await create({ quotas: [quota('w', 1, { period: 'week' }), quota('m', 1)] })
    expect(key.quotas).toEqual([
      { name: 'w', amount: 1, period: 'week', timeZone: 'UTC', anchorDay: 1 },
      { name: 'm', amount: 1, period: 'month', timeZone: 'UTC', anchorDay: 1 },
    ])
  })

  test.each<[string, object, string]>([
    ['a negative amount', { amount: -1 }, 'amount'],
    ['a huge amount', { amount: 1e12 + 1 }, 'amount'],
    ['half an amount', { amount: 1.5 }, 'amount'],
    ['no amount', { amount: undefined }, 'amount'],
    ['another period', { period: 'year' }, 'period'],
    ['a name with a slash', { name: 'a/b' }, 'name'],
    ['a time zone that is none', { timeZone: 'Mars/Olympus' }, 'timeZone'],
    ['a time zone with a rule of its own', { timeZone: 'Foo/Bar5' }, 'timeZone'],
    ['a text that cannot be a time zone', { timeZone: 'Europe Berlin' }, 'timeZone'],
    ['a day of no week', { period: 'week', anchorDay: 8 }, 'anchorDay'],
    ['a day of no month', { anchorDay: 32 }, 'anchorDay'],
    ['a day of a day', { period: 'day', anchorDay: 1 }, 'anchorDay'],
    ['a day of no period', { period: 'total', anchorDay: 1 }, 'anchorDay'],
  ])('are refused with %s', async (_, fields, path) => {
    const quotas = [quota('fine', 1), { ...quota('calls', 1), ...fields }]
    const input = { name: 'n', clientId: 'c', quotas } as NewKey
    expect(await invalidFields(() => createApiKey(input))).toEqual([`quotas[1].${path}`])
    const client = { clientId: newClient(), quotas: input.quotas! }
    expect(await invalidFields(() => setClient(client))).toEqual([`quotas[1].${path}`])
  })
})

describe('a quota', () => {
  test.each([1, 2, 7, 100, 1_000])('of %i admits as many', async (amount) => {
    const key = await withQuota(amount)
    expect(await passed(key, amount + 10)).toBe(amount)
  })

  test('of nothing admits nothing', async () => {
    const key = await withQuota(0)
    expect(await codeOf(key)).toBe('QUOTA_EXCEEDED')
    expect(await codeOf(key, { cost: 0 })).toBe('VALID')
  })

  test('refuses with what an app can answer', async () => {
    const key = await withQuota(1)
    await verifyApiKey(key.key)
    const refused = await verifyApiKey(key.key)
    expect(refused).toEqual({
      valid: false,
      code: 'QUOTA_EXCEEDED',
      status: 429,
      message: 'Quota exceeded',
      keyId: key.id,
      retryAfterMs: expect.any(Number),
      limitedBy: { level: 'key', name: 'calls' },
    })
    const { resetsAt } = await getQuota({ keyId: key.id, name: 'calls' })
    const now = new Date()
    const refill = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1)
    expect(resetsAt).toEqual(new Date(refill))
    if (refused.valid) throw new Error('valid')
    expect(Math.abs(now.getTime() + refused.retryAfterMs! - refill)).toBeLessThan(60_000)
  })

  test('that is never refilled names no time', async () => {
    const key = await withQuota(1, { period: 'total' })
    await verifyApiKey(key.key)
    const refused = await verifyApiKey(key.key)
    expect(refused).toMatchObject({ code: 'QUOTA_EXCEEDED' })
    expect(refused).not.toHaveProperty('retryAfterMs')
    const state = await getQuota({ keyId: key.id, name: 'calls' })
    expect(state).toMatchObject({ used: 1, remaining: 0, resetsAt: null })
  })

  test('never admits a request that costs more than its amount, and says so', async () => {
    const key = await withQuota(5)
    const refused = await verifyApiKey(key.key, { cost: 6 })
    expect(refused).toMatchObject({ code: 'QUOTA_EXCEEDED' })
    expect(refused).not.toHaveProperty('retryAfterMs')
    expect(await codeOf(key, { cost: 5 })).toBe('VALID')
  })

  test('is charged what a request costs', async () => {
    const key = await withQuota(100)
    expect(await passed(key, 20, { cost: { calls: 30 } })).toBe(3)
    expect(await passed(key, 20, { cost: 10 })).toBe(1)
    expect(await invalidFields(() => verifyApiKey(key.key, { cost: { other: 1 } }))).toEqual([
      'cost.other',
    ])
  })

  test('is exact for concurrent requests of any cost', async () => {
    const key = await withQuota(1_000)
    const costs = Array.from({ length: 400 }, (_, index) => 1 + (index % 13))
    const answers = await Promise.all(costs.map((cost) => verifyApiKey(key.key, { cost })))
    const charged = costs.filter((_, index) => answers[index]!.valid)
    const sum = charged.reduce((sum, cost) => sum + cost, 0)
    expect(sum).toBeLessThanOrEqual(1_000)
    // Whatever is left is less than the cheapest that was refused.
    const refused = costs.filter((_, index) => !answers[index]!.valid)
    expect(1_000 - sum).toBeLessThan(Math.min(...refused))
  })

  test('keeps what was used when its key is rotated or renamed, or the amount changed', async () => {
    const key = await withQuota(10)
    expect(await passed(key, 4)).toBe(4)
    const { key: rotated } = (await updateApiKey({ id: key.id, name: 'N', regenerateKey: true }))!
    expect(await passed({ ...key, key: rotated! }, 2)).toBe(2)
    await patchApiKey({ id: key.id, quotas: [quota('calls', 8)] })
    expect(await passed({ ...key, key: rotated! }, 9)).toBe(2)
    await patchApiKey({ id: key.id, quotas: [quota('calls', 20)] })
    expect(await passed({ ...key, key: rotated! }, 30)).toBe(12)
    await patchApiKey({ id: key.id, quotas: [quota('calls', 20, { period: 'week' })] })
    expect(await codeOf({ ...key, key: rotated! })).toBe('QUOTA_EXCEEDED')
  })

  test('is none any more when it is taken away', async () => {
    const key = await withQuota(1)
    expect(await passed(key, 2)).toBe(1)
    await patchApiKey({ id: key.id, quotas: [] })
    expect(await passed(key, 5)).toBe(5)
    await patchApiKey({ id: key.id, quotas: [quota('calls', 1)] })
    expect(await codeOf(key)).toBe('QUOTA_EXCEEDED')
  })

  test('never suspends a key', async () => {
    const key = await withQuota(1)
    expect(await passed(key, 200)).toBe(1)
    expect((await getApiKey(key.id))!.suspendedUntil).toBeNull()
  })

  test('is full again when its period ends, and nothing is carried over', async () => {
    const key = await withQuota(10)
    expect(await passed(key, 4)).toBe(4)
    await flush()
    await setting.sql(
      `UPDATE sophra_api_keys.quota_balances SET ends_at = now() WHERE quota_id = 'key/${key.id}/calls'`,
    )
    expect(await passed(key, 20)).toBe(10)
    expect(await getQuota({ keyId: key.id, name: 'calls' })).toMatchObject({ used: 10 })
  })
})

describe('quotas and limits', () => {
  test('are charged all or none', async () => {
    const key = await create({
      rateLimit: 3,
      rateLimitWindowSeconds: 86_400,
      quotas: [quota('calls', 5)],
    })
    expect(await passed(key, 3)).toBe(3)
    expect(await codeOf(key)).toBe('RATE_LIMITED')
    // What the limit refused has not used the quota.
    expect(await getQuota({ keyId: key.id, name: 'calls' })).toMatchObject({ used: 3 })
    await patchApiKey({ id: key.id, rateLimit: 100 })
    expect(await passed(key, 5)).toBe(2)
    const { limits } = await verifyApiKey(key.key)
    // What the quota refused has not used the limit.
    expect(limits).toMatchObject([{ name: 'default', remaining: 95 }])
  })

  test('a limit refuses first', async () => {
    const key = await create({ rateLimit: 1, quotas: [quota('calls', 1)] })
    expect(await passed(key, 1)).toBe(1)
    expect(await codeOf(key)).toBe('RATE_LIMITED')
  })

  test('of all levels count, and the lowest one refuses first', async () => {
    const [client, parent, grandparent] = [newClient(), newClient(), newClient()]
    await setClient({ clientId: grandparent, quotas: [quota('calls', 6)] })
    await setClient({ clientId: parent, parentId: grandparent, quotas: [quota('calls', 5)] })
    await setClient({ clientId: client, parentId: parent, quotas: [quota('calls', 4)] })
    const key = await create({ clientId: client, quotas: [quota('calls', 3), quota('other', 99)] })
    const sibling = await create({ clientId: parent })
    const cousin = await create({ clientId: grandparent })
    expect(await passed(key, 9)).toBe(3)
    expect(await verifyApiKey(key.key)).toMatchObject({
      limitedBy: { level: 'key', name: 'calls' },
    })
    await patchApiKey({ id: key.id, quotas: [quota('other', 99)] })
    expect(await passed(key, 9)).toBe(1)
    expect(await verifyApiKey(key.key)).toMatchObject({
      limitedBy: { level: 'client', name: 'calls' },
    })
    expect(await passed(sibling, 9)).toBe(1)
    expect(await verifyApiKey(sibling.key)).toMatchObject({ limitedBy: { level: 'client' } })
    expect(await passed(cousin, 9)).toBe(1)
    await setClient({ clientId: client, quotas: null })
    expect(await verifyApiKey(key.key)).toMatchObject({
      limitedBy: { level: 'parent', name: 'calls' },
    })
    await setClient({ clientId: parent, quotas: [] })
    expect(await verifyApiKey(key.key)).toMatchObject({ limitedBy: { level: 'grandparent' } })
    // What each of them refused, no other was charged for.
    expect(await getQuota({ keyId: key.id, name: 'other' })).toMatchObject({ used: 4 })
  })

  test('share names in costs', async () => {
    const limits = [{ name: 'tokens', limit: 100, windowSeconds: 86_400 }]
    const key = await create({ limits, quotas: [quota('tokens', 50), quota('calls', 9)] })
    expect(await passed(key, 9, { cost: { tokens: 20 } })).toBe(2)
    const { used } = await getQuota({ keyId: key.id, name: 'calls' })
    expect(used).toBe(2)
    const { limits: left } = await verifyApiKey(key.key, { cost: { tokens: 0, calls: 0 } })
    expect(left).toMatchObject([{ name: 'tokens', remaining: 60 }])
  })
})

describe('peeking', () => {
  test('charges nothing, and sees what is left everywhere', async () => {
    const key = await withQuota(4)
    const peek = { peek: true }
    expect(await codeOf(key, { ...peek, cost: 4 })).toBe('VALID')
    expect(await codeOf(key, { ...peek, cost: 5 })).toBe('QUOTA_EXCEEDED')
    const elsewhere = await setting.peer.run(
      async ({ api }, key) => (await api.verifyApiKey(key, { cost: 3 })).valid,
      key.key,
    )
    expect(elsewhere).toBe(true)
    expect(await codeOf(key, { ...peek, cost: 1 })).toBe('VALID')
    // Once the other process has told what it spent.
    await eventually(async () =>
      expect(await codeOf(key, { ...peek, cost: 2 })).toBe('QUOTA_EXCEEDED'),
    )
    expect(await passed(key, 5)).toBe(1)
  })
})

describe('grants', () => {
  test('are used after the amount of the period, and outlive it', async () => {
    const client = newClient()
    await setClient({ clientId: client, quotas: [quota('calls', 5)] })
    const key = await create({ clientId: client })
    expect(await passed(key, 9)).toBe(5)
    const granted = await grantQuota({ clientId: client, name: 'calls', amount: 10 })
    expect(granted).toMatchObject({ used: 5, granted: 10, remaining: 10 })
    expect(await passed(key, 4)).toBe(4)
    await flush()
    const name = { clientId: client, name: 'calls' }
    expect(await getQuota(name)).toMatchObject({ used: 9, granted: 6, remaining: 6, withheld: 0 })
    await setting.sql(
      `UPDATE sophra_api_keys.quota_balances SET ends_at = now() WHERE quota_id = 'client/${client}/calls' AND granted IS NULL`,
    )
    expect(await getQuota(name)).toMatchObject({ used: 0, granted: 6, remaining: 11 })
    expect(await passed(key, 99)).toBe(11)
    expect(await getQuota(name)).toMatchObject({ used: 11, granted: 0, remaining: 0 })
  })

  test('that end first are used first, and end', async () => {
    const key = await withQuota(0)
    const name = { keyId: key.id, name: 'calls' }
    const soon = new Date(Date.now() + 3_600_000)
    await grantQuota({ ...name, amount: 3 })
    await grantQuota({ ...name, amount: 2, expiresAt: soon })
    expect(await passed(key, 2)).toBe(2)
    await flush()
    const grants = await setting.sql(
      `SELECT granted::int, spent::int FROM sophra_api_keys.quota_balances
       WHERE quota_id = 'key/${key.id}/calls' AND granted IS NOT NULL ORDER BY granted`,
    )
    expect(grants).toEqual([
      { granted: 2, spent: 2 },
      { granted: 3, spent: 0 },
    ])
    await grantQuota({ ...name, amount: 7, expiresAt: soon })
    await setting.sql(
      `UPDATE sophra_api_keys.quota_balances SET ends_at = now() WHERE quota_id = 'key/${key.id}/calls' AND granted = 7`,
    )
    expect(await passed(key, 9)).toBe(3)
  })

  test('can be used in other processes at once', async () => {
    const key = await withQuota(1)
    const tryThere = (): Promise<string> =>
      setting.peer.run(async ({ api }, key) => (await api.verifyApiKey(key)).code, key.key)
    expect(await tryThere()).toBe('VALID')
    expect(await tryThere()).toBe('QUOTA_EXCEEDED')
    await grantQuota({ keyId: key.id, name: 'calls', amount: 1 })
    await eventually(async () => expect(await tryThere()).toBe('VALID'), 20_000)
  })

  test('are recorded', async () => {
    const key = await withQuota(1)
    const expiresAt = new Date(Date.now() + 60_000)
    const grant = { keyId: key.id, name: 'calls', amount: 5, expiresAt }
    await grantQuota(grant, { actor: 'ann' })
    await flush()
    const { events } = await addon.listAuditEvents({ keyId: key.id, type: 'quota.granted' })
    expect(events).toMatchObject([
      { type: 'quota.granted', keyId: key.id, quota: 'calls', amount: 5, actor: 'ann' },
    ])
  })

  test('are made once with the same idempotency key', async () => {
    const [key, other] = [await withQuota(1), await withQuota(1)]
    const grant = { keyId: key.id, name: 'calls', amount: 5, idempotencyKey: 'payment-1' }
    const granted = await Promise.all(Array.from({ length: 5 }, () => grantQuota(grant)))
    expect(granted.map(({ granted }) => granted)).toEqual([5, 5, 5, 5, 5])
    expect(await passed(key, 9)).toBe(6)
    expect(await grantQuota(grant)).toMatchObject({ granted: 0 })
    await expect(grantQuota({ ...grant, amount: 6 })).rejects.toMatchObject({
      code: 'IDEMPOTENCY_KEY_REUSED',
      status: 422,
    })
    expect(await grantQuota({ ...grant, idempotencyKey: 'payment-2' })).toMatchObject({
      granted: 5,
    })
    expect(await grantQuota({ ...grant, keyId: other.id })).toMatchObject({ granted: 5 })
    await flush()
    const { events } = await addon.listAuditEvents({ keyId: key.id, type: 'quota.granted' })
    expect(events).toHaveLength(2)
    expect(await invalidFields(() => grantQuota({ ...grant, idempotencyKey: 'a b' }))).toEqual([
      'idempotencyKey',
    ])
  })

  test('are refused for what is no quota', async () => {
    const key = await withQuota(1)
    const missing = { code: 'NOT_FOUND', message: 'Quota not found' }
    await expect(grantQuota({ keyId: key.id, name: 'x', amount: 1 })).rejects.toMatchObject(missing)
    await expect(getQuota({ keyId: key.id, name: 'x' })).rejects.toMatchObject(missing)
    await expect(getQuota({ clientId: newClient(), name: 'x' })).rejects.toMatchObject(missing)
    const name = 'calls'
    expect(await invalidFields(() => getQuota({ name } as never))).toEqual([''])
    const both = { keyId: key.id, clientId: 'c', name } as never
    expect(await invalidFields(() => getQuota(both))).toEqual(['clientId'])
    const past = { keyId: key.id, name, amount: 0, expiresAt: new Date(0) }
    expect(await invalidFields(() => grantQuota(past))).toEqual(['amount', 'expiresAt'])
  })

  test('are bounded in number', async () => {
    const key = await withQuota(1)
    const grant = { keyId: key.id, name: 'calls', amount: 1 }
    for (let granted = 0; granted < 100; granted += 1) await grantQuota(grant)
    await expect(grantQuota(grant)).rejects.toMatchObject({ code: 'CONFLICT', status: 409 })
    expect(await passed(key, 200)).toBe(101)
    expect(await grantQuota(grant)).toMatchObject({ granted: 1, remaining: 1 })
  })
})
