import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { faultOf } from '../support/faults.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, getApiKey, listApiKeys, updateApiKey, patchApiKey, deleteApiKey } = addon
const { flush, verifyApiKey } = addon

const database = useAddon()

const everything = {
  name: 'Search backend',
  clientId: 'client-7',
  description: 'Used by the search service',
  isActive: false,
  expiresAt: new Date('2094-01-02T03:04:05.678Z'),
  allowedIps: ['10.0.0.0/8', '2001:db8::1'],
  maxIdleDays: 90,
  rateLimit: 250,
  rateLimitWindowSeconds: 3600,
  limits: [{ name: 'tokens', limit: 1_000, windowSeconds: 60 }],
  quotas: [
    { name: 'tokens', amount: 50_000, period: 'month' as const, timeZone: 'UTC', anchorDay: 15 },
  ],
  scopes: ['docs:read', 'admin:*'],
  metadata: { plan: 'pro', seats: 3, nested: { list: [1, 'two', null, true] } },
}

const optional = {
  description: null,
  expiresAt: null,
  maxIdleDays: null,
  allowedIps: [],
  origins: null,
  rateLimit: null,
  rateLimitWindowSeconds: null,
  limits: [],
  quotas: [],
  scopes: [],
  roles: [],
  metadata: null,
}

const FIELD_NAMES = [
  ...['id', 'name', 'clientId', 'description', 'isActive', 'expiresAt', 'createdAt', 'updatedAt'],
  ...[
    'lastUsedAt',
    'allowedIps',
    'rateLimit',
    'usageCount',
    'start',
    'createdBy',
    'scopes',
    'roles',
    'metadata',
  ],
  ...['rateLimitWindowSeconds', 'limits', 'quotas', 'suspendedUntil', 'previousKeyExpiresAt'],
  ...['previousKeyLastUsedAt', 'currentKeyFirstUsedAt', 'lastUsedIp', 'maxIdleDays'],
  ...['kind', 'environment', 'origins', 'status', 'revokedAt', 'revokedBy', 'revokedReason'],
].sort()

/** The key as every function but create and regenerate answers it. */
function withoutPlaintext<T extends { key?: string }>(issued: T): Omit<T, 'key'> {
  const { key, ...rest } = issued
  expect(key).toMatch(/^sophra_live_[0-9A-Za-z]{12}_[0-9A-Za-z]{46}$/)
  return rest
}

describe('createApiKey', () => {
  test('fills in the defaults', async () => {
    const before = Date.now()
    const issued = await createApiKey({ name: 'Minimal', clientId: 'client-1' })
    const { id, start, createdAt, updatedAt, ...rest } = withoutPlaintext(issued)
    expect(rest).toEqual({
      ...optional,
      name: 'Minimal',
      clientId: 'client-1',
      kind: 'secret',
      environment: 'live',
      status: 'active',
      isActive: true,
      lastUsedAt: null,
      usageCount: 0,
      createdBy: null,
      suspendedUntil: null,
      previousKeyExpiresAt: null,
      previousKeyLastUsedAt: null,
      currentKeyFirstUsedAt: null,
      lastUsedIp: null,
      revokedAt: null,
      revokedBy: null,
      revokedReason: null,
    })
    expect(id).toMatch(/^\S{10,}$/)
    expect(issued.key.startsWith(`${start}_`)).toBe(true)
    expect(start).toMatch(/^sophra_live_[0-9A-Za-z]{12}$/)
    expect(createdAt).toBeInstanceOf(Date)
    expect(updatedAt).toEqual(createdAt)
    expect(createdAt.getTime()).toBeGreaterThanOrEqual(before - 1)
    expect(createdAt.getTime()).toBeLessThanOrEqual(Date.now() + 1)
  })

  test('keeps every settable field', async () => {
    const issued = await createApiKey(everything)
    expect(issued).toMatchObject(everything)
    expect(issued.expiresAt).toBeInstanceOf(Date)
    expect(await getApiKey(issued.id)).toEqual(withoutPlaintext(issued))
  })

  test('takes null for what is optional', async () => {
    const cleared = { ...optional, allowedIps: null, scopes: null, isActive: null }
    const issued = await createApiKey({ name: 'Nulls', clientId: 'c', ...cleared })
    expect(issued).toMatchObject({ ...optional, isActive: true })
  })

  test('does not touch its input', async () => {
    const input = Object.freeze({
      name: 'Frozen',
      clientId: 'c',
      allowedIps: Object.freeze(['::1']) as string[],
    })
    await createApiKey(input)
    expect(input).toEqual({ name: 'Frozen', clientId: 'c', allowedIps: ['::1'] })
  })

  test('makes a different key each time', async () => {
    const issued = await Promise.all(
      Array.from({ length: 20 }, () => createApiKey({ name: 'Same', clientId: 'same' })),
    )
    for (const field of ['id', 'key', 'start'] as const) {
      expect(new Set(issued.map((key) => key[field])).size).toBe(20)
    }
  })
})

