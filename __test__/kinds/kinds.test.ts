import { describe, expect, test } from 'vitest'
import { addon, cheapHashing, untyped } from '../support/addon.js'
import { freshDatabase } from '../support/database.js'
import { forged } from '../support/forge.js'
import { useSetting } from '../support/setting.js'

// Kinds and environments: what a key says of itself, and what its kind fills in and allows.

const { close, configure, createApiKey, getApiKey, listApiKeys, patchApiKey, updateApiKey } = addon
const { verifyApiKey } = addon

const DAY = 86_400_000
const kinds = {
  secret: { prefix: 'sk' },
  publishable: {
    prefix: 'pk',
    allowedScopes: ['docs:*', 'search'],
    defaultScopes: ['search'],
    defaultRateLimit: 100,
    maxRateLimit: 500,
    defaultTtlDays: 30,
    maxTtlDays: 90,
  },
  capped: { prefix: 'ck', maxRateLimit: 10, maxTtlDays: 5 },
} as const
const environment = ['live', 'test'] as const
const setting = useSetting({ kinds, environment: [...environment] })

type Fields = Partial<Parameters<typeof createApiKey>[0]>
const create = (fields: Fields = {}): ReturnType<typeof createApiKey> =>
  createApiKey({ name: 'Key', clientId: 'acme', ...fields })
const refused = (path: string): object => ({
  code: 'INVALID_INPUT',
  issues: [{ path, message: expect.any(String) }],
})

describe('a key', () => {
  const classes = Object.entries(kinds).flatMap(([kind, { prefix }]) =>
    environment.map((environment) => ({ kind, environment, prefix })),
  )

  test.each(classes)('of the kind $kind, $environment', async ({ kind, environment, prefix }) => {
    const expires = kind === 'capped' ? { rateLimit: 5, expiresAt: new Date(Date.now() + DAY) } : {}
    const key = await create({ kind, environment, ...expires })
    expect(key).toMatchObject({ kind, environment })
    expect(key.key).toMatch(
      new RegExp(`^${prefix}_${environment}_[0-9A-Za-z]{12}_[0-9A-Za-z]{46}$`),
    )
    expect(await getApiKey(key.id)).toMatchObject({ kind, environment })
    const { keys } = await listApiKeys({ limit: 1 })
    expect(keys[0]).toMatchObject({ id: key.id, kind, environment })
    // Cold, and from memory.
    for (let round = 0; round < 2; round++)
      expect(await verifyApiKey(key.key)).toMatchObject({ valid: true, kind, environment })
    const update = { id: key.id, regenerateKey: true, gracePeriodSeconds: 60 }
    const rotated = await updateApiKey(update)
    expect(rotated).toMatchObject({ kind, environment })
    expect(rotated.key).toMatch(new RegExp(`^${prefix}_${environment}_`))
    for (const text of [key.key, rotated.key!])
      expect(await verifyApiKey(text)).toMatchObject({ valid: true, kind, environment })
  })

  test('is of the first kind and the first environment unless it says another', async () => {
    expect(await create()).toMatchObject({ kind: 'secret', environment: 'live' })
    expect(await create({ kind: null, environment: null })).toMatchObject({
      kind: 'secret',
      environment: 'live',
    })
  })

  test.each([
    ['kind', 'other'],
    ['kind', 'Secret'],
    ['kind', ''],
    ['kind', 1],
    ['kind', ['secret']],
    ['kind', '__proto__'],
    ['environment', 'prod'],
    ['environment', 'LIVE'],
    ['environment', ['live']],
  ])('with %s %j is refused', async (name, value) => {
    const input = { name: 'Key', clientId: 'acme', [name]: value }
    await expect(untyped.createApiKey!(input)).rejects.toMatchObject(refused(name))
  })

  test('cannot change either', async () => {
    const { id } = await create()
    for (const change of [patchApiKey, updateApiKey] as unknown as (typeof untyped.patchApiKey)[])
      for (const fields of [{ kind: 'publishable' }, { kind: 'secret' }, { environment: 'test' }])
        await expect(change!({ id, ...fields })).rejects.toMatchObject(
          refused(Object.keys(fields)[0]!),
        )
  })

  test('is another one to an idempotency key', async () => {
    const idempotencyKey = 'once'
    const key = await create({ idempotencyKey })
    expect(await create({ idempotencyKey })).toMatchObject({ id: key.id, key: key.key })
    const others: Fields[] = [{ kind: 'publishable' }, { environment: 'test' }]
    for (const other of others)
      await expect(create({ idempotencyKey, ...other })).rejects.toMatchObject({
        code: 'IDEMPOTENCY_KEY_REUSED',
      })
  })
})

