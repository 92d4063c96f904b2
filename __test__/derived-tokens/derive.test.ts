import { describe, expect, test } from 'vitest'
import { addon, untyped } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { claimsOf } from '../support/jwt.js'
import { useAddon } from '../support/use-addon.js'
import { derived, headerOf, jwks, jwksRoutes, jwtSecret, revokedKeys } from './support.js'

const { createApiKey, deriveToken, flush, getApiKey, verifyApiKey } = addon

const database = useAddon({ jwtSecret })

const create = (fields: Partial<Parameters<typeof createApiKey>[0]> = {}) =>
  createApiKey({ name: 'Key', clientId: 'acme', scopes: ['docs:*', 'search'], ...fields })

const invalid = (path: string) =>
  expect.objectContaining({
    code: 'INVALID_INPUT',
    issues: expect.arrayContaining([expect.objectContaining({ path })]),
  })

test('a token has the header and the claims that are documented, and lives for 300 seconds', async () => {
  const { id, key } = await create()
  const before = Math.floor(Date.now() / 1000)
  const answer = await deriveToken(key)
  if (!('token' in answer)) throw new Error(answer.code)
  expect(Object.keys(answer)).toEqual(['token', 'expiresAt'])
  const { keys } = await jwks()
  expect(headerOf(answer.token)).toEqual({ alg: 'EdDSA', kid: keys[0]!.kid })
  const claims = claimsOf(answer.token)
  expect(claims).toEqual({
    sub: id,
    client_id: 'acme',
    scope: 'docs:* search',
    iat: expect.any(Number),
    exp: (claims.iat as number) + 300,
    jti: expect.stringMatching(/^[\da-f-]{36}$/),
  })
  expect(claims.iat).toBeGreaterThanOrEqual(before)
  expect(answer.expiresAt.getTime()).toBe((claims.exp as number) * 1000)
  expect(claimsOf(await derived(key)).jti).not.toBe(claims.jti)
})

test('the JWKS has nothing but kty, crv, x, kid, alg and use, and is public for a while', async () => {
  const response = await jwksRoutes().GET(new Request('http://localhost/'))
  expect(response.status).toBe(200)
  expect(response.headers.get('cache-control')).toBe('public, max-age=60')
  const { keys } = (await response.json()) as { keys: object[] }
  expect(keys.length).toBeGreaterThan(0)
  for (const key of keys) {
    expect(key).toEqual({
      kty: 'OKP',
      crv: 'Ed25519',
      x: expect.stringMatching(/^[\w-]{43}$/),
      kid: expect.stringMatching(/^[\da-f-]{36}$/),
      alg: 'EdDSA',
      use: 'sig',
    })
  }
  expect(() => (jwksRoutes as (options: object) => void)({ authorize: () => {} })).toThrow(
    TypeError,
  )
})

