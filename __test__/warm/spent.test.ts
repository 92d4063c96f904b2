import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useSetting, type Issued } from '../support/setting.js'

const { flush, verifyApiKey } = addon

// The test alone flushes.
const setting = useSetting({ flushIntervalMs: 3_600_000 })

test('what other processes have spent is read in statements of 1,000 keys', async () => {
  const [PARTS, PART] = [24, 50]
  const limited = { rateLimit: 10, rateLimitWindowSeconds: 86_400 }
  const keys: Issued[] = []
  for (let part = 0; part < PARTS; part++) keys.push(...(await setting.coldKeys(PART, limited)))
  // One by one: so many at once would be refused.
  for (const { key } of keys) expect((await verifyApiKey(key)).valid).toBe(true)
  await flush()
  const spent = keys.filter((_, index) => index % PART === 0)
  // The other process uses all of them, since what a process is alone with is not read.
  await setting.peer.run(
    async ({ api }, keys, spent) => {
      for (const key of keys) await api.verifyApiKey(key)
      for (const key of spent) await api.verifyApiKey(key, { cost: 8 })
      await api.flush()
    },
    keys.map(({ key }) => key),
    spent.map(({ key }) => key),
  )
  const mark = setting.tap.statements.length
  await flush()
  const reads = setting.tap.statements
    .slice(mark)
    .filter((text) => /^\s*SELECT limit_id, epoch AS "generation", spent /.test(text))
  expect(reads).toHaveLength(2)
  for (const { key } of spent) {
    expect(await verifyApiKey(key)).toMatchObject({ code: 'RATE_LIMITED' })
  }
})
