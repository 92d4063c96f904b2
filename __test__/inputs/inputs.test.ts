import { describe, expect, test } from 'vitest'
import { untyped } from '../support/addon.js'
import { entries, noObject } from '../support/bad-values.js'
import { invalidFields } from '../support/faults.js'
import { useAddon } from '../support/use-addon.js'

// Handlers hand over `await req.json()`, and plain JavaScript anything at all: every function refuses it
// with a fault that names what is wrong.
const {
  createApiKey,
  createAdminToken,
  listApiKeys,
  migrate,
  patchApiKey,
  updateApiKey,
  verifyAdminToken,
  verifyApiKey,
} = untyped

useAddon({ jwtSecret: 'a secret that is long enough to be one' })

const key = { name: 'n', clientId: 'c' }

describe.each(Object.entries({ createApiKey, updateApiKey, patchApiKey, createAdminToken }))(
  '%s refuses as its input',
  (_name, call) => {
    test.each(noObject)('%s', async (_what, input) => {
      expect(await invalidFields(() => call(input))).toEqual([''])
    })
  },
)

/** The argument may be absent, but if it is there, it must be an object. */
describe.each<[string, (value: unknown) => unknown]>([
  ['listApiKeys', (value) => listApiKeys(value)],
  ['verifyApiKey', (value) => verifyApiKey('some key that is not one', value)],
  ['verifyAdminToken', (value) => verifyAdminToken('some.token.text', value)],
  ['migrate', (value) => migrate(value)],
])('%s refuses as its options', (_name, call) => {
  test.each(noObject.filter(([what]) => what !== 'undefined' && what !== 'null'))(
    '%s',
    async (_what, value) => {
      expect(await invalidFields(() => call(value))).toEqual([''])
    },
  )
})

/** Columns that nobody may set, and names that are none. */
const foreign = [
  ...['key', 'usageCount', 'createdAt', 'updatedAt', 'lastUsedAt', 'start', 'lookup', 'coldDigest'],
  ...['limiterEpoch', 'previousKey', 'Name', 'client_id', 'toString', 'constructor', 'toJSON'],
]
const created = { createdAt: new Date(), usageCount: 0, key: 'sophra_live_x' } as Record<
  string,
  unknown
>

/** It is read-only, and a filter of the list. */
test.each<[string, (fields: object) => unknown]>([
  ['createApiKey', (fields) => createApiKey({ ...key, ...fields })],
  ['updateApiKey', (fields) => updateApiKey({ id: 'x', ...fields })],
  ['patchApiKey', (fields) => patchApiKey({ id: 'x', ...fields })],
])('%s refuses createdBy', async (_name, call) => {
  expect(await invalidFields(() => call({ createdBy: 'somebody' }))).toEqual(['createdBy'])
})

describe.each<[string, (fields: object) => unknown]>([
  ['createApiKey', (fields) => createApiKey({ ...key, ...fields })],
  ['updateApiKey', (fields) => updateApiKey({ id: 'x', ...fields })],
  ['patchApiKey', (fields) => patchApiKey({ id: 'x', ...fields })],
  ['listApiKeys', (fields) => listApiKeys(fields)],
  ['createAdminToken', (fields) => createAdminToken({ name: 'n', ...fields })],
  ['verifyApiKey', (fields) => verifyApiKey('x', fields)],
  ['verifyAdminToken', (fields) => verifyAdminToken('x', fields)],
  ['migrate', (fields) => migrate(fields)],
])('%s refuses the field', (_name, call) => {
  test.each(foreign)('%s', async (field) => {
    const ask = (): unknown => call({ [field]: created[field] ?? 'value' })
    expect(await invalidFields(ask)).toEqual([field])
  })

  test('even if it is null', async () => {
    expect(await invalidFields(() => call({ limiterEpoch: null }))).toEqual(['limiterEpoch'])
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
