import { Client } from 'pg'
import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { useSetting, type Issued, type NewKey } from '../support/setting.js'

const { createApiKey, flush, getQuota, health, patchApiKey, setClient, verifyApiKey } = addon
type Cost = NonNullable<NonNullable<Parameters<typeof verifyApiKey>[1]>['cost']>
type Quota = NonNullable<NewKey['quotas']>[number]

const setting = useSetting()

const quota = (name: string, amount: number): Quota => ({ name, amount, period: 'month' })
const create = (quotas: Quota[], clientId = 'c'): Promise<Issued> =>
  createApiKey({ name: 'Attacked', clientId, quotas })
const codeOf = async ({ key }: Issued, cost: Cost = 1): Promise<string> =>
  (await verifyApiKey(key, { cost })).code

/** How often a key passes in another process, until it does not. */
const passThere = ({ key }: Issued, cost: Cost): Promise<number> =>
  setting.peer.run(
    async ({ api }, key, cost) => {
      let passed = 0
      while ((await api.verifyApiKey(key, { cost })).valid) passed += 1
      return passed
    },
    key,
    cost,
  )

/** Another session that holds locks until it is asked to end. */
async function lockedBy(statement: string): Promise<() => Promise<void>> {
  const session = new Client({ connectionString: setting.database.url })
  await session.connect()
  await session.query('BEGIN')
  await session.query(statement)
  return () => session.end()
}

describe('no unit is spent twice', () => {
  test('that a refused request had leased for itself', async () => {
    await setClient({ clientId: 'zero', quotas: [quota('b', 0)] })
    for (let run = 0; run < 10; run += 1) {
      const key = await create([quota('calls', 1_000)], 'zero')
      expect(await codeOf(key, { calls: 1, b: 0 })).toBe('VALID')
      expect(await codeOf(key, { calls: 500, b: 1 })).toBe('QUOTA_EXCEEDED')
      const [code, there] = await Promise.all([
        codeOf(key, { calls: 499, b: 0 }),
        passThere(key, { calls: 1, b: 0 }),
      ])
      const here = 1 + (code === 'VALID' ? 499 : 0)
      await flush()
      const rest = await passThere(key, { calls: 1, b: 0 })
      expect(here + there + rest).toBeLessThanOrEqual(1_000)
      await setting.peer.run(({ api }) => api.flush())
      const { used } = await getQuota({ keyId: key.id, name: 'calls' })
      expect(used).toBe(here + there + rest)
    }
  })

  test('where the quota is taken away and set again', async () => {
    const key = await create([quota('calls', 500)])
    let passed = 0
    for (let again = 0; again < 4; again += 1) {
      for (let time = 0; time < 50; time += 1) passed += Number((await codeOf(key)) === 'VALID')
      await patchApiKey({ id: key.id, quotas: [] })
      expect(await codeOf(key)).toBe('VALID')
      await patchApiKey({ id: key.id, quotas: [quota('calls', 500)] })
    }
    expect(passed).toBe(200)
    expect(await passThere(key, 1)).toBeLessThanOrEqual(300)
    while ((await codeOf(key)) === 'VALID') passed += 1
    await flush()
    await setting.peer.run(({ api }) => api.flush())
    expect(await getQuota({ keyId: key.id, name: 'calls' })).toMatchObject({ used: 500 })
  })
})

test('two quotas, of which each has to be asked for, do not take turns without end', async () => {
  const key = await create([quota('a', 20), quota('c', 20), quota('b', 0)])
  expect(await codeOf(key, { a: 7, c: 0, b: 1 })).toBe('QUOTA_EXCEEDED')
  const { statements } = await setting.cost(async () => {
    expect(await codeOf(key, { a: 7, c: 7, b: 0 })).toBe('VALID')
    expect(await codeOf(key, { a: 7, c: 7, b: 1 })).toBe('QUOTA_EXCEEDED')
  })
  expect(statements.length).toBeLessThan(20)
})

describe('one quota stops no other', () => {
  test('that other sessions have locked', async () => {
    const locked = await Promise.all(Array.from({ length: 8 }, () => create([quota('calls', 9)])))
    for (const key of locked) expect(await codeOf(key)).toBe('VALID')
    await flush()
    const unlock = await lockedBy(
      `SELECT FROM sophra_api_keys.quota_balances WHERE quota_id LIKE 'key/%/calls' FOR UPDATE`,
    )
    const waiting = Promise.all(locked.map((key) => codeOf(key, 2)))
    const others = await Promise.all(Array.from({ length: 20 }, () => create([quota('q', 9)])))
    const codes = await Promise.all(others.map((key) => codeOf(key)))
    await unlock()
    expect(codes).toEqual(others.map(() => 'VALID'))
    // And these go on where they were.
    expect(await waiting).toEqual(locked.map(() => 'VALID'))
  })

  test('that another writer has spoilt', async () => {
    const [spoilt, other] = [await create([quota('calls', 9)]), await create([quota('calls', 9)])]
    for (const key of [spoilt, other]) expect(await codeOf(key)).toBe('VALID')
    for (const quotas of [
      '[{"name": "calls", "amount": "many", "period": "month"}]',
      '[{"name": "calls", "amount": 1e400, "period": "month"}]',
      '[{"name": "calls", "amount": 9, "period": "month", "timeZone": "Mars/Olympus"}]',
      '{"calls": 9}',
      '"calls"',
      '7',
    ]) {
      await setting.sql(`UPDATE "ApiKey" SET "quotas" = $2 WHERE "id" = $1`, [spoilt.id, quotas])
      await eventually(() =>
        expect(verifyApiKey(spoilt.key)).rejects.toMatchObject({ code: 'INTERNAL' }),
      )
      expect(await codeOf(other)).toBe('VALID')
      await flush()
      expect(await health()).toMatchObject({ status: 'ok' })
    }
    await patchApiKey({ id: spoilt.id, quotas: [quota('calls', 2)] })
    expect([await codeOf(spoilt), await codeOf(spoilt)]).toEqual(['VALID', 'QUOTA_EXCEEDED'])
  })
})

test('ids of any kind touch the quotas of nobody else', async () => {
  const ids = ['a', 'a/b', 'a/b/calls', "a'b", 'a"b', '%', '_', 'ä', '../a', 'key/a', 'client/a']
  for (const clientId of ids) await setClient({ clientId, quotas: [quota('calls', 2)] })
  for (const clientId of ids) {
    const key = await createApiKey({ name: 'n', clientId })
    const codes = [await codeOf(key), await codeOf(key), await codeOf(key)]
    expect([clientId, ...codes]).toEqual([clientId, 'VALID', 'VALID', 'QUOTA_EXCEEDED'])
  }
})
