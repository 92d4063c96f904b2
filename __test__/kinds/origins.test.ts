import { describe, expect, test } from 'vitest'
import { addon, untyped } from '../support/addon.js'
import { useSetting } from '../support/setting.js'

// The origins whose pages may use a publishable key.

const { createApiKey, getApiKey, patchApiKey, verifyApiKey } = addon

const setting = useSetting({
  kinds: { secret: { prefix: 'sk' }, publishable: { prefix: 'pk' } },
})

const create = (origins?: string[] | null): ReturnType<typeof createApiKey> =>
  createApiKey({ name: 'Page', clientId: 'acme', kind: 'publishable', origins })

const listed = ['https://app.example.com', 'https://*.example.org', 'http://localhost:3000']

/** Each `Origin` with whether a key with these origins may be used from there. */
const table: [string | null, boolean][] = [
  [null, true],
  ['https://app.example.com', true],
  ['https://a.example.org', true],
  ['https://xn--mnchen-3ya.example.org', true],
  ['http://localhost:3000', true],
  ['null', false],
  ['*', false],
  ['https://example.com', false],
  ['http://app.example.com', false],
  ['https://app.example.com:8443', false],
  ['https://app.example.com:443', false],
  ['https://APP.example.com', false],
  ['HTTPS://app.example.com', false],
  ['https://app.example.com.', false],
  ['https://app.example.com/', false],
  ['https://app.example.com/a.example.org', false],
  ['https://app.example.com@evil.example', false],
  ['https://user@app.example.com', false],
  ['https://app.example.com.evil.example', false],
  ['https://evil-app.example.com', false],
  ['https://evilapp.example.com', false],
  ['https://x.app.example.com', false],
  ['https://app.example.com https://evil.example', false],
  ['https://evil.example', false],
  ['https://example.org', false],
  ['https://.example.org', false],
  ['https://a.b.example.org', false],
  ['https://a.example.org.', false],
  ['https://a.example.org:8443', false],
  ['http://a.example.org', false],
  ['https://A.example.org', false],
  ['https://aexample.org', false],
  ['https://evil.example/.example.org', false],
  ['https://evil.example#.example.org', false],
  ['https://evil.example?.example.org', false],
  ['https://evil@a.example.org', false],
  ['https://münchen.example.org', false],
  ['https://*.example.org', false],
  ['http://localhost', false],
  ['http://localhost:30000', false],
  ['https://localhost:3000', false],
  ['http://127.0.0.1:3000', false],
  ['file://', false],
  ['chrome-extension://abcdef', false],
  [`https://${'a'.repeat(400)}.example.org`, false],
  ['x'.repeat(5_000), false],
]

test.each(table)('a request from %s: %s', async (origin, isAllowed) => {
  const { key, id } = await create(listed)
  // Cold, from memory, and from memory again.
  for (let round = 0; round < 3; round++) {
    const answer = await verifyApiKey(key, { origin })
    if (isAllowed) expect(answer).toMatchObject({ valid: true, keyId: id })
    else
      expect(answer).toMatchObject({
        code: 'ORIGIN_NOT_ALLOWED',
        status: 403,
        message: 'Origin not allowed for this API key',
        keyId: id,
      })
    await verifyApiKey(key)
  }
})

test('an empty list is for no browser, and none at all for any', async () => {
  const none = await create([])
  expect(await verifyApiKey(none.key, { origin: listed[0] })).toMatchObject({
    code: 'ORIGIN_NOT_ALLOWED',
  })
  expect(await verifyApiKey(none.key)).toMatchObject({ valid: true })
  for (const origins of [null, undefined]) {
    const any = await create(origins)
    expect(any.origins).toBeNull()
    expect(await verifyApiKey(any.key, { origin: 'null' })).toMatchObject({ valid: true })
  }
})

