import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, flush, getApiKey, patchApiKey, updateApiKey, verifyApiKey } = addon
type NewKey = Parameters<typeof createApiKey>[0]
type Issued = Awaited<ReturnType<typeof createApiKey>>

const database = useAddon()

const create = (fields: Partial<NewKey> = {}): Promise<Issued> =>
  createApiKey({ name: 'Verified', clientId: 'client-v', ...fields })

const invalid = { valid: false, code: 'INVALID_KEY', status: 401, message: 'Invalid API key' }

/** `text` with another character of the alphabet at `place`. */
const typo = (text: string, place: number): string =>
  text.slice(0, place) + (text[place] === 'x' ? 'y' : 'x') + text.slice(place + 1)

describe('an accepted key', () => {
  test('returns the client of the key', async () => {
    const expiresAt = new Date(Date.now() + 60_000)
    const metadata = { plan: 'pro', tags: ['a'] }
    const { id, key } = await create({ scopes: ['docs:read'], metadata, expiresAt })
    expect(await verifyApiKey(key)).toEqual({
      valid: true,
      code: 'VALID',
      keyId: id,
      name: 'Verified',
      clientId: 'client-v',
      kind: 'secret',
      environment: 'live',
      scopes: ['docs:read'],
      metadata,
      expiresAt,
      client: null,
      rateLimit: null,
      limits: [],
      charge: null,
    })
  })

  test('answers empty values as such', async () => {
    const { key } = await create()
    expect(await verifyApiKey(key, {})).toMatchObject({
      scopes: [],
      metadata: null,
      expiresAt: null,
      rateLimit: null,
    })
  })

  test('takes null and undefined for every part of the context', async () => {
    const { key } = await create()
    for (const nothing of [null, undefined]) {
      const context = { ip: nothing, scopes: nothing, cost: nothing, path: nothing }
      expect((await verifyApiKey(key, context)).valid).toBe(true)
      expect((await verifyApiKey(key, nothing)).valid).toBe(true)
    }
  })

  test('answers what is stored now, not what was when it was first seen', async () => {
    const { id, key } = await create()
    await verifyApiKey(key)
    await patchApiKey({ id, name: 'Renamed', scopes: ['new'] })
    expect(await verifyApiKey(key)).toMatchObject({ name: 'Renamed', scopes: ['new'] })
  })
})

describe('a key that is none', () => {
  test('is refused alike, whether its id is unknown or its secret wrong', async () => {
    // Both texts pass every check of the format, since both were issued: one has lost its row, the
    // other is in a row whose secret is another's.
    const [gone, kept, other] = await Promise.all([create(), create(), create()])
    await addon.deleteApiKey(gone.id)
    await database.sql(
      `WITH moved AS (DELETE FROM "ApiKey" WHERE "id" = $1 RETURNING "key")
       UPDATE "ApiKey" SET "key" = moved."key" FROM moved WHERE "id" = $2`,
      [other.id, kept.id],
    )
    const unknown = await verifyApiKey(gone.key)
    expect(unknown).toEqual(invalid)
    expect(await verifyApiKey(kept.key)).toEqual(unknown)
  })

  test('is refused for a typo at any place', async () => {
    const { key } = await create()
    for (let place = 0; place < key.length; place++) {
      expect(await verifyApiKey(typo(key, place)), `at ${place}`).toEqual(invalid)
    }
  })

  test('is refused cut short, longer, padded, in other case, and doubled', async () => {
    const { key } = await create()
    const changed = [
      ...[key.slice(0, -1), key.slice(1), `${key}0`, `x${key}`, `${key}\u00a0`, key + key],
      ...[key.toUpperCase(), key.toLowerCase(), `${key}\u0000`, `Bearer ${key}`, key.trim() + '='],
    ]
    for (const text of changed) expect(await verifyApiKey(text)).toEqual(invalid)
  })

  test('is refused when it is of the test environment', async () => {
    const { key } = await create()
    expect(await verifyApiKey(key.replace('_live_', '_test_'))).toEqual(invalid)
  })

  test('is refused when it is something stored', async () => {
    const { id, key } = await create()
    await verifyApiKey(key)
    await updateApiKey({ id, regenerateKey: true, gracePeriodSeconds: 600 })
    const [row] = await database.sql(`SELECT * FROM "ApiKey" WHERE "id" = $1`, [id])
    const stored = Object.values(row!).filter((value) => typeof value === 'string')
    expect(stored.length).toBeGreaterThan(5)
    for (const value of stored) expect(await verifyApiKey(value)).toEqual(invalid)
    expect(await verifyApiKey(`sha256:${row!.lookup}`)).toEqual(invalid)
  })
})

