import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, flush, getApiKey, verifyApiKey } = addon

useAddon()

const perDay = (rateLimit: number): object => ({ rateLimit, rateLimitWindowSeconds: 86_400 })

test('of a thousand concurrent verifies exactly the limit passes, and usage is exact', async () => {
  const { id, key } = await createApiKey({ name: 'Hot', clientId: 'c', ...perDay(100) })
  const answers = await Promise.all(Array.from({ length: 1_000 }, () => verifyApiKey(key)))
  const codes = answers.map((answer) => answer.code)
  expect(codes.filter((code) => code === 'VALID')).toHaveLength(100)
  expect(codes.filter((code) => code === 'RATE_LIMITED')).toHaveLength(900)
  await flush()
  expect((await getApiKey(id))!.usageCount).toBe(100)
})

test('concurrent costs never add up to more than the limit', async () => {
  const { key } = await createApiKey({ name: 'Costly', clientId: 'c', ...perDay(100) })
  const costs = Array.from({ length: 200 }, (_, index) => (index % 7) + 1)
  const answers = await Promise.all(costs.map((cost) => verifyApiKey(key, { cost })))
  const spent = costs.filter((_, index) => answers[index]!.valid).reduce((a, b) => a + b, 0)
  // The rest of the limit is less than the cheapest refused request.
  expect(spent).toBe(100)
})

test('many keys at once are counted apart', async () => {
  const keys = await Promise.all(
    Array.from({ length: 20 }, () => createApiKey({ name: 'One', clientId: 'c', ...perDay(10) })),
  )
  const asked = keys.flatMap((key) => Array.from({ length: 15 }, () => key))
  const answers = await Promise.all(asked.map(({ key }) => verifyApiKey(key)))
  const accepted = asked.filter((_, index) => answers[index]!.valid)
  for (const { id } of keys) expect(accepted.filter((key) => key.id === id)).toHaveLength(10)
  await flush()
  for (const { id } of keys) expect((await getApiKey(id))!.usageCount).toBe(10)
})
