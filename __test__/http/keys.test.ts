import { describe, expect, test } from 'vitest'
import { KEYS_ROUTE, useApp } from '../support/example-app.js'

describe(KEYS_ROUTE, () => {
  const app = useApp()

  const KEY_FIELDS = [
    'allowedIps',
    'clientId',
    'createdAt',
    'createdBy',
    'currentKeyFirstUsedAt',
    'description',
    'expiresAt',
    'id',
    'isActive',
    'lastUsedAt',
    'lastUsedIp',
    'limits',
    'maxIdleDays',
    'metadata',
    'name',
    'previousKeyExpiresAt',
    'previousKeyLastUsedAt',
    'quotas',
    'rateLimit',
    'rateLimitWindowSeconds',
    'revokedAt',
    'revokedBy',
    'revokedReason',
    'kind',
    'environment',
    'origins',
    'roles',
    'scopes',
    'start',
    'status',
    'suspendedUntil',
    'updatedAt',
    'usageCount',
  ].sort()
  const iso = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  const unknownId = '00000000-0000-4000-8000-000000000000'

  /** The entry of one key in the list. */
  async function shown(id: string): Promise<any> {
    const { status, body } = await app.keys('GET')
    expect(status).toBe(200)
    return body.find((key: { id: string }) => key.id === id)
  }

  const opens = async (key: string): Promise<boolean> =>
    (await app.request('/api/search', { headers: { 'x-api-key': key } })).status === 200

  describe('POST', () => {
    test('answers 201 with the key object and the key', async () => {
      const { status, body } = await app.keys('POST', { name: 'Search', clientId: 'acme' })
      expect(status).toBe(201)
      expect(Object.keys(body).sort()).toEqual([...KEY_FIELDS, 'key'].sort())
      expect(body).toMatchObject({
        name: 'Search',
        clientId: 'acme',
        description: null,
        isActive: true,
        expiresAt: null,
        createdAt: iso,
        updatedAt: iso,
        lastUsedAt: null,
        allowedIps: [],
        rateLimit: null,
        limits: [],
        quotas: [],
        usageCount: 0,
        scopes: [],
        metadata: null,
      })
      expect(body.key).toMatch(/^sophra_live_[0-9A-Za-z]{12}_[0-9A-Za-z]{46}$/)
      expect(body.key.startsWith(body.start)).toBe(true)
      expect(await opens(body.key)).toBe(true)
    })

    test('takes every field that may be set', async () => {
      const fields = {
        name: 'Søk 🔎',
        clientId: 'acme',
        description: 'two\nlines',
        expiresAt: '2099-01-02T03:04:05.678Z',
        allowedIps: ['10.0.0.0/8', '::1'],
        rateLimit: 100,
        rateLimitWindowSeconds: 3_600,
        limits: [{ name: 'tokens', limit: 5_000, windowSeconds: 86_400, suspends: true }],
        quotas: [{ name: 'tokens', amount: 9, period: 'week', timeZone: 'UTC', anchorDay: 7 }],
        scopes: ['docs:*'],
        metadata: { plan: 'free', nested: { list: [1, null] } },
      }
      const { status, body } = await app.keys('POST', fields)
      expect(status).toBe(201)
      expect(body).toMatchObject(fields)
      expect(await shown(body.id)).toMatchObject(fields)
    })

    test('ignores fields that it does not know', async () => {
      const ignored = {
        id: 'mine',
        key: 'mine',
        usageCount: 5,
        createdAt: 'never',
        suspendedUntil: '2099-01-01T00:00:00Z',
        regenerateKey: 'maybe',
        colour: 'red',
      }
      const body = await app.create(ignored)
      expect(body).toMatchObject({ usageCount: 0, createdAt: iso, suspendedUntil: null })
      expect(body.id).not.toBe('mine')
      expect(body.key).not.toBe('mine')
      expect(body).not.toHaveProperty('colour')
    })
  })

  describe('GET', () => {
    test('answers an array of key objects, newest first, without any key', async () => {
      const older = await app.create({ name: 'Older' })
      const newer = await app.create({ name: 'Newer' })
      const { status, body, headers } = await app.keys('GET')
      expect(status).toBe(200)
      expect(Array.isArray(body)).toBe(true)
      for (const key of body) expect(Object.keys(key).sort()).toEqual(KEY_FIELDS)
      const ids = body.map((key: { id: string }) => key.id)
      expect(ids.indexOf(newer.id)).toBeLessThan(ids.indexOf(older.id))
      expect(headers.get('link')).toBeNull()
    })

    test('filters by client, state and text', async () => {
      const one = await app.create({ clientId: 'filters', name: 'Alpha 100%' })
      const two = await app.create({ clientId: 'filters', name: 'Beta' })
      await app.keys('PATCH', { id: two.id, isActive: false })
      const ids = async (query: string) => {
        const { status, body } = await app.keys('GET', undefined, `?clientId=filters${query}`)
        expect(status).toBe(200)
        return body.map((key: { id: string }) => key.id)
      }
      expect(await ids('')).toEqual([two.id, one.id])
      expect(await ids('&isActive=true')).toEqual([one.id])
      expect(await ids('&isActive=false')).toEqual([two.id])
      expect(await ids('&search=00%25')).toEqual([one.id])
      expect(await ids('&search=no%20such')).toEqual([])
    })
  })

  describe('PUT', () => {
    test('changes the fields given and keeps the others', async () => {
      const { key, ...created } = await app.create({ description: 'old', rateLimit: 5 })
      const { status, body } = await app.keys('PUT', { id: created.id, description: 'new' })
      expect(status).toBe(200)
      expect(body).toEqual({ ...created, description: 'new', updatedAt: iso })
      expect(await shown(created.id)).toEqual(body)
      expect(await opens(key)).toBe(true)
    })

    test('takes back what GET showed, edited', async () => {
      const { id, key } = await app.create({
        expiresAt: '2099-01-02T03:04:05.678Z',
        allowedIps: [],
        metadata: { plan: 'free' },
      })
      expect(await opens(key)).toBe(true)
      const before = await shown(id)
      const { status, body } = await app.keys('PUT', { ...before, name: 'Edited', usageCount: 99 })
      expect(status).toBe(200)
      expect(body).not.toHaveProperty('key')
      const { updatedAt, usageCount, lastUsedAt, ...rest } = before
      expect(body).toMatchObject({ ...rest, name: 'Edited' })
      expect(body.usageCount).toBeLessThanOrEqual(1)
    })

    test('ignores suspendedUntil and previousKeyExpiresAt', async () => {
      const { id, key } = await app.create()
      const gracious = { id, regenerateKey: true, gracePeriodSeconds: 600 }
      const { body } = await app.keys('PUT', gracious)
      const untouched = await app.keys('PUT', {
        id,
        suspendedUntil: '2099-01-01T00:00:00Z',
        previousKeyExpiresAt: null,
      })
      expect(untouched.status).toBe(200)
      expect(untouched.body.suspendedUntil).toBeNull()
      expect(untouched.body.previousKeyExpiresAt).toBe(body.previousKeyExpiresAt)
      expect(await opens(key)).toBe(true)
    })

    test('answers a regenerated key, and the old one is refused', async () => {
      const { id, key } = await app.create()
      const { status, body } = await app.keys('PUT', { id, regenerateKey: true, name: 'Rotated' })
      expect(status).toBe(200)
      expect(Object.keys(body).sort()).toEqual([...KEY_FIELDS, 'key'].sort())
      expect(body).toMatchObject({ id, name: 'Rotated', previousKeyExpiresAt: null })
      expect(body.key).not.toBe(key)
      expect(await opens(body.key)).toBe(true)
      expect(await opens(key)).toBe(false)
    })

    test('keeps the old key for the grace period, which PATCH ends', async () => {
      const { id, key } = await app.create()
      const { body } = await app.keys('PUT', { id, regenerateKey: true, gracePeriodSeconds: 600 })
      const graceMs = Date.parse(body.previousKeyExpiresAt) - Date.now()
      expect(graceMs).toBeGreaterThan(500_000)
      expect(graceMs).toBeLessThanOrEqual(601_000)
      expect(await opens(body.key)).toBe(true)
      expect(await opens(key)).toBe(true)

      const ended = await app.keys('PATCH', { id, previousKeyExpiresAt: null })
      expect(ended).toMatchObject({ status: 200, body: { previousKeyExpiresAt: null } })
      expect(await opens(body.key)).toBe(true)
      expect(await opens(key)).toBe(false)
    })

    test('answers no key unless it was regenerated', async () => {
      const { id } = await app.create()
      for (const regenerateKey of [false, null]) {
        const { status, body } = await app.keys('PUT', { id, regenerateKey })
        expect(status).toBe(200)
        expect(Object.keys(body).sort()).toEqual(KEY_FIELDS)
      }
    })
  })

  describe('PATCH', () => {
    test('keeps what is absent and clears what is null', async () => {
      const { key, ...created } = await app.create({
        description: 'old',
        rateLimit: 5,
        metadata: { a: 1 },
        allowedIps: ['::1'],
        limits: [{ name: 'tokens', limit: 5_000, windowSeconds: 60 }],
      })
      const { status, body } = await app.keys('PATCH', {
        id: created.id,
        description: null,
        metadata: null,
        allowedIps: null,
        limits: null,
        name: 'New',
      })
      expect(status).toBe(200)
      expect(body).toEqual({
        ...created,
        name: 'New',
        description: null,
        metadata: null,
        allowedIps: [],
        limits: [],
        updatedAt: iso,
      })
      expect(await opens(key)).toBe(true)
    })

    test('takes back what GET showed', async () => {
      const { id } = await app.create()
      const before = await shown(id)
      const { status, body } = await app.keys('PATCH', { ...before, isActive: false })
      expect(status).toBe(200)
      expect(body).toEqual({ ...before, isActive: false, status: 'disabled', updatedAt: iso })
    })
  })

  describe('DELETE', () => {
    test('answers success once, then 404', async () => {
      const { id, key } = await app.create()
      const first = await app.keys('DELETE', undefined, `?id=${id}`)
      expect(first).toMatchObject({ status: 200, body: { success: true } })
      expect(Object.keys(first.body)).toEqual(['success'])
      expect(await opens(key)).toBe(false)
      expect(await shown(id)).toBeUndefined()
      const second = await app.keys('DELETE', undefined, `?id=${id}`)
      expect(second).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } })
    })
  })

  describe('an id', () => {
    const calls: [string, unknown?, string?][] = [
      ['PUT', { name: 'New' }],
      ['PUT', { id: null, name: 'New' }],
      ['PUT', { id: '', regenerateKey: true }],
      ['PATCH', { name: 'New' }],
      ['DELETE'],
      ['DELETE', undefined, '?id='],
    ]
    test.each(calls)('is required: %s %j %s', async (...call) => {
      const { status, body } = await app.keys(...call)
      expect(status).toBe(400)
      expect(body).toMatchObject({ error: 'API key ID is required', code: 'INVALID_INPUT' })
    })

    const unknown: [string, unknown?, string?][] = [
      ['PUT', { id: unknownId, name: 'New' }],
      ['PUT', { id: unknownId, regenerateKey: true }],
      ['PATCH', { id: 'no such id', isActive: false }],
      ['DELETE', undefined, `?id=${unknownId}`],
      ['DELETE', undefined, "?id=' OR true --"],
    ]
    test.each(unknown)('that is missing is 404: %s %j %s', async (...call) => {
      const { status, body } = await app.keys(...call)
      expect(status).toBe(404)
      expect(body).toEqual({ error: expect.stringMatching(/not found/i), code: 'NOT_FOUND' })
    })
  })
})
