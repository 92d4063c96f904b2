import { describe, expect, test } from 'vitest'
import { addon } from './support/addon.js'
import { invalidFields } from './support/faults.js'
import { useAddon } from './support/use-addon.js'

// Handlers hand over `await req.json()`, and plain JavaScript anything at all.
const {
  createApiKey,
  createAdminToken,
  deleteApiKey,
  getApiKey,
  listApiKeys,
  migrate,
  patchApiKey,
  revokeAdminToken,
  updateApiKey,
  verifyAdminToken,
  verifyApiKey,
} = addon as unknown as Record<string, (...args: unknown[]) => Promise<never>>

const database = useAddon({ jwtSecret: 'a secret that is long enough to be one' })

const key = { name: 'n', clientId: 'c' }
const chars = (length: number, character = 'x'): string => character.repeat(length)
const entries = (length: number, entry: unknown): unknown[] => Array.from({ length }, () => entry)
const metadataOf = (bytes: number): object => ({ text: chars(bytes - '{"text":""}'.length) })
const nested = (depth: number): object =>
  JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`) as object
const fromNow = (seconds: number): Date => new Date(Date.now() + seconds * 1_000)

function cyclic(): object {
  const loop: { self?: object } = {}
  loop.self = loop
  return loop
}

const sparse: unknown[] = ['10.0.0.1']
sparse[2] = '10.0.0.2'

const throws = (): never => {
  throw new Error('from the input')
}
const throwingGetter = (field: string): object =>
  Object.defineProperty({ ...key }, field, { enumerable: true, get: throws })
const throwingProxy = new Proxy({}, { get: throws, has: throws, ownKeys: throws })
const revokedProxy = ((): object => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
})()

/** What no field of text, number, date, list or flag accepts. */
const alien: [string, unknown][] = [
  ['an object', {}],
  ['a symbol', Symbol('s')],
  ['a function', () => 1],
  ['a bigint', 10n],
  ['a map', new Map()],
  ['a proxy that throws', throwingProxy],
  ['a revoked proxy', revokedProxy],
]

const text: [string, unknown][] = [
  ...alien,
  ['a number', 1],
  ['a boolean', true],
  ['an array', ['x']],
  ['a date', new Date()],
  ['a String object', new String('boxed')],
  ['\\0', 'nul \u0000'],
  ['a high surrogate alone', 'x\ud800'],
  ['a low surrogate alone', '\udc00x'],
  ['a huge string', chars(5_000_000)],
]

const label: [string, unknown][] = [
  ...text,
  ['null', null],
  ['nothing', ''],
  ['256 characters', chars(256)],
  ['256 emoji', chars(256, '🔑')],
  ...['\n', '\r', '\t', '\u0001', '\u001b', '\u007f', '\u0085', '\u009f'].map(
    (control): [string, unknown] => [`control ${JSON.stringify(control)}`, `a${control}b`],
  ),
]

const count: [string, unknown][] = [
  ...alien,
  ['text', '10'],
  ['a boolean', true],
  ['a list', [1]],
  ['zero', 0],
  ['a negative number', -1],
  ['a fraction', 1.5],
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
  ['2 ** 31', 2 ** 31],
  ['2 ** 32 + 1', 2 ** 32 + 1],
  ['2 ** 53', 2 ** 53],
  ['1e308', 1e308],
]

const flag: [string, unknown][] = [...alien, ['text', 'true'], ['a number', 1], ['a list', [true]]]

const date: [string, unknown][] = [
  ...alien,
  ['a NaN date', new Date(NaN)],
  ['a number', Date.now()],
  ['text', 'tomorrow'],
  ['an empty string', ''],
  ['a day that there is not', '2094-02-30T00:00:00Z'],
  ['a month that there is not', '2094-13-01T00:00:00Z'],
  ['an hour that there is not', '2094-01-01T25:00:00Z'],
  ['a year beyond all', new Date(8.64e15)],
  ['an extended year', '+275760-09-13T00:00:00.000Z'],
  ['a boolean', true],
  ['\\0', '2094-01-01T00:00:00Z\u0000'],
]

const list: [string, unknown][] = [
  ...alien,
  ['text', '10.0.0.1'],
  ['a number', 1],
  ['101 entries', entries(101, '10.0.0.1')],
  ['a million entries', entries(1_000_000, 'x')],
  ['an object like a list', { 0: '10.0.0.1', length: 1 }],
]

const badAddresses = [
  ...['', ' ', 'localhost', 'example.com', '*', '0', '256.0.0.1', '1.2.3', '1.2.3.4.5', '01.2.3.4'],
  ...['1.2.3.4/', '1.2.3.4/33', '1.2.3.4/-1', '1.2.3.4/8/8', '1.2.3.4/a', '/8', ' 10.0.0.1'],
  ...['10.0.0.1 ', '10.0.0.1:80', '0x7f.0.0.1', '::1/129', ':::1', '[::1]', 'fe80::1%eth0', '::g'],
  ...['1:2:3:4:5:6:7', '10.0.0.1-10.0.0.9', '10.0.0.1,10.0.0.2', '10.0.0.1\u0000', '\ud800'],
  ...['10.0.0.٣', chars(1_000_000, '1')],
]
const badScopes = ['', ' ', 'a b', 'é', 'a\u0000', 'a\n', 'a,b', '"', '\ud800', chars(101), '{}']

describe.each<[string, [string, unknown][]]>([
  ['name', label],
  ['clientId', label],
  ['description', [...text, ['2,001 characters', chars(2_001)]]],
  ['isActive', flag],
  ['expiresAt', [...date, ['the past', fromNow(-61)], ['a past text', '2001-01-01T00:00:00Z']]],
  ['allowedIps', list],
  ['rateLimit', [...count, ['1,000,001', 1_000_001]]],
  ['rateLimitWindowSeconds', [...count, ['86,401', 86_401]]],
  ['scopes', list],
  [
    'metadata',
    [
      ...alien.filter(([what]) => what !== 'an object' && what !== 'a map'),
      ['text', '{}'],
      ['a number', 1],
      ['an array', []],
      ['more than 8 KiB', metadataOf(8_193)],
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

  test.each<[string, unknown]>([
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

/** Not an object at all: the input itself is what is wrong. */
const roots: [string, unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['a number', 5],
  ['text', 'name'],
  ['a boolean', true],
  ['a symbol', Symbol('s')],
  ['a bigint', 1n],
  ['a function', throws],
  ['a list', [key]],
  ['a proxy that throws', throwingProxy],
  ['a revoked proxy', revokedProxy],
]

describe.each(Object.entries({ createApiKey, updateApiKey, patchApiKey, createAdminToken }))(
  '%s refuses as its input',
  (_name, call) => {
    test.each(roots)('%s', async (_what, input) => {
      expect(await invalidFields(() => call!(input))).toEqual([''])
    })
  },
)

/** Where the argument may be absent, it is still an object when it is there. */
describe.each<[string, (value: unknown) => unknown]>([
  ['listApiKeys', (value) => listApiKeys!(value)],
  ['verifyApiKey', (value) => verifyApiKey!('some key that is not one', value)],
  ['verifyAdminToken', (value) => verifyAdminToken!('some.token.text', value)],
  ['migrate', (value) => migrate!(value)],
])('%s refuses as its options', (_name, call) => {
  test.each(roots.filter(([what]) => what !== 'undefined' && what !== 'null'))(
    '%s',
    async (_what, value) => {
      expect(await invalidFields(() => call(value))).toEqual([''])
    },
  )
})

/** Columns that nobody may set, and names that are none. */
const foreign = [
  ...[
    'key',
    'usageCount',
    'createdAt',
    'updatedAt',
    'lastUsedAt',
    'start',
    'lookup',
    'previousKey',
  ],
  ...['limiterEpoch', 'previousLookup', 'Name', 'client_id', 'toString', 'constructor', 'toJSON'],
]
const created = { createdAt: new Date(), usageCount: 0, key: 'sophra_live_x' } as Record<
  string,
  unknown
>

describe.each<[string, (fields: object) => unknown]>([
  ['createApiKey', (fields) => createApiKey!({ ...key, ...fields })],
  ['updateApiKey', (fields) => updateApiKey!({ id: 'x', ...fields })],
  ['patchApiKey', (fields) => patchApiKey!({ id: 'x', ...fields })],
  ['listApiKeys', (fields) => listApiKeys!(fields)],
  ['createAdminToken', (fields) => createAdminToken!({ name: 'n', ...fields })],
  ['verifyApiKey', (fields) => verifyApiKey!('x', fields)],
  ['verifyAdminToken', (fields) => verifyAdminToken!('x', fields)],
  ['migrate', (fields) => migrate!(fields)],
])('%s refuses the field', (_name, call) => {
  test.each(foreign)('%s', async (field) => {
    const ask = (): unknown => call({ [field]: created[field] ?? 'value' })
    expect(await invalidFields(ask)).toEqual([field])
  })

  test('__proto__ as JSON can bring it', async () => {
    const parsed = JSON.parse('{"__proto__": {"name": "n", "clientId": "c"}}') as object
    expect(await invalidFields(() => call(parsed))).toEqual(['__proto__'])
  })

  test('of a million, and still answers', async () => {
    const many = Object.fromEntries(entries(100_000, 0).map((_, index) => [`field${index}`, index]))
    await invalidFields(() => call(many))
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
    expect(await invalidFields(() => createApiKey!(input))).toEqual(fields)
  })

  test.each(['name', 'expiresAt', 'allowedIps', 'metadata', 'rateLimit'])(
    'survives a getter of %s that throws',
    async (field) => {
      const ask = (): unknown => createApiKey!(throwingGetter(field))
      for (const path of await invalidFields(ask)) expect(['', field]).toContain(path)
    },
  )

  test('stores nothing of what it refused', async () => {
    expect(await database.sql(`SELECT 1 FROM "ApiKey" WHERE "name" = 'n' LIMIT 1`)).toEqual([])
  })
})

describe.each(Object.entries({ updateApiKey, patchApiKey }))('%s', (_name, change) => {
  const ids: [string, unknown][] = [...text, ['null', null], ['nothing', '']]
  test.each(ids)('refuses as id %s', async (_what, id) => {
    expect(await invalidFields(() => change!({ id, name: 'n' }))).toEqual(['id'])
  })

  test.each<[string, object, string[]]>([
    ['a missing id', { name: 'n' }, ['id']],
    [
      'null for what cannot be empty',
      nullOf('name', 'clientId', 'isActive'),
      [...['clientId', 'isActive', 'name']],
    ],
    ['a bad address', { id: 'x', allowedIps: ['10.0.0.1', 'nowhere'] }, ['allowedIps[1]']],
    ['a NaN date', { id: 'x', expiresAt: new Date(NaN) }, ['expiresAt']],
    ['a date that is text', { id: 'x', expiresAt: 'soon' }, ['expiresAt']],
    ['control characters', { id: 'x', name: 'a\nb' }, ['name']],
    [
      'several',
      { id: 'x', name: 1, rateLimit: -1, metadata: 1 },
      [...['metadata', 'name', 'rateLimit']],
    ],
  ])('names %s', async (_what, input, fields) => {
    expect(await invalidFields(() => change!(input))).toEqual(fields)
  })

  function nullOf(...fields: string[]): object {
    return { id: 'x', ...Object.fromEntries(fields.map((field) => [field, null])) }
  }
})

describe('updateApiKey', () => {
  test.each<[string, unknown]>([...flag])('refuses as regenerateKey %s', async (_what, value) => {
    const ask = (): unknown => updateApiKey!({ id: 'x', regenerateKey: value })
    expect(await invalidFields(ask)).toEqual(['regenerateKey'])
  })

  test.each(count.filter(([what]) => what !== 'zero'))(
    'refuses as gracePeriodSeconds %s',
    async (_what, value) => {
      const input = { id: 'x', regenerateKey: true, gracePeriodSeconds: value }
      expect(await invalidFields(() => updateApiKey!(input))).toEqual(['gracePeriodSeconds'])
    },
  )
})

describe('patchApiKey', () => {
  test.each(['suspendedUntil', 'previousKeyExpiresAt'])('takes %s as null only', async (field) => {
    for (const value of [new Date(), '2094-01-01T00:00:00Z', 0, false, '']) {
      expect(await invalidFields(() => patchApiKey!({ id: 'x', [field]: value }))).toEqual([field])
    }
  })

  test.each(['regenerateKey', 'gracePeriodSeconds'])('does not know %s', async (field) => {
    expect(await invalidFields(() => patchApiKey!({ id: 'x', [field]: 1 }))).toEqual([field])
  })
})

describe.each(Object.entries({ getApiKey, deleteApiKey, revokeAdminToken }))(
  '%s refuses as id',
  (_name, call) => {
    const ids = [...text, ['undefined', undefined], ['null', null], ['nothing', '']]
    test.each(ids as [string, unknown][])('%s', async (_what, id) => {
      expect(await invalidFields(() => call!(id))).toEqual(['id'])
    })
  },
)

describe('listApiKeys', () => {
  test.each<[string, [string, unknown][]]>([
    ['limit', [...count, ['1,001', 1_001]]],
    ['clientId', text],
    ['isActive', flag],
    ['search', [...text, ['nothing', ''], ['two characters', 'ab'], ['two emoji', '🔑🔑']]],
    ['cursor', text],
  ])('refuses a bad %s', async (field, cases) => {
    for (const [what, value] of cases) {
      expect(await invalidFields(() => listApiKeys!({ [field]: value })), what).toEqual([field])
    }
  })

  test('names every bad field at once', async () => {
    const ask = (): unknown => listApiKeys!({ limit: 0, search: 'a', cursor: 'x', isActive: 1 })
    expect(await invalidFields(ask)).toEqual(['cursor', 'isActive', 'limit', 'search'])
  })
})

describe('verifyApiKey', () => {
  const noKey = [undefined, null, 5, true, {}, [], Symbol('s'), 1n, throws, throwingProxy]
  test.each(noKey)('refuses what is no string: %#', async (value) => {
    expect(await invalidFields(() => verifyApiKey!(value))).toEqual(['key'])
  })

  test.each([
    ...['', ' ', 'x', '\u0000', '\ud800', '\udc00\ud800', 'sophra_live_', '🔑'.repeat(60)],
    ...[chars(256), chars(10_000_000), `sophra_live_${chars(12)}_${chars(46)}`, 'é'.repeat(40)],
    ...['__proto__', 'toString', 'undefined', 'null', '[object Object]', '\r\n'.repeat(10)],
  ])('answers any string with a refusal: %#', async (value) => {
    expect(await verifyApiKey!(value)).toEqual({
      valid: false,
      code: 'INVALID_KEY',
      status: 401,
      message: 'Invalid API key',
    })
  })

  test.each<[string, [string, unknown][]]>([
    ['scopes', list],
    ['cost', [...count, ['1,000,001', 1_000_001]]],
    ['ip', [...alien, ['a number', 1], ['a list', ['::1']]]],
    ['path', [...alien, ['a number', 1]]],
  ])('refuses a bad %s, whatever the key', async (field, cases) => {
    for (const [what, value] of cases) {
      expect(await invalidFields(() => verifyApiKey!('x', { [field]: value })), what).toEqual([
        field,
      ])
    }
  })

  test('names every bad field at once', async () => {
    const context = { ip: 1, scopes: ['ok', 'not ok'], cost: 0, extra: 1 }
    const ask = (): unknown => verifyApiKey!(null, context)
    expect(await invalidFields(ask)).toEqual(['cost', 'extra', 'ip', 'key', 'scopes[1]'])
  })
})

describe('admin functions', () => {
  test.each<[string, [string, unknown][]]>([
    ['name', label],
    ['description', [...text, ['2,001 characters', chars(2_001)]]],
    ['permissions', list],
    ['expiresInSeconds', count],
  ])('createAdminToken refuses a bad %s', async (field, cases) => {
    for (const [what, value] of cases) {
      const ask = (): unknown => createAdminToken!({ name: 'n', [field]: value })
      expect(await invalidFields(ask), what).toEqual([field])
    }
  })

  test.each([undefined, null, 5, {}, Symbol('s'), throws])(
    'verifyAdminToken refuses what is no string: %#',
    async (value) => {
      expect(await invalidFields(() => verifyAdminToken!(value))).toEqual(['token'])
    },
  )

  test.each(['', 'x', 'a.b.c', '...', '\u0000', '\ud800.x.y', chars(5_000_000), 'e30.e30.e30'])(
    'verifyAdminToken answers any string with a refusal: %#',
    async (value) => {
      expect(await verifyAdminToken!(value)).toEqual({
        valid: false,
        code: 'INVALID_TOKEN',
        status: 401,
        message: 'Invalid admin token',
      })
    },
  )

  test('verifyAdminToken refuses a permission that is no text', async () => {
    for (const permission of [1, {}, ['keys:read'], Symbol('s')]) {
      const ask = (): unknown => verifyAdminToken!('x.y.z', { permission })
      expect(await invalidFields(ask)).toEqual(['permission'])
    }
  })

  test('nothing of what was refused is stored', async () => {
    expect(await database.sql(`SELECT 1 FROM "AdminToken" LIMIT 1`)).toEqual([])
  })
})

test('migrate refuses an adopt that is no flag', async () => {
  for (const adopt of [1, 'yes', {}, []]) {
    expect(await invalidFields(() => migrate!({ adopt }))).toEqual(['adopt'])
  }
})

/** The last value that a field takes and, beyond it, the first that it does not. */
describe('createApiKey accepts at the very limit', () => {
  const unusual: [string, object][] = [
    ['a name of 1', { name: 'x' }],
    ['a name of 255', { name: chars(255) }],
    ['a name of 255 emoji', { name: chars(255, '🔑') }],
    ['a clientId of 255', { clientId: chars(255, 'é') }],
    ['a description of 2,000', { description: chars(2_000) }],
    ['an empty description', { description: '' }],
    ['line ends in a description', { description: 'a\r\n\tb' }],
    ['100 addresses', { allowedIps: entries(100, '10.0.0.1') }],
    ['no addresses', { allowedIps: [] }],
    ['a rateLimit of 1', { rateLimit: 1 }],
    ['a rateLimit of 1,000,000', { rateLimit: 1_000_000 }],
    ['a window of 1', { rateLimitWindowSeconds: 1 }],
    ['a window of 86,400', { rateLimitWindowSeconds: 86_400 }],
    [
      '100 scopes of 100',
      { scopes: Array.from({ length: 100 }, (_, n) => String(n).padEnd(100, 'x')) },
    ],
    ['every character of a scope', { scopes: ['AZaz09:._*/-'] }],
    ['metadata of 8 KiB', { metadata: metadataOf(8_192) }],
    ['empty metadata', { metadata: {} }],
    ['no time limit', { expiresAt: null }],
    ['a time just past', { expiresAt: fromNow(-50) }],
    ['a date', { expiresAt: fromNow(1) }],
    ['the far future', { expiresAt: new Date('9999-12-31T23:59:59.999Z') }],
  ]
  test.each(unusual)('%s', async (_what, fields) => {
    const issued: object = await createApiKey!({ ...key, ...fields })
    expect(issued).toMatchObject(fields)
  })

  test.each([
    ['2094-01-02T03:04:05.678Z', '2094-01-02T03:04:05.678Z'],
    ['2094-01-02T03:04:05Z', '2094-01-02T03:04:05.000Z'],
    ['2094-01-02T03:04:05+02:00', '2094-01-02T01:04:05.000Z'],
  ])('the date as text %s', async (expiresAt, expected) => {
    const issued: { expiresAt: Date } = await createApiKey!({ ...key, expiresAt })
    expect(issued.expiresAt).toEqual(new Date(expected))
  })

  test.each([
    ...['10.0.0.1', '0.0.0.0/0', '10.1.2.3/8', '10.0.0.1/32', '::', '::/0', '2001:DB8::1'],
    ...['2001:db8::/32', '::1/128', '::ffff:10.0.0.1', '::ffff:10.0.0.0/104', '1:2:3:4:5:6:7:8'],
  ])('the address %s', async (address) => {
    const issued: { allowedIps: string[] } = await createApiKey!({ ...key, allowedIps: [address] })
    expect(issued.allowedIps).toHaveLength(1)
  })

  test('a date of another realm', async () => {
    const { runInNewContext } = await import('node:vm')
    const expiresAt = runInNewContext('new Date(Date.UTC(2094, 0, 1))') as Date
    const issued: { expiresAt: Date } = await createApiKey!({ ...key, expiresAt })
    expect(issued.expiresAt).toEqual(new Date('2094-01-01T00:00:00.000Z'))
  })

  test('an object without a prototype', async () => {
    const bare: object = Object.assign(Object.create(null), key)
    expect(await createApiKey!(bare)).toMatchObject(key)
  })
})

test('a page takes 1 to 1,000, a search three characters, a cost up to a million', async () => {
  for (const limit of [1, 1_000]) await listApiKeys!({ limit })
  for (const search of ['abc', '🔑🔑🔑']) await listApiKeys!({ search })
  for (const cost of [1, 1_000_000, null]) await verifyApiKey!('x', { cost })
})

test('an input as JSON brings it is answered with a fault that JSON can carry', async () => {
  const body = JSON.parse('{"name": "n", "clientId": null, "expiresAt": "never"}') as unknown
  expect(await invalidFields(() => createApiKey!(body))).toEqual(['clientId', 'expiresAt'])
})