describe('getApiKey', () => {
  test('answers null for an id that there is not', async () => {
    expect(await getApiKey('no-such-id')).toBeNull()
  })

  test('has exactly the documented fields', async () => {
    const { id } = await createApiKey({ name: 'Fields', clientId: 'c' })
    expect(Object.keys((await getApiKey(id))!).sort()).toEqual(FIELD_NAMES)
    const { keys } = await listApiKeys({ limit: 1 })
    expect(Object.keys(keys[0]!).sort()).toEqual(FIELD_NAMES)
  })
})

describe.each([
  ['updateApiKey', updateApiKey],
  ['patchApiKey', patchApiKey],
] as const)('%s', (_name, change) => {
  test('keeps what is absent', async () => {
    const before = await createApiKey(everything)
    const after = await change({ id: before.id, name: 'Renamed' })
    expect(after).toEqual({
      ...withoutPlaintext(before),
      name: 'Renamed',
      updatedAt: after.updatedAt,
    })
    expect(await getApiKey(before.id)).toEqual(after)
  })

  test('keeps what is undefined', async () => {
    const before = await createApiKey(everything)
    const after = await change({ id: before.id, name: undefined, expiresAt: undefined })
    expect(after).toMatchObject(everything)
  })

  test('clears what is null', async () => {
    const { id } = await createApiKey(everything)
    const after = await change({ id, ...optional, allowedIps: null, scopes: null })
    expect(after).toMatchObject({ ...optional, name: everything.name, isActive: false })
  })

  test.each(Object.entries({ ...everything, name: 'Other', isActive: true }))(
    'changes %s alone',
    async (field, value) => {
      const before = await createApiKey({ name: 'Plain', clientId: 'c', isActive: false })
      const after = await change({ id: before.id, [field]: value })
      expect(after).toEqual({
        ...withoutPlaintext(before),
        [field]: value,
        status: field === 'isActive' ? 'active' : 'disabled',
        updatedAt: after.updatedAt,
      })
    },
  )

  test('moves updatedAt and leaves createdAt alone', async () => {
    const { id, createdAt, updatedAt } = await createApiKey({ name: 'Times', clientId: 'c' })
    await database.sql(
      `UPDATE "ApiKey" SET "updatedAt" = "updatedAt" - interval '1 hour' WHERE "id" = $1`,
      [id],
    )
    const after = await change({ id, description: 'moved' })
    expect(after.createdAt).toEqual(createdAt)
    expect(after.updatedAt.getTime()).toBeGreaterThanOrEqual(updatedAt.getTime())
    expect(after.updatedAt.getTime()).toBeLessThanOrEqual(Date.now() + 1)
  })

  test('never answers a plaintext when the key stays', async () => {
    const { id, key } = await createApiKey({ name: 'Quiet', clientId: 'c' })
    const after = await change({ id, name: 'Still quiet' })
    expect(after).not.toHaveProperty('key')
    expect((await verifyApiKey(key)).valid).toBe(true)
  })

  test('takes any instant for expiresAt: the past expires the key now', async () => {
    const { id, key } = await createApiKey({ name: 'Past', clientId: 'c' })
    const past = new Date('2001-01-01T00:00:00.000Z')
    expect((await change({ id, expiresAt: past })).expiresAt).toEqual(past)
    expect(await verifyApiKey(key)).toMatchObject({ valid: false, code: 'EXPIRED', status: 401 })
  })

  test('rejects an id that there is not', async () => {
    expect(await faultOf(() => change({ id: 'no-such-id', name: 'x' }))).toMatchObject({
      code: 'NOT_FOUND',
      status: 404,
    })
  })

  test('does nothing but succeed when nothing is to be changed', async () => {
    const before = await createApiKey(everything)
    const after = await change({ id: before.id })
    expect(after).toEqual({ ...withoutPlaintext(before), updatedAt: after.updatedAt })
  })
})

describe('updateApiKey', () => {
  test('answers the plaintext of a regenerated key, and only then', async () => {
    const { id } = await createApiKey({ name: 'Rotated', clientId: 'c' })
    expect((await updateApiKey({ id, regenerateKey: true })).key).toMatch(/^sophra_live_/)
    expect(await updateApiKey({ id, regenerateKey: false })).not.toHaveProperty('key')
  })
})

describe('deleteApiKey', () => {
  test('removes the key: it no longer verifies', async () => {
    const { id, key } = await createApiKey({ name: 'Doomed', clientId: 'c' })
    expect((await verifyApiKey(key)).valid).toBe(true)
    expect(await deleteApiKey(id)).toBeUndefined()
    expect(await getApiKey(id)).toBeNull()
    expect(await verifyApiKey(key)).toMatchObject({ valid: false, code: 'INVALID_KEY' })
  })

  test('rejects an id that there is not, the second time too', async () => {
    const { id } = await createApiKey({ name: 'Once', clientId: 'c' })
    await deleteApiKey(id)
    for (const missing of [id, 'no-such-id']) {
      expect(await faultOf(() => deleteApiKey(missing))).toMatchObject({
        code: 'NOT_FOUND',
        status: 404,
      })
    }
  })
})

