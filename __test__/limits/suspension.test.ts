import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, flush, getApiKey, listAuditEvents, patchApiKey, verifyApiKey } = addon

useAddon({ suspensionSeconds: 1 })

const create = (): ReturnType<typeof createApiKey> =>
  createApiKey({ name: 'n', clientId: 'c', rateLimit: 2, rateLimitWindowSeconds: 86_400 })

/** Spends the whole limit and asks once more. */
async function exceed(key: string): ReturnType<typeof verifyApiKey> {
  await verifyApiKey(key, { cost: 2 })
  return verifyApiKey(key)
}

/** When the suspension ends, once the database knows it: the verify that causes it does not wait for that. */
const storedSuspension = (id: string): Promise<number> =>
  eventually(async () => {
    const until = (await getApiKey(id))!.suspendedUntil
    if (!until) throw new Error('The suspension is not stored')
    return until.getTime()
  })

test('a key that exceeds its limit is suspended: the first refusal has the wait, later ones the code', async () => {
  const { id, key } = await create()
  const before = Date.now()
  expect(await exceed(key)).toMatchObject({
    valid: false,
    code: 'RATE_LIMITED',
    status: 429,
    keyId: id,
    retryAfterMs: 1_000,
  })
  const suspended = await verifyApiKey(key)
  expect(suspended).toEqual({
    valid: false,
    code: 'SUSPENDED',
    status: 429,
    message: expect.stringMatching(/\S/),
    keyId: id,
    retryAfterMs: expect.any(Number),
  })
  if (suspended.valid) return
  expect(suspended.retryAfterMs).toBeGreaterThan(0)
  expect(suspended.retryAfterMs).toBeLessThanOrEqual(1_000)
  const until = await storedSuspension(id)
  expect(until).toBeGreaterThanOrEqual(before + 1_000)
  expect(until).toBeLessThanOrEqual(Date.now() + 1_000)
})

test('a suspension is kept in the audit log', async () => {
  const { id, key } = await create()
  await exceed(key)
  const until = await storedSuspension(id)
  await eventually(async () => {
    await flush()
    const { events } = await listAuditEvents({ keyId: id, type: 'key.suspended' })
    expect(events).toEqual([
      {
        id: expect.any(String),
        type: 'key.suspended',
        at: expect.any(Date),
        count: 1,
        keyId: id,
        name: 'n',
        clientId: 'c',
        suspendedUntil: new Date(until),
      },
    ])
  })
})

test('a suspension ends by itself', async () => {
  const { id, key } = await create()
  await exceed(key)
  const until = await storedSuspension(id)
  await eventually(async () => {
    expect(await verifyApiKey(key)).toMatchObject({ code: 'RATE_LIMITED' })
  })
  expect(Date.now()).toBeGreaterThanOrEqual(until)
})

test('suspendedUntil: null lifts it and forgives what was used', async () => {
  const { id, key } = await create()
  await exceed(key)
  expect((await patchApiKey({ id, suspendedUntil: null })).suspendedUntil).toBeNull()
  expect(await verifyApiKey(key)).toMatchObject({ valid: true, rateLimit: { remaining: 1 } })
})

test('a cost above the whole limit never suspends', async () => {
  const { id, key } = await create()
  expect(await verifyApiKey(key, { cost: 3 })).toMatchObject({ code: 'RATE_LIMITED' })
  expect((await getApiKey(id))!.suspendedUntil).toBeNull()
  expect((await verifyApiKey(key)).valid).toBe(true)
})

test('what was refused is no usage', async () => {
  const { id, key } = await create()
  await exceed(key)
  await verifyApiKey(key)
  await flush()
  expect((await getApiKey(id))!.usageCount).toBe(1)
})