describe('a token in place of its key', () => {
  test('is answered as its key is, with its claims and its end', async () => {
    const { id, key } = await create({ metadata: { plan: 'pro' } })
    const { token, expiresAt } = (await deriveToken(key, { claims: { tenant: 7 } })) as {
      token: string
      expiresAt: Date
    }
    const answers = [
      await verifyApiKey(token),
      await verifyApiKey(token),
      await verifyApiKey(token),
    ]
    const ofKey = await verifyApiKey(key)
    for (const answer of answers) {
      expect(answer).toEqual({ ...ofKey, expiresAt, claims: claimsOf(token) })
      expect(answer).toMatchObject({ keyId: id, scopes: ['docs:*', 'search'] })
    }
    expect(claimsOf(token)).toMatchObject({ tenant: 7 })
  })

  test('has the scopes that both hold', async () => {
    const { id, key } = await create({ scopes: ['docs:*', 'search', 'mail:send'] })
    const token = await derived(key, { scopes: ['docs:read', 'docs:write', 'mail:send'] })
    expect(await verifyApiKey(token, { scopes: ['docs:read'] })).toMatchObject({ valid: true })
    expect(await verifyApiKey(token, { scopes: ['docs:delete', 'search'] })).toMatchObject({
      code: 'INSUFFICIENT_SCOPE',
      missingScopes: ['docs:delete', 'search'],
      keyId: id,
    })
    await addon.patchApiKey({ id, scopes: ['docs:read', 'search'] })
    expect(await verifyApiKey(token)).toMatchObject({ scopes: ['docs:read'] })
    await addon.patchApiKey({ id, scopes: ['docs:read:own', '*'] })
    expect(await verifyApiKey(token)).toMatchObject({
      scopes: ['docs:read', 'docs:write', 'mail:send'],
    })
    const wide = await derived(key)
    await addon.patchApiKey({ id, scopes: ['docs:read'] })
    expect(await verifyApiKey(wide)).toMatchObject({ scopes: ['docs:read'] })
  })

  test('is refused with its key: revoked, disabled, of a disabled client, from elsewhere, and works again after it', async () => {
    const { id, key } = await create({ clientId: 'of-tokens', allowedIps: ['10.0.0.0/8'] })
    const ip = '10.1.1.1'
    const verified = await verifyApiKey(key, { ip })
    if (!verified.valid) throw new Error(verified.code)
    const token = await derived(verified)
    const code = async (): Promise<string> => (await verifyApiKey(token, { ip })).code
    expect(await code()).toBe('VALID')
    expect((await verifyApiKey(token)).code).toBe('IP_NOT_ALLOWED')
    await addon.revokeApiKey({ id })
    expect(await verifyApiKey(token, { ip })).toMatchObject({ code: 'REVOKED', keyId: id })
    await addon.restoreApiKey(id)
    expect(await code()).toBe('VALID')
    await addon.patchApiKey({ id, isActive: false })
    expect(await code()).toBe('DISABLED')
    await addon.patchApiKey({ id, isActive: true })
    await addon.setClient({ clientId: 'of-tokens', isActive: false })
    expect(await code()).toBe('CLIENT_DISABLED')
    await addon.setClient({ clientId: 'of-tokens', isActive: true })
    expect(await code()).toBe('VALID')
    await addon.patchApiKey({ id, expiresAt: new Date(Date.now() - 1000) })
    expect(await code()).toBe('EXPIRED')
    await addon.deleteApiKey(id)
    expect(await code()).toBe('INVALID_KEY')
  })

  test('is charged to the limits and quotas of its key, and counted for it', async () => {
    const { id, key } = await create({
      rateLimit: 5,
      quotas: [{ name: 'tokens', amount: 100, period: 'total' }],
    })
    const token = await derived(key)
    for (let i = 0; i < 2; i++) expect((await verifyApiKey(token)).code).toBe('VALID')
    const answer = await verifyApiKey(key, { cost: { tokens: 90 } })
    expect(answer).toMatchObject({ valid: true, rateLimit: { limit: 5, remaining: 1 } })
    expect(await verifyApiKey(token, { cost: { tokens: 8 } })).toMatchObject({
      code: 'QUOTA_EXCEEDED',
      limitedBy: { level: 'key', name: 'tokens' },
    })
    expect((await verifyApiKey(token)).code).toBe('VALID')
    expect(await verifyApiKey(token)).toMatchObject({ code: 'RATE_LIMITED', keyId: id })
    expect((await verifyApiKey(key)).code).toBe('RATE_LIMITED')
    await flush()
    // One to derive it, three with the token, one with the key.
    expect((await getApiKey(id))!.usageCount).toBe(5)
  })

  test('can be settled', async () => {
    const { key } = await create({ rateLimit: 1000 })
    const token = await derived(key)
    const answer = await verifyApiKey(token, { cost: 500 })
    if (!answer.valid) throw new Error(answer.code)
    expect(await addon.settle(answer.charge!, 1)).toBe(true)
    expect(await verifyApiKey(key, { peek: true })).toMatchObject({
      rateLimit: { remaining: expect.toSatisfy((left: number) => left >= 998) },
    })
  })

  test('says nothing about which key of a rotated row was used', async () => {
    const { id, key } = await create()
    const token = await derived(key)
    await addon.updateApiKey({ id, regenerateKey: true })
    expect((await verifyApiKey(token)).code).toBe('VALID')
    await flush()
    expect(await getApiKey(id)).toMatchObject({ usageCount: 2, currentKeyFirstUsedAt: null })
  })

  test('is of a legacy row too', async () => {
    const legacy = 'a-key-of-the-old-app-0123456789'
    await database.sql(
      `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "updatedAt") VALUES ('old', $1, 'acme', 'Old', now())`,
      [legacy],
    )
    const token = await eventually(() => derived(legacy))
    expect(await verifyApiKey(token)).toMatchObject({ valid: true, keyId: 'old' })
  })
})

test('no token outlives its key, nor the grace period of a replaced one', async () => {
  const end = new Date(Date.now() + 30_500)
  const { key } = await create({ expiresAt: end })
  const limit = Math.floor(end.getTime() / 1000)
  expect(claimsOf(await derived(key, { ttlSeconds: 86_400 })).exp).toBe(limit)
  const verified = await verifyApiKey(key)
  expect(claimsOf(await derived(verified as never)).exp).toBe(limit)

  const rotated = await create()
  await addon.updateApiKey({ id: rotated.id, regenerateKey: true, gracePeriodSeconds: 60 })
  const grace = (await getApiKey(rotated.id))!.previousKeyExpiresAt!.getTime()
  const within = async (from: unknown): Promise<void> => {
    const { exp } = claimsOf(await derived(from as never, { ttlSeconds: 3_600 }))
    expect((exp as number) * 1000).toBeLessThanOrEqual(grace)
  }
  await within(rotated.key)
  await within(await verifyApiKey(rotated.key))
  await within(await verifyApiKey(rotated.key))
})