describe('a known key', () => {
  test('is refused while it is disabled', async () => {
    const { id, key } = await create({ isActive: false })
    expect(await verifyApiKey(key)).toEqual({ ...invalid, code: 'DISABLED', keyId: id })
    await patchApiKey({ id, isActive: true })
    expect((await verifyApiKey(key)).valid).toBe(true)
    await patchApiKey({ id, isActive: false })
    expect(await verifyApiKey(key)).toMatchObject({ code: 'DISABLED' })
  })

  test('expires at the very instant', async () => {
    const expiresAt = new Date(Date.now() + 400)
    const { id, key } = await create({ expiresAt })
    let accepted = 0
    const refusal = await eventually(async () => {
      const before = Date.now()
      const answer = await verifyApiKey(key)
      if (answer.valid) {
        accepted++
        expect(before).toBeLessThan(expiresAt.getTime())
        throw new Error('still valid')
      }
      expect(Date.now()).toBeGreaterThanOrEqual(expiresAt.getTime())
      return answer
    })
    expect(accepted).toBeGreaterThan(0)
    expect(refusal).toEqual({ ...invalid, code: 'EXPIRED', keyId: id })
  })

  test('lives on when its expiry is moved', async () => {
    const { id, key } = await create()
    await patchApiKey({ id, expiresAt: new Date(Date.now() - 1) })
    expect(await verifyApiKey(key)).toMatchObject({ code: 'EXPIRED' })
    await patchApiKey({ id, expiresAt: null })
    expect((await verifyApiKey(key)).valid).toBe(true)
  })
})

describe('an allow-list', () => {
  test.each<[string[], string | undefined, boolean]>([
    [['10.0.0.1'], '10.0.0.1', true],
    [['10.0.0.1'], '10.0.0.2', false],
    [['10.0.0.0/8'], '10.255.255.255', true],
    [['10.0.0.0/8'], '11.0.0.0', false],
    [['10.1.2.3/8'], '10.200.0.1', true],
    [['192.168.0.0/23'], '192.168.1.255', true],
    [['192.168.0.0/23'], '192.168.2.0', false],
    [['0.0.0.0/0'], '203.0.113.9', true],
    [['0.0.0.0/0'], '2001:db8::1', false],
    [['::/0'], '2001:db8::1', true],
    [['2001:db8::/32'], '2001:db8:ffff::1', true],
    [['2001:db8::/32'], '2001:db9::', false],
    [['2001:DB8:0:0:0:0:0:1'], '2001:db8::1', true],
    [['::1'], '::1', true],
    [['::1'], '127.0.0.1', false],
    [['10.0.0.1'], '::ffff:10.0.0.1', true],
    [['10.0.0.1'], '::ffff:a00:1', true],
    [['::ffff:10.0.0.1'], '10.0.0.1', true],
    [['::ffff:10.0.0.0/104'], '10.9.9.9', true],
    [['::ffff:10.0.0.0/104'], '11.0.0.0', false],
    [['10.0.0.1', '2001:db8::1'], '2001:db8::1', true],
    [['10.0.0.1'], undefined, false],
    [['0.0.0.0/0', '::/0'], undefined, false],
    [['0.0.0.0/0', '::/0'], '', false],
    [['0.0.0.0/0', '::/0'], 'unknown', false],
    [['0.0.0.0/0', '::/0'], '10.0.0.1:80', true],
    [['0.0.0.0/0', '::/0'], '10.0.0.1, 10.0.0.2', false],
    [['0.0.0.0/0', '::/0'], ' 10.0.0.1', true],
    [['0.0.0.0/0', '::/0'], '010.0.0.1', false],
    [['0.0.0.0/0', '::/0'], '\u0000', false],
    [['0.0.0.0/0', '::/0'], '\ud800', false],
    [[], undefined, true],
    [[], 'unreadable', true],
  ])('%j and the address %j: %s', async (allowedIps, ip, allowed) => {
    const { id, key } = await create({ allowedIps })
    const answer = await verifyApiKey(key, { ip })
    if (allowed) return expect(answer.valid).toBe(true)
    expect(answer).toEqual({
      valid: false,
      code: 'IP_NOT_ALLOWED',
      status: 403,
      message: expect.stringMatching(/\S/),
      keyId: id,
    })
  })

  test('and an address of a megabyte: false', async () => {
    const { key } = await create({ allowedIps: ['0.0.0.0/0', '::/0'] })
    const ip = '1'.repeat(1_000_000)
    expect(await verifyApiKey(key, { ip })).toMatchObject({ code: 'IP_NOT_ALLOWED' })
  })

  test('that cannot be read refuses everyone', async () => {
    const { id, key } = await create()
    await database.sql(`UPDATE "ApiKey" SET "allowedIps" = '{10.0.0.1,nonsense}' WHERE "id" = $1`, [
      id,
    ])
    await eventually(async () => {
      for (const ip of ['10.0.0.1', '::1', undefined]) {
        expect(await verifyApiKey(key, { ip })).toMatchObject({ code: 'IP_NOT_ALLOWED' })
      }
    })
  })
})

