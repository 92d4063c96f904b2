import { describe, expect, test } from 'vitest'
import { untyped } from '../support/addon.js'
import {
  alien,
  type Case,
  chars,
  count,
  flag,
  label,
  list,
  requiredScopes,
  text,
  throwingProxy,
  throws,
} from '../support/bad-values.js'
import { invalidFields } from '../support/faults.js'
import { useAddon } from '../support/use-addon.js'

const {
  createAdminToken,
  deleteApiKey,
  getApiKey,
  listApiKeys,
  migrate,
  restoreApiKey,
  patchApiKey,
  revokeAdminToken,
  updateApiKey,
  verifyAdminToken,
  verifyApiKey,
} = untyped

const database = useAddon({ jwtSecret: 'a secret that is long enough to be one' })

describe.each(Object.entries({ updateApiKey, patchApiKey }))('%s', (_name, change) => {
  const ids: Case[] = [...text, ['null', null], ['nothing', '']]
  test.each(ids)('refuses as id %s', async (_what, id) => {
    expect(await invalidFields(() => change({ id, name: 'n' }))).toEqual(['id'])
  })

  test.each<[string, object, string[]]>([
    ['a missing id', { name: 'n' }, ['id']],
    [
      'null for what cannot be empty',
      nullOf('name', 'clientId', 'isActive'),
      ['clientId', 'isActive', 'name'],
    ],
    ['a bad address', { id: 'x', allowedIps: ['10.0.0.1', 'nowhere'] }, ['allowedIps[1]']],
    ['a NaN date', { id: 'x', expiresAt: new Date(NaN) }, ['expiresAt']],
    ['a date that is text', { id: 'x', expiresAt: 'soon' }, ['expiresAt']],
    ['control characters', { id: 'x', name: 'a\nb' }, ['name']],
    [
      'several',
      { id: 'x', name: 1, rateLimit: -1, metadata: 1 },
      ['metadata', 'name', 'rateLimit'],
    ],
  ])('names %s', async (_what, input, fields) => {
    expect(await invalidFields(() => change(input))).toEqual(fields)
  })

  function nullOf(...fields: string[]): object {
    return { id: 'x', ...Object.fromEntries(fields.map((field) => [field, null])) }
  }
})

describe('updateApiKey', () => {
  test.each<Case>([...flag])('refuses as regenerateKey %s', async (_what, value) => {
    const ask = (): unknown => updateApiKey({ id: 'x', regenerateKey: value })
    expect(await invalidFields(ask)).toEqual(['regenerateKey'])
  })

  test.each(count.filter(([what]) => what !== 'zero'))(
    'refuses as gracePeriodSeconds %s',
    async (_what, value) => {
      const input = { id: 'x', regenerateKey: true, gracePeriodSeconds: value }
      expect(await invalidFields(() => updateApiKey(input))).toEqual(['gracePeriodSeconds'])
    },
  )
})

describe('patchApiKey', () => {
  test.each(['suspendedUntil', 'previousKeyExpiresAt'])('takes %s as null only', async (field) => {
    for (const value of [new Date(), '2094-01-01T00:00:00Z', 0, false, '']) {
      expect(await invalidFields(() => patchApiKey({ id: 'x', [field]: value }))).toEqual([field])
    }
  })

  test.each(['regenerateKey', 'gracePeriodSeconds'])('does not know %s', async (field) => {
    expect(await invalidFields(() => patchApiKey({ id: 'x', [field]: 1 }))).toEqual([field])
  })
})

describe.each(Object.entries({ getApiKey, restoreApiKey, deleteApiKey, revokeAdminToken }))(
  '%s refuses as id',
  (_name, call) => {
    const ids = [...text, ['undefined', undefined], ['null', null], ['nothing', '']]
    test.each(ids as Case[])('%s', async (_what, id) => {
      expect(await invalidFields(() => call(id))).toEqual(['id'])
    })
  },
)

describe('listApiKeys', () => {
  test.each<[string, Case[]]>([
    ['limit', [...count, ['1,001', 1_001]]],
    ['clientId', text],
    ['isActive', flag],
    ['search', [...text, ['nothing', ''], ['two characters', 'ab'], ['two emoji', '🔑🔑']]],
    ['cursor', text],
  ])('refuses a bad %s', async (field, cases) => {
    for (const [what, value] of cases) {
      expect(await invalidFields(() => listApiKeys({ [field]: value })), what).toEqual([field])
    }
  })

  test('names every bad field at once', async () => {
    const ask = (): unknown => listApiKeys({ limit: 0, search: 'a', cursor: 'x', isActive: 1 })
    expect(await invalidFields(ask)).toEqual(['cursor', 'isActive', 'limit', 'search'])
  })
})

/** No cost: unlike a count, one may be zero, and an object without fields names no limit. A map is read as such an object. */
const costs = count.filter(([what]) => !['zero', 'an object', 'a map'].includes(what))

