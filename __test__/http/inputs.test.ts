import { beforeAll, describe, expect, test } from 'vitest'
import { KEYS_ROUTE, useApp, type Answer } from '../support/example-app.js'

describe(KEYS_ROUTE, () => {
  const app = useApp()
  let id: string
  let keysBefore: unknown

  beforeAll(async () => {
    id = (await app.create()).id
    keysBefore = (await app.keys('GET')).body
  })

  /** A 400 that names exactly these fields, and nothing has changed. */
  async function expectRefused({ status, body }: Answer, paths: string[]): Promise<void> {
    expect({ status, body }).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } })
    expect(body.error).toMatch(/\S/)
    expect(Object.keys(body).sort()).toEqual(['code', 'error', 'issues'])
    for (const issue of body.issues) expect(issue.message).toMatch(/\S/)
    expect(body.issues.map((issue: { path: string }) => issue.path).sort()).toEqual(paths.sort())
    expect((await app.keys('GET')).body).toEqual(keysBefore)
  }

  const long = (length: number): string => 'x'.repeat(length)
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

  describe('a field of POST', () => {
    const table: [name: string, fields: object, paths: string[]][] = [
      ['nothing', { name: undefined, clientId: undefined }, ['name', 'clientId']],
      ['null for what is required', { name: null, clientId: null }, ['name', 'clientId']],
      ['a number for a name', { name: 5 }, ['name']],
      ['an object for a name', { name: { toString: 'x' } }, ['name']],
      ['an empty name', { name: '' }, ['name']],
      ['a name that is too long', { name: long(256) }, ['name']],
      ['a huge name', { name: long(60_000) }, ['name']],
      ['a control character', { name: 'a\nb' }, ['name']],
      ['NUL in a name', { name: 'a\u0000b' }, ['name']],
      ['a lone surrogate in a name', { name: 'a\ud800' }, ['name']],
      ['an array for a client', { clientId: ['acme'] }, ['clientId']],
      ['a client that is too long', { clientId: long(256) }, ['clientId']],
      ['a control character in a client', { clientId: '\u007f' }, ['clientId']],
      ['a boolean for a description', { description: true }, ['description']],
      ['a description that is too long', { description: long(2_001) }, ['description']],
      ['NUL in a description', { description: '\u0000' }, ['description']],
      ['a lone surrogate in a description', { description: '\udfff' }, ['description']],
      ['text for a limit', { rateLimit: '5' }, ['rateLimit']],
      ['a negative limit', { rateLimit: -1 }, ['rateLimit']],
      ['half a limit', { rateLimit: 1.5 }, ['rateLimit']],
      ['a limit that is too high', { rateLimit: 1_000_001 }, ['rateLimit']],
      ['a window of zero', { rateLimitWindowSeconds: 0 }, ['rateLimitWindowSeconds']],
      ['a window that is too long', { rateLimitWindowSeconds: 86_401 }, ['rateLimitWindowSeconds']],
      ['text for limits', { limits: 'tokens' }, ['limits']],
      ['limits that are too many', { limits: Array.from({ length: 9 }, limitOf) }, ['limits']],
      [
        'bad limits',
        {
          limits: [limitOf(0, 0), null, { ...limitOf(0, 1), limit: '5' }, { name: 'default' }, {}],
        },
        ['[1]', '[2].limit', '[3].limit', '[3].windowSeconds', '[4].name', '[4].limit']
          .concat('[4].windowSeconds')
          .map((path) => `limits${path}`),
      ],
      ['a limit named as that of rateLimit', { limits: [named('default')] }, ['limits[0].name']],
      ['a limit twice', { limits: [named('a'), named('a')] }, ['limits[1].name']],
      ['text for a list', { allowedIps: '10.0.0.1' }, ['allowedIps']],
      ['an object for a list', { allowedIps: { length: 1 } }, ['allowedIps']],
      ['a list that is too long', { allowedIps: Array(101).fill('::1') }, ['allowedIps']],
      [
        'bad addresses',
        { allowedIps: ['10.0.0.1', '10.0.0.256', '10.0.0.0/33', '::/129', 'host', '', 1, null] },
        [1, 2, 3, 4, 5, 6, 7].map((index) => `allowedIps[${index}]`),
      ],
      ['a word for a date', { expiresAt: 'tomorrow' }, ['expiresAt']],
      ['zero for a date', { expiresAt: 0 }, ['expiresAt']],
      ['a date that is none', { expiresAt: '2099-02-30T00:00:00Z' }, ['expiresAt']],
      ['a date in the past', { expiresAt: '2020-01-01T00:00:00Z' }, ['expiresAt']],
      ['bad scopes', { scopes: ['ok', 'a b', '', long(101), 7] }, [1, 2, 3, 4].map(scopeAt)],
      ['scopes that are too many', { scopes: Array(1_001).fill('a') }, ['scopes']],
      ['metadata that is too large', { metadata: { a: long(8 * 1024) } }, ['metadata']],
      ['NUL deep in metadata', { metadata: { a: { b: ['\u0000'] } } }, ['metadata.a.b[0]']],
      ['a lone surrogate in metadata', { metadata: { a: '\ud800' } }, ['metadata.a']],
      [
        'everything at once',
        { name: '', clientId: 7, rateLimit: -1, allowedIps: ['x'], scopes: [''], expiresAt: 'x' },
        ['name', 'clientId', 'rateLimit', 'allowedIps[0]', 'scopes[0]', 'expiresAt'],
      ],
    ]
    test.each(table)('%s', async (_name, fields, paths) => {
      const body = { name: 'Search', clientId: 'acme', ...fields }
      await expectRefused(await app.keys('POST', body), paths)
    })

    test('a number that is no number any more', async () => {
      const json = '{"name":"Search","clientId":"acme","rateLimit":1e400}'
      await expectRefused(await app.keysText('POST', json), ['rateLimit'])
    })

    test('metadata of great depth', async () => {
      const json = `{"name":"Search","clientId":"acme","metadata":{"a":${nested(30_000)}}}`
      const { status, body } = await app.keysText('POST', json)
      expect({ status, body }).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } })
      expect(body.issues[0].path).toMatch(/^metadata/)
    })

    test('an own __proto__ is an unknown field', async () => {
      const json = '{"name":"Search","clientId":"acme","__proto__":{"isActive":false}}'
      const { status, body } = await app.keysText('POST', json)
      expect(status).toBe(201)
      expect(body.isActive).toBe(true)
      keysBefore = (await app.keys('GET')).body
    })
  })

  function named(name: string): object {
    return { name, limit: 5, windowSeconds: 60 }
  }

  function limitOf(_: unknown, index: number): object {
    return named(`n${index}`)
  }

  function scopeAt(index: number): string {
    return `scopes[${index}]`
  }

  describe('a field of PUT and PATCH', () => {
    const both: [name: string, fields: object, paths: string[]][] = [
      ['an unknown one', { colour: 'red' }, ['colour']],
      ['the key itself', { key: 'mine' }, ['key']],
      ['columns of the database', { lookup: 'x', previousKey: 'x' }, ['lookup', 'previousKey']],
      ['null for a name', { name: null }, ['name']],
      ['null for a flag', { isActive: null }, ['isActive']],
      ['text for a flag', { isActive: 'true' }, ['isActive']],
      ['text for scopes', { scopes: 'docs' }, ['scopes']],
      ['an array for metadata', { metadata: [] }, ['metadata']],
      ['text for metadata', { metadata: '{}' }, ['metadata']],
      ['a bad network', { allowedIps: ['10.0.0.0/'] }, ['allowedIps[0]']],
      ['a negative limit', { rateLimit: -5 }, ['rateLimit']],
      [
        'a limit without a window',
        { limits: [{ name: 'a', limit: 1 }] },
        ['limits[0].windowSeconds'],
      ],
      ['a number for an id', { id: 5 }, ['id']],
      ['an object for an id', { id: { $ne: null } }, ['id']],
      ['NUL in an id', { id: '\u0000' }, ['id']],
    ]
    for (const method of ['PUT', 'PATCH']) {
      test.each(both)(`${method}: %s`, async (_name, fields, paths) => {
        await expectRefused(await app.keys(method, { id, ...fields }), paths)
      })

      test(`${method}: its own __proto__`, async () => {
        await expectRefused(await app.keysText(method, `{"id":"${id}","__proto__":{}}`), [
          '__proto__',
        ])
      })
    }

    const put: [fields: object, paths: string[]][] = [
      [{ regenerateKey: 'yes' }, ['regenerateKey']],
      [{ regenerateKey: 1 }, ['regenerateKey']],
      [{ gracePeriodSeconds: 60 }, ['gracePeriodSeconds']],
      [{ regenerateKey: true, gracePeriodSeconds: -1 }, ['gracePeriodSeconds']],
      [{ regenerateKey: true, gracePeriodSeconds: 0.5 }, ['gracePeriodSeconds']],
      [{ regenerateKey: true, gracePeriodSeconds: '60' }, ['gracePeriodSeconds']],
      [{ regenerateKey: true, name: '' }, ['name']],
    ]
    test.each(put)('PUT: %j', async (fields, paths) => {
      await expectRefused(await app.keys('PUT', { id, ...fields }), paths)
    })

    const patch: [fields: object, paths: string[]][] = [
      [{ regenerateKey: true }, ['regenerateKey']],
      [{ gracePeriodSeconds: 60 }, ['gracePeriodSeconds']],
      [{ suspendedUntil: '2099-01-01T00:00:00Z' }, ['suspendedUntil']],
      [{ previousKeyExpiresAt: '2099-01-01T00:00:00Z' }, ['previousKeyExpiresAt']],
    ]
    test.each(patch)('PATCH: %j', async (fields, paths) => {
      await expectRefused(await app.keys('PATCH', { id, ...fields }), paths)
    })
  })

  describe('a query of GET', () => {
    const madeUp = (text: string): string => Buffer.from(text).toString('base64url')
    const table: [query: string, path: string][] = [
      ['limit=0', 'limit'],
      ['limit=-1', 'limit'],
      ['limit=1.5', 'limit'],
      ['limit=1e3', 'limit'],
      ['limit=ten', 'limit'],
      ['limit=', 'limit'],
      ['limit=10001', 'limit'],
      ['limit=99999999999999999999', 'limit'],
      ['cursor=made-up', 'cursor'],
      ['cursor=', 'cursor'],
      ['cursor=%00', 'cursor'],
      [`cursor=${madeUp('0')}`, 'cursor'],
      [`cursor=${madeUp('0:\u0000')}`, 'cursor'],
      ['isActive=maybe', 'isActive'],
      ['isActive=', 'isActive'],
      ['isActive=TRUE', 'isActive'],
      ['search=ab', 'search'],
      ['search=a%00b', 'search'],
      [`search=${long(256)}`, 'search'],
      ['clientId=', 'clientId'],
      [`clientId=${long(256)}`, 'clientId'],
      ['clientId=a%00b', 'clientId'],
    ]
    test.each(table)('%s', async (query, path) => {
      await expectRefused(await app.keys('GET', undefined, `?${query}`), [path])
    })

    test.each(['9223372036854775807:x', '-9223372036854775808:x', '0:x'])(
      'whose cursor looks real is no fault: %s',
      async (text) => {
        const { status } = await app.keys('GET', undefined, `?cursor=${madeUp(text)}`)
        expect([200, 400]).toContain(status)
      },
    )
  })

  describe('a body', () => {
    const texts = [
      '',
      '{',
      '{"name":"a",}',
      "{'name':'a'}",
      'name=a',
      '{"name":"a"} {}',
      'undefined',
    ]
    test.each(texts)('that is not JSON: %s', async (text) => {
      for (const method of ['POST', 'PUT', 'PATCH']) {
        await expectRefused(await app.keysText(method, text), [''])
      }
    })

    test('that is not UTF-8', async () => {
      const bytes = Buffer.from('{"name":"\xff","clientId":"acme"}', 'latin1')
      await expectRefused(await app.keysText('POST', bytes), [''])
    })

    test('that is absent', async () => {
      await expectRefused(await app.keys('POST'), [''])
    })

    test.each(['null', '5', '"text"', 'true', '[]', '[{"name":"a"}]', nested(30_000)])(
      'that is not an object: %.20s',
      async (text) => {
        for (const method of ['POST', 'PUT', 'PATCH']) {
          await expectRefused(await app.keysText(method, text), [''])
        }
      },
    )

    const KIB_256 = 256 * 1024
    const padded = (bytes: number): string =>
      '{"name":"Padded","clientId":"acme"}'.padEnd(bytes, ' ')
    const tooLarge = {
      status: 413,
      body: { error: expect.stringMatching(/256 KiB/), code: 'PAYLOAD_TOO_LARGE' },
    }

    test('of exactly 256 KiB is read, one byte more is 413', async () => {
      expect((await app.keysText('POST', padded(KIB_256))).status).toBe(201)
      for (const method of ['POST', 'PUT', 'PATCH']) {
        expect(await app.keysText(method, padded(KIB_256 + 1))).toMatchObject(tooLarge)
      }
    })

    test('that is too large is 413 before it is parsed', async () => {
      expect(await app.keysText('POST', long(5_000_000))).toMatchObject(tooLarge)
    })

    test('without a length is 413 as soon as it is too large, were it endless', async () => {
      for (let round = 0; round < 3; round++) {
        expect(await app.keysText('POST', endless())).toMatchObject(tooLarge)
      }
    })

    test('that was too large does not block the requests after it', async () => {
      for (let round = 0; round < 10; round++) {
        expect(await app.keysText('POST', long(1_000_000))).toMatchObject(tooLarge)
        expect((await app.keys('GET', undefined, '?limit=1')).status).toBe(200)
      }
    })
  })

  /** A chunk for each read, and no end: sent only as long as somebody reads. */
  function endless(): ReadableStream<Uint8Array> {
    return new ReadableStream({
      async pull(controller) {
        await new Promise(setImmediate)
        controller.enqueue(new Uint8Array(16 * 1024))
      },
    })
  }
})
