import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useSetting } from '../support/setting.js'

const { createApiKey, flush, getQuota, verifyApiKey } = addon

const setting = useSetting()
const ASKED = 1_000_000

test('a million verifies under a quota of two millions cost fewer than a thousand statements', async () => {
  const quotas = [{ name: 'calls', amount: 2 * ASKED, period: 'month' as const }]
  const { id, key } = await createApiKey({ name: 'n', clientId: 'c', quotas })
  let passed = 0
  const { statements } = await setting.cost(async () => {
    for (let asked = 0; asked < ASKED; asked += 1) passed += Number((await verifyApiKey(key)).valid)
    await flush()
  })
  expect(passed).toBe(ASKED)
  expect(statements.length).toBeLessThan(1_000)
  const state = await getQuota({ keyId: id, name: 'calls' })
  expect(state).toMatchObject({ used: ASKED, remaining: ASKED, withheld: 0 })
}, 300_000)

test('a quota that is used up is asked about now and then, not by each verify', async () => {
  const quotas = [{ name: 'calls', amount: 1, period: 'month' as const }]
  const { key } = await createApiKey({ name: 'n', clientId: 'c', quotas })
  expect((await verifyApiKey(key)).valid).toBe(true)
  const { statements } = await setting.cost(async () => {
    for (let asked = 0; asked < 10_000; asked += 1)
      expect((await verifyApiKey(key)).code).toBe('QUOTA_EXCEEDED')
  })
  expect(statements.length).toBeLessThan(20)
})

test('a first verify takes one statement more', async () => {
  const quotas = [{ name: 'calls', amount: 100, period: 'month' as const }]
  const [cold] = await setting.coldKeys(1, { quotas })
  const { statements } = await setting.cost(() => verifyApiKey(cold!.key))
  expect(statements).toHaveLength(2)
})