describe('what is accepted', () => {
  const ask = async (
    fields: Fields,
    context: Parameters<typeof verifyApiKey>[1],
  ): Promise<Awaited<ReturnType<typeof verifyApiKey>>[]> => {
    const { key } = await create(fields)
    const cold = await verifyApiKey(key, context)
    await verifyApiKey(key)
    return [cold, await verifyApiKey(key, context)]
  }
  const publishable = { kind: 'publishable', environment: 'test' } as const

  test.each([
    [{ kinds: ['publishable'] }, 'VALID'],
    [{ kinds: ['secret', 'publishable'] }, 'VALID'],
    [{ kinds: ['secret'] }, 'WRONG_KIND'],
    [{ kinds: ['secret', 'capped'] }, 'WRONG_KIND'],
    [{ environments: ['test'] }, 'VALID'],
    [{ environments: ['live', 'test'] }, 'VALID'],
    [{ environments: ['test', 'test'] }, 'VALID'],
    [{ environments: ['live'] }, 'WRONG_ENVIRONMENT'],
    [{ kinds: ['publishable'], environments: ['live'] }, 'WRONG_ENVIRONMENT'],
    // The kind comes first.
    [{ kinds: ['secret'], environments: ['live'] }, 'WRONG_KIND'],
    [{ kinds: ['secret'], scopes: ['other'] }, 'WRONG_KIND'],
  ] as const)('%j: %s', async (context, code) => {
    for (const answer of await ask(publishable, context as object)) {
      expect(answer.code).toBe(code)
      if (answer.valid) continue
      expect(answer).toMatchObject({ status: 401 })
      expect(answer).not.toHaveProperty('keyId')
    }
  })

  test('a refusal for the kind or environment costs nothing, cold and warm', async () => {
    const [key] = await setting.coldKeys(1, publishable)
    const contexts = [{ kinds: ['secret'] }, { environments: ['live' as const] }]
    const refusing = async (): Promise<void> => {
      for (let round = 0; round < 50; round++)
        for (const context of contexts)
          expect((await verifyApiKey(key!.key, context)).code).toMatch(/^WRONG_/)
    }
    const nothing = { selects: 0, hashes: 0, statements: [] }
    expect(await setting.cost(refusing)).toEqual(nothing)
    expect(await verifyApiKey(key!.key)).toMatchObject({ valid: true })
    expect(await setting.cost(refusing)).toEqual(nothing)
    await addon.flush()
    expect(await getApiKey(key!.id)).toMatchObject({ usageCount: 1 })
  })

  test('nobody learns the kind of a forgery', async () => {
    const { key } = await create(publishable)
    for (let round = 0; round < 30; round++) {
      const answer = await verifyApiKey(forged(key), {
        kinds: ['secret'],
        ip: `198.51.100.${round}`,
      })
      expect(answer.code).toBe('INVALID_KEY')
    }
    // Another prefix, with the right checksum for it, is another key.
    expect(await verifyApiKey(key.replace('pk_', 'sk_'))).toMatchObject({ code: 'INVALID_KEY' })
  })

  test('a disabled key of the wrong kind is of the wrong kind', async () => {
    const { id, key } = await create(publishable)
    await patchApiKey({ id, isActive: false })
    for (let round = 0; round < 2; round++)
      expect(await verifyApiKey(key, { kinds: ['secret'] })).toMatchObject({ code: 'WRONG_KIND' })
    expect(await verifyApiKey(key)).toMatchObject({ code: 'DISABLED' })
  })

  test.each([
    { kinds: [] },
    { kinds: ['other'] },
    { kinds: ['secret', 'Secret'] },
    { kinds: ['secret,publishable'] },
    { kinds: [''] },
    { kinds: 'secret' },
    { kinds: [1] },
    { kinds: { 0: 'secret' } },
    { environments: [] },
    { environments: [null] },
    { environments: [undefined] },
    { environments: [''] },
    { environments: ['prod'] },
    { environments: ['live\n'] },
    { environments: 'live' },
    { environments: ['live', 'test', 'live'] },
  ])('%j is wrong', async (context) => {
    const { key } = await create()
    for (let round = 0; round < 2; round++) {
      await expect(untyped.verifyApiKey!(key, context)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
      })
      await verifyApiKey(key)
    }
  })

  test('a polluted prototype adds nothing', async () => {
    const { key } = await create(publishable)
    const base = Object.prototype as { kinds?: string[] }
    base.kinds = ['secret']
    try {
      expect(await verifyApiKey(key, {})).toMatchObject({ valid: true })
    } finally {
      delete base.kinds
    }
  })
})