test('a number at its bounds and every kind of JSON survive the way to the database and back', async () => {
  const metadata = {
    zero: 0,
    negative: -1.5,
    large: Number.MAX_SAFE_INTEGER,
    text: 'ünïcödé 🔑 \t \n "quoted" \\',
    empty: {},
    list: [[], [1, [2]]],
    off: false,
    none: null,
    // Names and texts of our own dates are nothing special in here.
    createdAt: '2094-01-01T00:00:00.000Z',
    expiresAt: { lastUsedAt: 5 },
  }
  const { id } = await createApiKey({
    name: '🔑',
    clientId: 'ключ',
    rateLimit: 1_000_000,
    metadata,
  })
  expect(await getApiKey(id)).toMatchObject({ name: '🔑', clientId: 'ключ', metadata })
})

test('numbers of metadata come back as they were, whatever their size', async () => {
  const numbers = [Number.MAX_VALUE, -Number.MAX_VALUE, Number.MIN_VALUE, 123456789.12345679, 1 / 3]
  // Their digits are what tells whether the last bit survives.
  for (let power = -300; power <= 300; power += 3) numbers.push(1.2345678901234567 * 10 ** power)
  // As many numbers a row as fit when they are written out.
  const rows = Array.from({ length: numbers.length / 20 + 1 }, (_, row) => ({
    numbers: numbers.slice(20 * row, 20 * (row + 1)),
  }))
  const made = rows.map(async (metadata) => {
    const { id } = await createApiKey({ name: 'Numbers', clientId: 'numbers', metadata })
    expect((await getApiKey(id))!.metadata).toEqual(metadata)
  })
  await Promise.all(made)
  const { keys } = await listApiKeys({ clientId: 'numbers' })
  expect(keys.map(({ metadata }) => metadata)).toEqual(expect.arrayContaining(rows))
})

describe('unreadable metadata that another writer has stored', () => {
  const deep = `{"a": ${'['.repeat(200)}${']'.repeat(200)}}`

  test.each([
    ['a number beyond a double', '{"n": 1e400}'],
    ['a depth beyond all use', deep],
  ])('%s: is null, harms no other row, and stays until it is changed', async (_, text) => {
    const { id, key } = await createApiKey({ name: 'Odd', clientId: text.slice(0, 20) })
    await createApiKey({ name: 'Even', clientId: text.slice(0, 20), metadata: { a: 1 } })
    const stored = async (): Promise<unknown> => {
      const [row] = await database.sql(
        'SELECT "metadata" = $2::jsonb AS same FROM "ApiKey" WHERE "id" = $1',
        [id, text],
      )
      return row!.same
    }
    await database.sql('UPDATE "ApiKey" SET "metadata" = $2 WHERE "id" = $1', [id, text])
    const expectNull = async (): Promise<void> => {
      expect(await getApiKey(id)).toMatchObject({ id, metadata: null })
      const { keys } = await listApiKeys({ clientId: text.slice(0, 20) })
      expect(keys.map(({ metadata }) => metadata)).toEqual([{ a: 1 }, null])
      await eventually(async () =>
        expect(await verifyApiKey(key)).toMatchObject({ valid: true, metadata: null }),
      )
    }
    await expectNull()
    expect(await patchApiKey({ id, description: 'Kept' })).toMatchObject({ metadata: null })
    expect(await updateApiKey({ id, rateLimit: 1_000 })).toMatchObject({ metadata: null })
    expect(await stored()).toBe(true)
    await expectNull()
    const metadata = { n: 1 }
    expect(await patchApiKey({ id, metadata })).toMatchObject({ metadata })
    expect(await getApiKey(id)).toMatchObject({ metadata, description: 'Kept', rateLimit: 1_000 })
    expect(await verifyApiKey(key)).toMatchObject({ valid: true, metadata })
    await database.sql('UPDATE "ApiKey" SET "metadata" = $2 WHERE "id" = $1', [id, text])
    await patchApiKey({ id, metadata: null })
    expect(await stored()).toBe(null)
    await flush()
    const changes = await database.sql(
      `SELECT count(*)::int AS told FROM sophra_api_keys.audit
       WHERE key_id = $1 AND event -> 'changes' ? 'metadata'`,
      [id],
    )
    expect(changes).toEqual([{ told: 2 }])
  })
})

test('dates are stored as UTC without a zone, as Prisma reads them', async () => {
  const expiresAt = new Date('2050-06-01T12:00:00.123Z')
  const { id } = await createApiKey({ name: 'Summer', clientId: 'c', expiresAt })
  const [row] = await database.sql(`SELECT "expiresAt"::text AS at FROM "ApiKey" WHERE "id" = $1`, [
    id,
  ])
  expect(row!.at).toBe('2050-06-01 12:00:00.123')
})
