import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, getApiKey, patchApiKey, updateApiKey, verifyApiKey } = addon

const database = useAddon()

const invalid = { valid: false, code: 'INVALID_KEY', status: 401, message: 'Invalid API key' }
const perDay = { rateLimit: 1_000, rateLimitWindowSeconds: 86_400 }
const create = (): ReturnType<typeof createApiKey> =>
  createApiKey({ name: 'Rotated', clientId: 'c', scopes: ['a'], ...perDay })

async function regenerate(id: string, gracePeriodSeconds?: number): Promise<string> {
  const answer = await updateApiKey({ id, regenerateKey: true, gracePeriodSeconds })
  expect(answer.id).toBe(id)
  return answer.key!
}

test('the new key is another, the rest of the row stays', async () => {
  const { key: first, ...before } = await create()
  const { key: second, ...after } = await updateApiKey({ id: before.id, regenerateKey: true })
  expect(second).toMatch(/^sophra_live_[0-9A-Za-z]{12}_[0-9A-Za-z]{46}$/)
  expect(second!.startsWith(`${after.start}_`)).toBe(true)
  expect(after.start).not.toBe(before.start)
  expect(after).toEqual({ ...before, start: after.start, updatedAt: after.updatedAt })
  expect(await verifyApiKey(second!)).toMatchObject({ valid: true, keyId: before.id })
  expect(await verifyApiKey(first)).toEqual(invalid)
  expect(await getApiKey(before.id)).toEqual({ ...after, ...usageOf(await getApiKey(before.id)) })
})

const usageOf = (key: Awaited<ReturnType<typeof getApiKey>>): object => ({
  usageCount: key!.usageCount,
  lastUsedAt: key!.lastUsedAt,
})

test('other fields may change in the same call', async () => {
  const { id } = await create()
  const answer = await updateApiKey({ id, regenerateKey: true, name: 'Both', rateLimit: null })
  expect(answer).toMatchObject({ id, name: 'Both', rateLimit: null, key: expect.any(String) })
  expect(await verifyApiKey(answer.key!)).toMatchObject({ name: 'Both', rateLimit: null })
})

test('in its grace period the old key stays valid, as the same key', async () => {
  const { id, key: old } = await create()
  const before = Date.now()
  const fresh = await regenerate(id, 600)
  const ends = (await getApiKey(id))!.previousKeyExpiresAt!
  expect(ends.getTime()).toBeGreaterThanOrEqual(before + 600_000 - 1)
  expect(ends.getTime()).toBeLessThanOrEqual(Date.now() + 600_000 + 1)
  for (const key of [old, fresh, old]) {
    expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id, scopes: ['a'] })
  }
})

test('both keys share one rate limit', async () => {
  const { id, key: old } = await create()
  const fresh = await regenerate(id, 600)
  await verifyApiKey(old, { cost: 400 })
  const { rateLimit } = await verifyApiKey(fresh, { cost: 500 })
  expect(rateLimit!.remaining).toBe(100)
})

test('the grace period ends by itself', async () => {
  const { id, key: old } = await create()
  const fresh = await regenerate(id, 1)
  const ends = (await getApiKey(id))!.previousKeyExpiresAt!.getTime()
  await eventually(async () => {
    const before = Date.now()
    const answer = await verifyApiKey(old)
    if (answer.valid) expect(before).toBeLessThan(ends)
    expect(answer).toEqual(invalid)
  })
  expect(Date.now()).toBeGreaterThanOrEqual(ends)
  expect((await verifyApiKey(fresh)).valid).toBe(true)
})

test('a second rotation replaces the previous key', async () => {
  const { id, key: first } = await create()
  const second = await regenerate(id, 600)
  const third = await regenerate(id, 600)
  expect(await verifyApiKey(first)).toEqual(invalid)
  for (const key of [second, third]) expect((await verifyApiKey(key)).valid).toBe(true)
})

test('a second rotation without grace refuses everything older', async () => {
  const { id, key: first } = await create()
  const second = await regenerate(id, 600)
  const third = await regenerate(id)
  for (const key of [first, second]) expect(await verifyApiKey(key)).toEqual(invalid)
  expect((await verifyApiKey(third)).valid).toBe(true)
  expect((await getApiKey(id))!.previousKeyExpiresAt).toBeNull()
})

test('previousKeyExpiresAt: null ends the grace period at once', async () => {
  const { id, key: old } = await create()
  const fresh = await regenerate(id, 600)
  expect((await verifyApiKey(old)).valid).toBe(true)
  expect((await patchApiKey({ id, previousKeyExpiresAt: null })).previousKeyExpiresAt).toBeNull()
  expect(await verifyApiKey(old)).toEqual(invalid)
  expect((await verifyApiKey(fresh)).valid).toBe(true)
})

test('a disabled or expired key stays so with both of its keys', async () => {
  const { id, key: old } = await create()
  const fresh = await regenerate(id, 600)
  await patchApiKey({ id, isActive: false })
  for (const key of [old, fresh]) {
    expect(await verifyApiKey(key)).toMatchObject({ code: 'DISABLED', keyId: id })
  }
})

test('the row holds no more than one old key, hashed', async () => {
  const { id, key } = await create()
  await regenerate(id, 600)
  const [row] = await database.sql(`SELECT * FROM "ApiKey" WHERE "id" = $1`, [id])
  expect(row!.previousKey).toMatch(/^\$argon2id\$v=19\$/)
  expect(row!.previousLookup).toBe(key.split('_')[2])
  await patchApiKey({ id, previousKeyExpiresAt: null })
  const [cleared] = await database.sql(`SELECT * FROM "ApiKey" WHERE "id" = $1`, [id])
  expect(cleared).toMatchObject({ previousKey: null, previousLookup: null })
})

test('concurrent rotations leave exactly one of their keys and one in grace', async () => {
  const { id } = await create()
  const keys = await Promise.all(Array.from({ length: 5 }, () => regenerate(id, 600)))
  expect(new Set(keys).size).toBe(5)
  const answers = await Promise.all(keys.map((key) => verifyApiKey(key)))
  expect(answers.filter((answer) => answer.valid)).toHaveLength(2)
})
