import { describe, expect, test } from 'vitest'
import { untyped } from '../support/addon.js'
import {
  alien,
  badAddresses,
  badScopes,
  heldScopes,
  type Case,
  chars,
  count,
  cyclic,
  date,
  entries,
  flag,
  fromNow,
  label,
  list,
  metadataOf,
  nested,
  sparse,
  text,
  throwingGetter,
  throws,
} from '../support/bad-values.js'
import { invalidFields } from '../support/faults.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey } = untyped

const database = useAddon()

const key = { name: 'n', clientId: 'c' }

describe.each<[string, Case[]]>([
  ['name', label],
  ['clientId', label],
  ['description', [...text, ['2,001 characters', chars(2_001)]]],
  ['isActive', flag],
  ['expiresAt', [...date, ['the past', fromNow(-61)], ['a past text', '2001-01-01T00:00:00Z']]],
  ['allowedIps', list],
  ['rateLimit', [...count, ['1,000,001', 1_000_001]]],
  ['rateLimitWindowSeconds', [...count, ['86,401', 86_401]]],
  ['scopes', heldScopes],
  [
    'metadata',
    [
      ...alien.filter(([what]) => what !== 'an object' && what !== 'a map'),
      ['text', '{}'],
      ['a number', 1],
      ['an array', []],
      ['more than 8 KiB', metadataOf(8_193)],
      ['more than 8 KiB with all digits', { list: Array<number>(27).fill(1e308) }],
      ['more than 8 KiB with all places', { list: Array<number>(28).fill(-1.5e-300) }],
    ],
  ],
])('createApiKey refuses as %s', (field, cases) => {
  test.each(cases)('%s', async (_what, value) => {
    expect(await invalidFields(() => createApiKey({ ...key, [field]: value }))).toEqual([field])
  })
})

describe('an entry of a list is named by its place', () => {
  test.each([...badAddresses, null, 1, {}, ['::1'], Symbol('s'), 1n, throws])(
    'allowedIps: %#',
    async (bad) => {
      const allowedIps = ['10.0.0.1', bad, '::1']
      expect(await invalidFields(() => createApiKey({ ...key, allowedIps }))).toEqual([
        'allowedIps[1]',
      ])
    },
  )

  test.each([...badScopes, null, 1, {}, [], Symbol('s')])('scopes: %#', async (bad) => {
    const scopes = ['docs:read', bad]
    expect(await invalidFields(() => createApiKey({ ...key, scopes }))).toEqual(['scopes[1]'])
  })

  test('a hole in a list is no entry', async () => {
    const ask = (): unknown => createApiKey({ ...key, allowedIps: sparse })
    expect(await invalidFields(ask)).toEqual(['allowedIps[1]'])
  })
})

describe('metadata is JSON', () => {
  test.each<[string, unknown, string]>([
    ['a bigint', { a: 1n }, 'metadata.a'],
    ['a function', { a: throws }, 'metadata.a'],
    ['a symbol', { a: Symbol('s') }, 'metadata.a'],
    ['NaN', { a: NaN }, 'metadata.a'],
    ['Infinity', { a: { b: [0, Infinity] } }, 'metadata.a.b[1]'],
    ['\\0', { a: { b: '\u0000' } }, 'metadata.a.b'],
    ['a lone surrogate', { a: ['\ud800'] }, 'metadata.a[0]'],
  ])('%s inside is refused by its place', async (_what, metadata, path) => {
    expect(await invalidFields(() => createApiKey({ ...key, metadata }))).toEqual([path])
  })

  test.each<Case>([
    ['a cycle', cyclic()],
    ['a thousand levels', nested(1_000)],
    ['megabytes', metadataOf(8_000_000)],
    ['a million entries', { a: entries(1_000_000, 1) }],
    ['a date', { a: new Date() }],
    ['a getter that throws', Object.defineProperty({}, 'a', { enumerable: true, get: throws })],
    ['\\0 in a name', { 'a\u0000': 1 }],
    ['a lone surrogate in a name', { '\ud800': 1 }],
  ])('%s is refused', async (_what, metadata) => {
    const [path, ...others] = await invalidFields(() => createApiKey({ ...key, metadata }))
    expect(path).toMatch(/^metadata/)
    expect(others).toEqual([])
  })

  test('an own __proto__ pollutes nothing', async () => {
    const metadata = JSON.parse('{"__proto__": {"polluted": true}}') as unknown
    await Promise.allSettled([createApiKey({ ...key, name: 'proto', metadata })])
    expect({}).not.toHaveProperty('polluted')
  })
})

describe('createApiKey', () => {
  test.each<[string, unknown, string[]]>([
    ['what is missing', {}, ['clientId', 'name']],
    ['what is undefined', { name: undefined, clientId: 'c' }, ['name']],
    ['an id', { ...key, id: 'mine' }, ['id']],
    ['what only an update knows', { ...key, regenerateKey: true }, ['regenerateKey']],
    ['what only a patch knows', { ...key, suspendedUntil: null }, ['suspendedUntil']],
    ['what the prototype holds', Object.create(key), ['clientId', 'name']],
    ['a date in its place', new Date(), ['']],
    [
      'every bad field at once',
      {
        name: '',
        clientId: 7,
        description: chars(2_001),
        isActive: 'yes',
        expiresAt: 'soon',
        allowedIps: ['10.0.0.1', 'here', '::1', 'there'],
        rateLimit: 0,
        rateLimitWindowSeconds: 1.5,
        scopes: ['a b'],
        metadata: [],
        usageCount: 1,
      },
      [
        ...['allowedIps[1]', 'allowedIps[3]', 'clientId', 'description', 'expiresAt', 'isActive'],
        ...['metadata', 'name', 'rateLimit', 'rateLimitWindowSeconds', 'scopes[0]', 'usageCount'],
      ],
    ],
  ])('names %s', async (_what, input, fields) => {
    expect(await invalidFields(() => createApiKey(input))).toEqual(fields)
  })

  test.each(['name', 'expiresAt', 'allowedIps', 'metadata', 'rateLimit'])(
    'survives a getter of %s that throws',
    async (field) => {
      const ask = (): unknown => createApiKey(throwingGetter(key, field))
      for (const path of await invalidFields(ask)) expect(['', field]).toContain(path)
    },
  )

  test('stores nothing of what it refused', async () => {
    expect(await database.sql(`SELECT 1 FROM "ApiKey" WHERE "name" = 'n' LIMIT 1`)).toEqual([])
  })
})