test('a token ends when it says so', async () => {
  const { id, key } = await create()
  const token = await derived(key, { ttlSeconds: 1 })
  await eventually(async () =>
    expect(await verifyApiKey(token)).toMatchObject({ code: 'EXPIRED', keyId: id }),
  )
  expect(Date.now()).toBeGreaterThanOrEqual((claimsOf(token).exp as number) * 1000)
})

describe('the options', () => {
  test.each([
    ['ttlSeconds', { ttlSeconds: 0 }],
    ['ttlSeconds', { ttlSeconds: 86_401 }],
    ['ttlSeconds', { ttlSeconds: 1.5 }],
    ['ttlSeconds', { ttlSeconds: '60' }],
    ['scopes[1]', { scopes: ['docs:read', 'billing'] }],
    ['scopes[0]', { scopes: ['*'] }],
    ['scopes[0]', { scopes: ['a b'] }],
    ['scopes', { scopes: 'docs:read' }],
    ['audience', { audience: '' }],
    ['audience', { audience: 'a\n' }],
    ['audience', { audience: ['a'] }],
    ['claims', { claims: [] }],
    ['claims.fn', { claims: { fn: () => {} } }],
    ...['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'client_id', 'scope'].map(
      (name): [string, object] => [`claims.${name}`, { claims: { [name]: 'x' } }],
    ),
    ['ttl', { ttl: 60 }],
    ['kid', { kid: 'x' }],
  ])('with a wrong %s are INVALID_INPUT', async (path, options) => {
    const { key } = await create()
    await expect(untyped.deriveToken!(key, options)).rejects.toEqual(invalid(path))
    await expect(untyped.deriveToken!(await verifyApiKey(key), options)).rejects.toEqual(
      invalid(path),
    )
  })

  test('bound the life of a token: 1 to 86,400 seconds', async () => {
    const { key } = await create()
    for (const ttlSeconds of [1, 86_400]) {
      const { iat, exp } = claimsOf(await derived(key, { ttlSeconds }))
      expect((exp as number) - (iat as number)).toBe(ttlSeconds)
    }
  })

  test('that make a token too large are INVALID_INPUT', async () => {
    const { key } = await create()
    const claims = { text: 'x'.repeat(7_500) }
    await expect(deriveToken(key, { claims })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('8,192'),
    })
  })

  test('may leave a token no scopes', async () => {
    const { key } = await create()
    expect(await verifyApiKey(await derived(key, { scopes: [] }))).toMatchObject({ scopes: [] })
  })
})

describe('the audience', () => {
  test('of a token is the one that it must be verified for, warm and cold', async () => {
    const { key } = await create()
    const token = await derived(key, { audience: 'billing' })
    for (let i = 0; i < 3; i++) {
      expect((await verifyApiKey(token, { audience: 'billing' })).code).toBe('VALID')
      expect((await verifyApiKey(token)).code).toBe('INVALID_KEY')
      expect((await verifyApiKey(token, { audience: 'Billing' })).code).toBe('INVALID_KEY')
      expect((await verifyApiKey(token, { audience: 'x', tag: 't' })).code).toBe('INVALID_KEY')
      const all = { audience: 'billing', tag: 't', scopes: ['docs:read'] }
      expect((await verifyApiKey(token, all)).code).toBe('VALID')
    }
    const anyone = await derived(key)
    expect((await verifyApiKey(anyone)).code).toBe('VALID')
    expect((await verifyApiKey(anyone, { audience: 'billing' })).code).toBe('INVALID_KEY')
  })

  test('does not concern keys, and is checked like all input', async () => {
    const { key } = await create()
    for (let i = 0; i < 2; i++)
      expect((await verifyApiKey(key, { audience: 'billing' })).code).toBe('VALID')
    for (const audience of ['', 'a\nb', 'x'.repeat(256), 7, {}, '\ud800'])
      await expect(untyped.verifyApiKey!(key, { audience })).rejects.toEqual(invalid('audience'))
    // No scope is taken for an audience.
    await expect(verifyApiKey(key, { scopes: ['!billing', 'search'] })).rejects.toEqual(
      invalid('scopes[0]'),
    )
  })
})