describe('scopes', () => {
  test.each<[string[], string[], boolean]>([
    [[], [], true],
    [['a'], [], true],
    [['a'], ['a'], true],
    [['a', 'b'], ['b', 'a'], true],
    [['a'], ['a', 'b'], false],
    [[], ['a'], false],
    [['docs:read'], ['docs:write'], false],
    [['docs:read'], ['DOCS:READ'], false],
    [['docs:*'], ['docs:read'], true],
    [['docs:*'], ['docs:read:deep'], true],
    [['docs:*'], ['docs'], false],
    [['docs:*'], ['docsextra:read'], false],
    [['docs:*'], ['other:read'], false],
    [['docs:read:*'], ['docs:write:all'], false],
    [['docs*'], ['docs:read'], false],
    [['*'], ['anything', 'docs:read'], true],
    [['docs:read'], ['docs:*'], false],
    [['docs:read'], ['*'], false],
  ])('held %j, required %j: %s', async (held, required, covered) => {
    const { id, key } = await create({ scopes: held })
    const answer = await verifyApiKey(key, { scopes: required })
    if (covered) return expect(answer.valid).toBe(true)
    expect(answer).toEqual({
      valid: false,
      code: 'INSUFFICIENT_SCOPE',
      status: 403,
      message: expect.stringMatching(/\S/),
      // The last one, of each of these.
      missingScopes: required.slice(-1),
      keyId: id,
    })
  })
})