describe('verifyApiKey', () => {
  const noKey = [5, true, {}, [5], ['a', null], [[]], Symbol('s'), 1n, throws, throwingProxy]
  test.each(noKey)('refuses what no header holds: %#', async (value) => {
    expect(await invalidFields(() => verifyApiKey(value))).toEqual(['key'])
  })

  test.each([
    ...['', ' ', 'x', '\u0000', '\ud800', '\udc00\ud800', 'sophra_live_', '🔑'.repeat(60)],
    ...[chars(256), chars(10_000_000), `sophra_live_${chars(12)}_${chars(46)}`, 'é'.repeat(40)],
    ...['__proto__', 'toString', 'undefined', 'null', '[object Object]', '\r\n'.repeat(10)],
  ])('answers any string with a refusal: %#', async (value) => {
    expect(await verifyApiKey(value)).toEqual({
      valid: false,
      code: 'INVALID_KEY',
      status: 401,
      message: 'Invalid API key',
    })
  })

  test.each<[string, Case[]]>([
    ['scopes', requiredScopes],
    ['cost', [...costs, ['1,000,001', 1_000_001]]],
    ['ip', [...alien, ['a number', 1], ['a list', ['::1']]]],
    ['path', [...alien, ['a number', 1]]],
    ['claimedIp', [...alien, ['a number', 1]]],
    ['peek', [...alien, ['a number', 1], ['text', 'true']]],
  ])('refuses a bad %s, whatever the key', async (field, cases) => {
    for (const [what, value] of cases) {
      expect(await invalidFields(() => verifyApiKey('x', { [field]: value })), what).toEqual([
        field,
      ])
    }
  })

  test('names every bad cost of a map', async () => {
    const names = { a: -1, b: 1.5, c: '1', d: 0, e: 1_000_001, 'f\n': null }
    expect(await invalidFields(() => verifyApiKey('x', { cost: names }))).toEqual([
      'cost.a',
      'cost.b',
      'cost.c',
      'cost.e',
      expect.stringMatching(/^cost\.f/),
    ])
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`n${index}`, 1]))
    expect(await invalidFields(() => verifyApiKey('x', { cost: many }))).toEqual(['cost'])
  })

  test('names every bad field at once', async () => {
    const context = { ip: 1, scopes: ['ok', 'not ok'], cost: -1, extra: 1 }
    const ask = (): unknown => verifyApiKey(5, context)
    expect(await invalidFields(ask)).toEqual(['cost', 'extra', 'ip', 'key', 'scopes[1]'])
  })
})

describe('admin functions', () => {
  test.each<[string, Case[]]>([
    ['name', label],
    ['description', [...text, ['2,001 characters', chars(2_001)]]],
    ['permissions', list],
    ['expiresInSeconds', count],
  ])('createAdminToken refuses a bad %s', async (field, cases) => {
    for (const [what, value] of cases) {
      const ask = (): unknown => createAdminToken({ name: 'n', [field]: value })
      expect(await invalidFields(ask), what).toEqual([field])
    }
  })

  test.each([5, {}, [5], Symbol('s'), throws])(
    'verifyAdminToken refuses what no header holds: %#',
    async (value) => {
      expect(await invalidFields(() => verifyAdminToken(value))).toEqual(['token'])
    },
  )

  test.each(['', 'x', 'a.b.c', '...', '\u0000', '\ud800.x.y', chars(5_000_000), 'e30.e30.e30'])(
    'verifyAdminToken answers any string with a refusal: %#',
    async (value) => {
      expect(await verifyAdminToken(value)).toEqual({
        valid: false,
        code: 'INVALID_TOKEN',
        status: 401,
        message: 'Invalid admin token',
      })
    },
  )

  test('verifyAdminToken refuses a permission that is no text', async () => {
    for (const permission of [1, {}, ['keys:read'], Symbol('s')]) {
      const ask = (): unknown => verifyAdminToken('x.y.z', { permission })
      expect(await invalidFields(ask)).toEqual(['permission'])
    }
  })

  test('nothing of what was refused is stored', async () => {
    expect(await database.sql(`SELECT 1 FROM "AdminToken" LIMIT 1`)).toEqual([])
  })
})

test('migrate refuses an adopt that is no flag', async () => {
  for (const adopt of [1, 'yes', {}, []]) {
    expect(await invalidFields(() => migrate({ adopt }))).toEqual(['adopt'])
  }
})

test('migrate refuses a limit that is none, and one of nothing', async () => {
  for (const limit of [0, -1, 1.5, NaN, '10', 1_000_001, []]) {
    expect(await invalidFields(() => migrate({ adopt: true, limit }))).toEqual(['limit'])
  }
  for (const options of [{ limit: 10 }, { adopt: false, limit: 10 }]) {
    expect(await invalidFields(() => migrate(options))).toEqual(['limit'])
  }
})
