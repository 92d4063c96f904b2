import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { forged } from '../support/forge.js'
import { useAddon } from '../support/use-addon.js'

// All attempts of a test are in one interval.
useAddon({ flushIntervalMs: 3_600_000, throttle: 0 })

test('a flood of made-up keys does not hide who uses a stolen key', async () => {
  const { id, key } = await addon.createApiKey({
    name: 'Stolen',
    clientId: 'acme',
    allowedIps: ['10.0.0.0/8'],
  })
  const flood = 8_000
  for (let n = 0; n < flood; n++) await addon.verifyApiKey(forged(key), { ip: '198.51.100.1' })
  for (const ip of ['192.0.2.1', '192.0.2.2'])
    expect((await addon.verifyApiKey(key, { ip })).code).toBe('IP_NOT_ALLOWED')
  await addon.flush()

  const { events: stolen } = await addon.listAuditEvents({ keyId: id, type: 'key.refused' })
  expect(stolen.map(({ ip, count }) => [ip, count]).sort()).toEqual([
    ['192.0.2.1', 1],
    ['192.0.2.2', 1],
  ])
  let counted = 0
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<typeof addon.listAuditEvents>> = await addon.listAuditEvents({
      type: 'key.refused',
      limit: 1_000,
      cursor,
    })
    counted += page.events.reduce((sum, { count }) => sum + count, 0)
    cursor = page.nextCursor
  } while (cursor)
  expect(counted).toBe(flood + stolen.length)
})
