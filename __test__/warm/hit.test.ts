import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { forgedKeys } from '../support/scenarios/forged.js'
import { useSetting } from '../support/setting.js'

const { flush, getApiKey, verifyApiKey } = addon

const setting = useSetting()

/** All that a verify may have to check. */
const guarded = {
  rateLimit: 1_000_000,
  allowedIps: ['10.0.0.0/8', '2001:db8::/32'],
  scopes: ['docs:*', 'search'],
  metadata: { plan: 'pro' },
  expiresAt: new Date(Date.now() + 3_600_000),
}
const context = { ip: '10.1.2.3', scopes: ['docs:read'], path: '/docs' }

test.each([
  ['with everything on', guarded, context],
  ['with nothing on', {}, undefined],
])('a warm key %s costs no statement and no hash', async (_what, fields, context) => {
  const [warm] = await setting.coldKeys(1, fields)
  expect((await verifyApiKey(warm!.key, context)).valid).toBe(true)
  const start = performance.now()
  const cost = await setting.cost(async () => {
    for (let time = 0; time < 100_000; time++) {
      const answer = await verifyApiKey(warm!.key, context)
      if (!answer.valid) throw new Error(answer.code)
    }
  })
  console.log(`a warm verify: ${((performance.now() - start) / 100).toFixed(2)} µs`)
  expect(cost).toEqual({ selects: 0, hashes: 0, statements: [] })
  await flush()
  expect((await getApiKey(warm!.id))!.usageCount).toBe(100_001)
})

test('a refusal of a warm key costs no statement and no hash', async () => {
  const [warm] = await setting.coldKeys(1, { ...guarded, rateLimit: 1 })
  await verifyApiKey(warm!.key, context)
  const asked = [
    { context: { ip: '11.0.0.1' }, code: 'IP_NOT_ALLOWED' },
    { context: {}, code: 'IP_NOT_ALLOWED' },
    { context: { ip: '2001:db8::1', scopes: ['docs'] }, code: 'INSUFFICIENT_SCOPE' },
    { context, code: 'RATE_LIMITED' },
    { context: { ...context, cost: 2 }, code: 'RATE_LIMITED' },
  ]
  const cost = await setting.cost(async () => {
    for (let time = 0; time < 2_000; time++) {
      const { context, code } = asked[time % asked.length]!
      expect((await verifyApiKey(warm!.key, context)).code).toBe(code)
    }
  })
  expect(cost).toEqual({ selects: 0, hashes: 0, statements: [] })
})

test('forged keys cost no statement and no hash, and leave what is warm', async () => {
  await forgedKeys(setting, 20_000)
})
