import { describe, expect, test } from 'vitest'
import { untyped } from '../support/addon.js'
import { chars, entries, fromNow, metadataOf } from '../support/bad-values.js'
import { invalidFields } from '../support/faults.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, listApiKeys, verifyApiKey } = untyped

useAddon()

const key = { name: 'n', clientId: 'c' }

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
      '1,000 scopes of 100',
      { scopes: Array.from({ length: 1_000 }, (_, n) => String(n).padEnd(100, 'x')) },
    ],
    ['every character of a scope', { scopes: ['AZaz09:._*/-'] }],
    ['metadata of 8 KiB', { metadata: metadataOf(8_192) }],
    ['metadata of 8 KiB with all digits', { metadata: { list: Array<number>(26).fill(1e308) } }],
    ['empty metadata', { metadata: {} }],
    ['no time limit', { expiresAt: null }],
    ['a time just past', { expiresAt: fromNow(-50) }],
    ['a date', { expiresAt: fromNow(1) }],
    ['the far future', { expiresAt: new Date('9999-12-31T23:59:59.999Z') }],
  ]
  test.each(unusual)('%s', async (_what, fields) => {
    const issued: object = await createApiKey({ ...key, ...fields })
    expect(issued).toMatchObject(fields)
  })

  test.each([
    ['2094-01-02T03:04:05.678Z', '2094-01-02T03:04:05.678Z'],
    ['2094-01-02T03:04:05Z', '2094-01-02T03:04:05.000Z'],
    ['2094-01-02T03:04:05+02:00', '2094-01-02T01:04:05.000Z'],
  ])('the date as text %s', async (expiresAt, expected) => {
    const issued: { expiresAt: Date } = await createApiKey({ ...key, expiresAt })
    expect(issued.expiresAt).toEqual(new Date(expected))
  })

  test.each([
    ...['10.0.0.1', '0.0.0.0/0', '10.1.2.3/8', '10.0.0.1/32', '::', '::/0', '2001:DB8::1'],
    ...['2001:db8::/32', '::1/128', '::ffff:10.0.0.1', '::ffff:10.0.0.0/104', '1:2:3:4:5:6:7:8'],
  ])('the address %s', async (address) => {
    const issued: { allowedIps: string[] } = await createApiKey({ ...key, allowedIps: [address] })
    expect(issued.allowedIps).toHaveLength(1)
  })

  test('a date of another realm', async () => {
    const { runInNewContext } = await import('node:vm')
    const expiresAt = runInNewContext('new Date(Date.UTC(2094, 0, 1))') as Date
    const issued: { expiresAt: Date } = await createApiKey({ ...key, expiresAt })
    expect(issued.expiresAt).toEqual(new Date('2094-01-01T00:00:00.000Z'))
  })

  test('an object without a prototype', async () => {
    const bare: object = Object.assign(Object.create(null), key)
    expect(await createApiKey(bare)).toMatchObject(key)
  })
})

test('a page takes 1 to 1,000, a search three characters, a cost up to a million', async () => {
  for (const limit of [1, 1_000]) await listApiKeys({ limit })
  for (const search of ['abc', '🔑🔑🔑']) await listApiKeys({ search })
  for (const cost of [1, 1_000_000, null]) await verifyApiKey('x', { cost })
})

test('an input as JSON brings it is answered with a fault that JSON can carry', async () => {
  const body = JSON.parse('{"name": "n", "clientId": null, "expiresAt": "never"}') as unknown
  expect(await invalidFields(() => createApiKey(body))).toEqual(['clientId', 'expiresAt'])
})