describe('a kind', () => {
  const publishable = { kind: 'publishable' }

  test('fills in what a new key leaves out', async () => {
    const key = await create(publishable)
    expect(key).toMatchObject({ scopes: ['search'], rateLimit: 100 })
    expect((key.expiresAt!.getTime() - key.createdAt.getTime()) / DAY).toBeCloseTo(30, 2)
    const own = await create({ ...publishable, scopes: [], rateLimit: 500 })
    expect(own).toMatchObject({ scopes: [], rateLimit: 500 })
    expect(await create()).toMatchObject({ scopes: [], rateLimit: null, expiresAt: null })
  })

  const beyond = [
    ['scopes[1]', { scopes: ['docs:read', 'admin'] }],
    ['scopes[0]', { scopes: ['*'] }],
    ['scopes[0]', { scopes: ['search:*'] }],
    ['rateLimit', { rateLimit: 501 }],
    ['rateLimitWindowSeconds', { rateLimit: 500, rateLimitWindowSeconds: 59 }],
    ['expiresAt', { expiresAt: new Date(Date.now() + 91 * DAY) }],
  ] as const

  test.each(beyond)('refuses %s %j', async (path, fields) => {
    const input = { ...publishable, ...fields } as Fields
    await expect(create(input)).rejects.toMatchObject(refused(path))
    const { id } = await create(publishable)
    const change = { id, ...fields } as Parameters<typeof patchApiKey>[0]
    await expect(patchApiKey(change)).rejects.toMatchObject(refused(path))
    await expect(updateApiKey(change)).rejects.toMatchObject(refused(path))
    // Of another kind, it is nothing special.
    await expect(create(fields as Fields)).resolves.toBeDefined()
  })

  test.each([
    ['rateLimit', { rateLimit: null }],
    ['expiresAt', { expiresAt: null }],
  ] as const)('refuses that %s is null', async (path, fields) => {
    const { id } = await create(publishable)
    for (const change of [patchApiKey, updateApiKey])
      await expect(change({ id, ...fields })).rejects.toMatchObject(refused(path))
    // Without a default, it would be null.
    const expiresAt = new Date(Date.now() + DAY)
    const capped = { kind: 'capped', rateLimit: 5, expiresAt, ...fields }
    await expect(create(capped)).rejects.toMatchObject(refused(path))
  })

  test('permits what is within, and leaves alone what is not changed', async () => {
    const { id } = await create(publishable)
    const within = {
      scopes: ['docs:read', 'docs:*', 'search'],
      rateLimit: 500,
      rateLimitWindowSeconds: 60,
      expiresAt: new Date(Date.now() + 89 * DAY),
    }
    expect(await patchApiKey({ id, ...within })).toMatchObject(within)
    await setting.sql(
      `UPDATE "ApiKey" SET "rateLimit" = NULL, "expiresAt" = NULL WHERE "id" = $1`,
      [id],
    )
    expect(await patchApiKey({ id, name: 'Other' })).toMatchObject({ rateLimit: null })
  })

  test('bounds what another writer has stored', async () => {
    const { id, key } = await create(publishable)
    await setting.sql(`UPDATE "ApiKey" SET "scopes" = '{admin,docs:read,*}' WHERE "id" = $1`, [id])
    await setting.caughtUp()
    const answer = await verifyApiKey(key)
    expect(answer).toMatchObject({ valid: true, scopes: ['docs:*', 'search', 'docs:read'] })
    expect(await verifyApiKey(key, { scopes: ['admin'] })).toMatchObject({
      code: 'INSUFFICIENT_SCOPE',
    })
    expect((await getApiKey(id))?.scopes).toEqual(['admin', 'docs:read', '*'])
  })
})

