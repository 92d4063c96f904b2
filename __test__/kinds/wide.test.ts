import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useSetting } from '../support/setting.js'

const allowedScopes = Array.from({ length: 1_000 }, (_, i) => `a:*:${i}:x:*`)
useSetting({ kinds: { wide: { prefix: 'wk', allowedScopes } } })

test('a key of many wildcards, within a kind of many, does not stop the event loop', async () => {
  const roles = Array.from({ length: 20 }, (_, i) => `role-${i}`)
  for (const name of roles)
    await addon.setRole({
      name,
      scopes: Array.from({ length: 1_000 }, (_, i) => `a:${name}:*:x:${i}`),
    })
  const { key } = await addon.createApiKey({ name: 'Key', clientId: 'acme', scopes: [], roles })
  await addon.verifyApiKey(key)
  const before = performance.eventLoopUtilization()
  const verified = await addon.verifyApiKey(key, { scopes: ['a:role-7:999:x:5'] })
  // If each were compared with each, it would take ten seconds.
  expect(performance.eventLoopUtilization(before).active).toBeLessThan(3_000)
  expect(verified.code).toBe('VALID')
  if (verified.valid) expect(verified.scopes).toHaveLength(2_000)
  expect(await addon.verifyApiKey(key, { scopes: ['a:role-7:1000:x:5'] })).toMatchObject({
    code: 'INSUFFICIENT_SCOPE',
  })
})