test('the origin comes after the address and before the scopes', async () => {
  const { id, key } = await create([])
  await patchApiKey({ id, allowedIps: ['203.0.113.0/24'] })
  const context = { origin: listed[0], scopes: ['docs:read'] }
  expect(await verifyApiKey(key, context)).toMatchObject({ code: 'IP_NOT_ALLOWED' })
  expect(await verifyApiKey(key, { ...context, ip: '203.0.113.7' })).toMatchObject({
    code: 'ORIGIN_NOT_ALLOWED',
  })
})

describe('origins', () => {
  test('are stored as browsers write them', async () => {
    const given = [
      'HTTPS://App.Example.com:443',
      'https://MÜNCHEN.example',
      'https://*.Example.org',
    ]
    const { id, origins } = await create(given)
    expect(origins).toEqual([
      'https://app.example.com',
      'https://xn--mnchen-3ya.example',
      'https://*.example.org',
    ])
    expect((await getApiKey(id))?.origins).toEqual(origins)
    expect(await patchApiKey({ id, origins: null })).toMatchObject({ origins: null })
    expect(await patchApiKey({ id, origins: [] })).toMatchObject({ origins: [] })
    expect(await patchApiKey({ id, name: 'Other' })).toMatchObject({ origins: [] })
  })

  test.each([
    ['app.example.com'],
    ['https://app.example.com/'],
    ['https://app.example.com/path'],
    ['https://user@app.example.com'],
    ['https://app.example.com.'],
    ['https://*.com'],
    ['http://*.example.com'],
    ['https://*'],
    ['*'],
    ['null'],
    [''],
    ['ftp://app.example.com'],
    ['https://ｅxample.com'],
    [1],
    [null],
  ])('that are none are refused: %j', async (origin) => {
    const input = { name: 'Page', clientId: 'acme', kind: 'publishable', origins: [origin] }
    await expect(untyped.createApiKey!(input)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      issues: [{ path: 'origins[0]' }],
    })
  })

  test('are at most 100', async () => {
    const many = (count: number): string[] =>
      Array.from({ length: count }, (_, at) => `https://a${at}.example.com`)
    expect((await create(many(100))).origins).toHaveLength(100)
    await expect(create(many(101))).rejects.toMatchObject({ issues: [{ path: 'origins' }] })
  })

  test('are of publishable keys alone', async () => {
    const input = { name: 'Server', clientId: 'acme', kind: 'secret' }
    await expect(createApiKey({ ...input, origins: listed })).rejects.toMatchObject({
      issues: [{ path: 'origins' }],
    })
    const { id } = await createApiKey({ ...input, origins: null })
    await expect(patchApiKey({ id, origins: [] })).rejects.toMatchObject({
      issues: [{ path: 'origins' }],
    })
  })

  test('that are changed by anybody hold at once', async () => {
    const { id, key } = await create(listed)
    const origin = listed[0]
    expect(await verifyApiKey(key, { origin })).toMatchObject({ valid: true })
    await patchApiKey({ id, origins: ['https://other.example.com'] })
    expect(await verifyApiKey(key, { origin })).toMatchObject({ code: 'ORIGIN_NOT_ALLOWED' })
    await setting.sql(`UPDATE "ApiKey" SET "origins" = $1 WHERE "id" = $2`, [listed, id])
    await setting.caughtUp()
    expect(await verifyApiKey(key, { origin })).toMatchObject({ valid: true })
    // What is no origin allows nothing.
    for (const stored of [
      '{}',
      '{NULL}',
      '{"*"}',
      '{{"https://*"},{""}}',
      '[5:5]={https://APP.example.com}',
    ]) {
      await setting.sql(`UPDATE "ApiKey" SET "origins" = $1::text[] WHERE "id" = $2`, [stored, id])
      await setting.caughtUp()
      expect(await verifyApiKey(key, { origin }), stored).toMatchObject({
        code: 'ORIGIN_NOT_ALLOWED',
      })
      expect((await getApiKey(id))?.origins, stored).toBeInstanceOf(Array)
    }
  })
})