describe('the configuration', () => {
  const bad: [unknown, RegExp][] = [
    [{}, /kinds .* must have 1 to 16 kinds/],
    [[], /kinds .* must be an object/],
    ['secret', /kinds .* must be an object/],
    [{ secret: {} }, /kinds\.secret\.prefix .* is required/],
    [{ secret: null }, /kinds\.secret .* must be an object/],
    [{ secret: { prefix: 's_k' } }, /kinds\.secret\.prefix .* must consist of/],
    [{ secret: { prefix: 'sk', other: 1 } }, /kinds\.secret\.other .* is not a known field/],
    [{ 'a,b': { prefix: 'sk' } }, /kinds .* must have names of 1 to 40/],
    [{ '': { prefix: 'sk' } }, /kinds .* must have names of 1 to 40/],
    [{ a: { prefix: 'sk' }, b: { prefix: 'sk' } }, /kinds .* a name and a prefix of their own/],
    [{ a: { prefix: 'sk', allowedScopes: ['a b'] } }, /kinds\.a\.allowedScopes\[0\]/],
    [{ a: { prefix: 'sk', allowedScopes: ['a'], defaultScopes: ['b'] } }, /within allowedScopes/],
    [{ a: { prefix: 'sk', maxRateLimit: 0 } }, /kinds\.a\.maxRateLimit/],
    [{ a: { prefix: 'sk', maxRateLimit: 1, defaultRateLimit: 2 } }, /at most maxRateLimit/],
    [{ a: { prefix: 'sk', maxTtlDays: 1, defaultTtlDays: 2 } }, /at most maxTtlDays/],
    [
      Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`k${at}`, { prefix: `p${at}` }])),
      /must have 1 to 16 kinds/,
    ],
  ]

  test.each(bad)('%j is refused', async (kinds, problem) => {
    await close()
    expect(() => untyped.configure!({ kinds })).toThrow(problem)
  })

  test.each([['prod'], [[]], [['live', 'prod']], [1]])(
    'environment: %j is refused',
    async (environment) => {
      await close()
      expect(() => untyped.configure!({ environment })).toThrow(
        /environment \(API_KEYS_ENVIRONMENT\)/,
      )
    },
  )

  test('keys from before there were kinds are of the first one', async () => {
    const own = await freshDatabase()
    const signingKeys = [Buffer.alloc(32, 7).toString('base64')]
    const start = async (options: object): Promise<void> => {
      await close()
      configure({ databaseUrl: own.url, signingKeys, ...cheapHashing, ...options })
    }
    try {
      await start({ environment: 'test' })
      const old = await create()
      expect(old).toMatchObject({ kind: 'secret', environment: 'test' })
      await start({ kinds: { main: { prefix: 'mk' } }, environment: ['live', 'test'] })
      expect(await verifyApiKey(old.key, { kinds: ['main'] })).toMatchObject({
        kind: 'main',
        environment: 'test',
      })
      const { key } = await updateApiKey({ id: old.id, regenerateKey: true })
      expect(key).toMatch(/^mk_test_/)
      // The environment of a key that this process does not accept stays, too.
      await start({ kinds: { main: { prefix: 'mk' } } })
      expect(await verifyApiKey(key!)).toMatchObject({ code: 'INVALID_KEY' })
      await expect(create({ environment: 'test' })).rejects.toMatchObject(refused('environment'))
      const again = await updateApiKey({ id: old.id, regenerateKey: true })
      expect(again).toMatchObject({ key: expect.stringMatching(/^mk_test_/), environment: 'test' })
    } finally {
      await close()
      await own.drop()
    }
  })
})