describe('a rate limit', () => {
  const perDay = { rateLimit: 3, rateLimitWindowSeconds: 86_400 }
  const day = 86_400_000

  test('counts down and then refuses', async () => {
    const { id, key } = await create(perDay)
    for (const remaining of [2, 1, 0]) {
      const answer = await verifyApiKey(key)
      expect(answer).toMatchObject({ valid: true, rateLimit: { limit: 3, remaining } })
      const { resetMs } = answer.rateLimit!
      const full = ((3 - remaining) * day) / 3
      expect(resetMs).toBeGreaterThan(full - 60_000)
      expect(resetMs).toBeLessThanOrEqual(full)
    }
    const refused = await verifyApiKey(key)
    expect(refused).toEqual({
      valid: false,
      code: 'RATE_LIMITED',
      status: 429,
      message: expect.stringMatching(/\S/),
      keyId: id,
      retryAfterMs: expect.any(Number),
      rateLimit: {
        limit: 3,
        remaining: 0,
        resetMs: expect.any(Number),
        windowSeconds: day / 1_000,
      },
      limits: [
        { level: 'key', name: 'default', limit: 3, remaining: 0, resetMs: expect.any(Number) },
      ],
      limitedBy: { level: 'key', name: 'default' },
    })
    if (refused.valid) return
    expect(refused.retryAfterMs).toBeGreaterThan(day / 3 - 60_000)
    expect(refused.retryAfterMs).toBeLessThanOrEqual(day / 3)
  })

  test('takes a cost', async () => {
    const { key } = await create({ rateLimit: 10, rateLimitWindowSeconds: 86_400 })
    const ask = (cost: number): ReturnType<typeof verifyApiKey> => verifyApiKey(key, { cost })
    expect(await ask(7)).toMatchObject({ valid: true, rateLimit: { remaining: 3 } })
    expect(await ask(4)).toMatchObject({ code: 'RATE_LIMITED', rateLimit: { remaining: 3 } })
    expect(await ask(3)).toMatchObject({ valid: true, rateLimit: { remaining: 0 } })
  })

  test('below the cost never passes, and waiting would not help', async () => {
    const { key } = await create(perDay)
    const answer = await verifyApiKey(key, { cost: 4 })
    expect(answer).toMatchObject({ code: 'RATE_LIMITED', status: 429, rateLimit: { remaining: 3 } })
    expect(answer).not.toHaveProperty('retryAfterMs')
    expect(await verifyApiKey(key)).toMatchObject({ valid: true, rateLimit: { remaining: 2 } })
  })

  test('is per key', async () => {
    const keys = await Promise.all([create(perDay), create(perDay)])
    for (const { key } of keys) {
      expect(await verifyApiKey(key, { cost: 3 })).toMatchObject({ rateLimit: { remaining: 0 } })
    }
  })

  test('has the configured window unless the key has its own', async () => {
    const own = await create({ rateLimit: 1, rateLimitWindowSeconds: 10 })
    const configured = await create({ rateLimit: 1 })
    for (const [{ key }, window] of [
      [own, 10_000],
      [configured, 60_000],
    ] as const) {
      const { rateLimit } = await verifyApiKey(key)
      expect(rateLimit!.resetMs).toBeGreaterThan(window - 5_000)
      expect(rateLimit!.resetMs).toBeLessThanOrEqual(window)
    }
  })

  test('is full again after its window', async () => {
    const { key } = await create({ rateLimit: 2, rateLimitWindowSeconds: 1 })
    const spent = Date.now()
    await verifyApiKey(key, { cost: 2 })
    expect(await verifyApiKey(key)).toMatchObject({ code: 'RATE_LIMITED' })
    await eventually(async () => expect((await verifyApiKey(key, { cost: 2 })).valid).toBe(true))
    expect(Date.now() - spent).toBeGreaterThanOrEqual(990)
  })

  test('is consumed only by requests that pass the other checks', async () => {
    const { id, key } = await create({ ...perDay, allowedIps: ['10.0.0.1'], scopes: ['a'] })
    await verifyApiKey(key, { ip: '10.0.0.2' })
    await verifyApiKey(key, { ip: '10.0.0.1', scopes: ['b'] })
    await patchApiKey({ id, isActive: false })
    await verifyApiKey(key, { ip: '10.0.0.1' })
    await patchApiKey({ id, isActive: true })
    expect(await verifyApiKey(key, { ip: '10.0.0.1', scopes: ['a'] })).toMatchObject({
      valid: true,
      rateLimit: { remaining: 2 },
    })
  })

  test('may be raised, lowered and lifted without forgetting what was used', async () => {
    const { id, key } = await create({ rateLimit: 10, rateLimitWindowSeconds: 86_400 })
    await verifyApiKey(key, { cost: 6 })
    await patchApiKey({ id, rateLimit: 20 })
    expect(await verifyApiKey(key)).toMatchObject({ rateLimit: { limit: 20, remaining: 13 } })
    await patchApiKey({ id, rateLimit: 5 })
    expect(await verifyApiKey(key)).toMatchObject({ code: 'RATE_LIMITED', rateLimit: { limit: 5 } })
    await patchApiKey({ id, rateLimit: null })
    expect(await verifyApiKey(key)).toMatchObject({ valid: true, rateLimit: null })
  })
})

describe('usage', () => {
  test('moves with accepted verifies only, and by requests rather than cost', async () => {
    const { id, key, updatedAt } = await create({ scopes: ['a'], rateLimit: 100 })
    const before = Date.now()
    for (const cost of [1, 5, 10]) await verifyApiKey(key, { cost })
    await flush()
    const used = (await getApiKey(id))!
    expect(used.usageCount).toBe(3)
    expect(used.lastUsedAt!.getTime()).toBeGreaterThanOrEqual(before - 1)
    expect(used.lastUsedAt!.getTime()).toBeLessThanOrEqual(Date.now() + 1)
    expect(used.updatedAt).toEqual(updatedAt)

    await verifyApiKey(key, { scopes: ['b'] })
    await verifyApiKey(key, { cost: 1_000 })
    await verifyApiKey(typo(key, key.length - 1))
    await flush()
    expect(await getApiKey(id)).toEqual(used)
  })

  test('reaches the database by itself', async () => {
    const { id, key } = await create()
    await verifyApiKey(key)
    await eventually(async () => expect((await getApiKey(id))!.usageCount).toBe(1))
  })

  test('of a deleted key disturbs no other key', async () => {
    const [gone, kept] = await Promise.all([create(), create()])
    await Promise.all([verifyApiKey(gone.key), verifyApiKey(kept.key)])
    await addon.deleteApiKey(gone.id)
    await flush()
    expect((await getApiKey(kept.id))!.usageCount).toBe(1)
  })
})