describe('what a token is derived from', () => {
  test('may be refused, and then the refusal is the answer', async () => {
    const { id, key } = await create()
    const verified = await verifyApiKey(key)
    await addon.revokeApiKey({ id })
    expect(await deriveToken(key)).toMatchObject({ valid: false, code: 'REVOKED', keyId: id })
    expect(await deriveToken(verified as never)).toMatchObject({
      valid: false,
      code: 'REVOKED',
      status: 401,
      keyId: id,
    })
    expect(await deriveToken('sophra_live_nothing')).toMatchObject({ code: 'INVALID_KEY' })
    expect(await untyped.deriveToken!(null)).toMatchObject({ code: 'MISSING_KEY' })
    const limited = await create({ rateLimit: 1 })
    await derived(limited.key)
    expect(await deriveToken(limited.key)).toMatchObject({ code: 'RATE_LIMITED' })
    await addon.deleteApiKey(id)
    expect(await deriveToken(verified as never)).toMatchObject({ code: 'INVALID_KEY' })
  })

  test('is no token, nor a verification of one', async () => {
    const { key } = await create()
    const token = await derived(key)
    await expect(deriveToken(token)).rejects.toEqual(invalid('key'))
    for (let i = 0; i < 3; i++) {
      const verified = await verifyApiKey(token)
      expect(verified.valid).toBe(true)
      await expect(untyped.deriveToken!(verified)).rejects.toEqual(invalid('key'))
    }
  })

  test('is no verification of a key that was replaced since, unless this one was', async () => {
    for (const gracePeriodSeconds of [0, 3_600]) {
      const { id, key } = await create()
      const verified = await verifyApiKey(key)
      const { key: next } = await addon.updateApiKey({
        id,
        regenerateKey: true,
        gracePeriodSeconds,
      })
      expect(await deriveToken(verified as never)).toMatchObject({ code: 'INVALID_KEY' })
      expect(await derived((await verifyApiKey(next!)) as never)).toEqual(expect.any(String))
      if (gracePeriodSeconds > 0)
        expect(await derived((await verifyApiKey(key)) as never)).toEqual(expect.any(String))
    }
  })

  test('is a verification of this process only', async () => {
    const [one, other] = [await create(), await create()]
    for (let i = 0; i < 3; i++) {
      const verified = await verifyApiKey(one.key)
      if (!verified.valid) throw new Error(verified.code)
      expect(claimsOf(await derived(verified)).sub).toBe(one.id)
      const made: unknown[] = [
        structuredClone(verified),
        JSON.parse(JSON.stringify(verified)),
        { ...verified, scopes: [...verified.scopes] },
        { ...verified, keyId: other.id },
        { ...verified, clientId: 'someone else' },
        { ...verified, valid: false },
        { scopes: verified.scopes },
        { valid: true, code: 'VALID', keyId: one.id, clientId: 'acme', scopes: ['docs:*'] },
        Object.create(verified),
        {
          ...verified,
          get keyId() {
            return one.id
          },
        },
        new Proxy(verified, {
          getOwnPropertyDescriptor: () => {
            throw new Error('secret')
          },
        }),
        {},
        [],
        [verified],
        7,
        true,
      ]
      for (const value of made) {
        const refused = await untyped.deriveToken!(value).catch((error: unknown) => error)
        // An empty list is no key, as Node.js reads headers.
        if (Array.isArray(value) && value.length === 0)
          expect(refused).toMatchObject({ code: 'MISSING_KEY' })
        else expect(refused).toEqual(invalid('key'))
      }
    }
  })
})

test('the list of revoked keys has only those with living tokens, within 2 seconds', async () => {
  const keys = await Promise.all(Array.from({ length: 7 }, () => create({ clientId: 'gone' })))
  const [revoked, deleted, disabled, short, good, never, expired] = keys.map(({ id }) => id) as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ]
  for (const { id, key } of keys)
    if (id !== never) await derived(key, { ttlSeconds: id === short ? 1 : 300 })
  const listed = async (): Promise<string[]> =>
    (await revokedKeys()).filter((id) => keys.some((key) => key.id === id)).sort()
  expect(await listed()).toEqual([])
  for (const id of [revoked, short, never]) await addon.revokeApiKey({ id })
  await addon.deleteApiKey(deleted)
  await addon.patchApiKey({ id: disabled, isActive: false })
  await addon.patchApiKey({ id: expired, expiresAt: new Date(Date.now() - 1) })
  const gone = [revoked, deleted, disabled, expired]
  await eventually(async () => expect(await listed()).toEqual(expect.arrayContaining(gone)), 2_000)
  // The clocks of others may differ by a few seconds.
  await eventually(async () => expect(await listed()).toEqual(gone.sort()), 15_000)
  await addon.restoreApiKey(revoked)
  await eventually(async () => expect(await listed()).not.toContain(revoked), 2_000)
  await addon.setClient({ clientId: 'gone', isActive: false })
  await eventually(async () => expect(await listed()).toContain(good), 2_000)
})
