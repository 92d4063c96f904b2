import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { addon } from '../support/addon.js'
import { makeSigner, type Signer } from '../support/github.js'
import { expectFailure, HOST, next, read, untyped, type Answer } from '../support/next.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, flush, getApiKey, listAuditEvents } = addon
type Options = Parameters<typeof next.leakRoutes>[0]
type Handler = ReturnType<typeof next.leakRoutes>['POST']

useAddon()
const github = makeSigner()
const url = 'https://github.com/octocat/Hello-World/blob/1234/foo/bar.txt'
const compromised = { isActive: false, revokedReason: 'compromised', revokedBy: null }
const TYPE = 'acme_api_key'
const positive = (token: string) => label(token, 'true_positive')
const negative = (token: string) => label(token, 'false_positive')
const label = (token: string, label: string) => ({ token_raw: token, token_type: TYPE, label })

const make = () => createApiKey({ name: 'n', clientId: 'c' })
const handlerOf = (options: Partial<Options> = {}): Handler =>
  next.leakRoutes({ keys: [github.entry], ...options }).POST
const post = async (
  handler: Handler,
  body: string | Buffer,
  headers: Record<string, string>,
): Promise<Answer> =>
  read(await handler(new Request(`${HOST}/api/leaks`, { method: 'POST', headers, body })))
/** Sends a body that is signed. */
const sendText = (handler: Handler, body: string | Buffer, signer: Signer = github) =>
  post(handler, body, signer.headersFor(body))
const send = (handler: Handler, matches: unknown, signer?: Signer) =>
  sendText(handler, JSON.stringify(matches), signer)
const matchOf = (token: string, more: object = {}) => ({
  token,
  type: TYPE,
  url,
  source: 'content',
  ...more,
})
const expectNotSigned = (answer: Answer) => {
  expectFailure(answer, 401, 'INVALID_SIGNATURE', 'The request is not signed by GitHub')
  expect(answer.headers['www-authenticate']).toBe('Signature realm="GitHub secret scanning"')
}

const log = vi.spyOn(console, 'error')
beforeEach(() => void log.mockReset().mockImplementation(() => {}))
afterEach(() => expect(log).not.toHaveBeenCalled())

/** What GitHub has published: its keys, and bodies with their signatures. */
const published = {
  keys: [
    {
      key_identifier: '90a421169f0a406205f1563a953312f0be898d3c7b6c06b681aa86a874555f4a',
      key: `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9MJJHnMfn2+H4xL4YaPDA4RpJqUq
kCmRCBnYERxZanmcpzQSXs1X/AljlKkbJ8qpVIW4clayyef9gWhFbNHWAA==
-----END PUBLIC KEY-----
`,
      is_current: false,
    },
    {
      key_identifier: 'bcb53661c06b4728e59d897fb6165d5c9cda0fd9cdf9d09ead458168deb7518c',
      key: `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYAGMWO8XgCamYKMJS6jc/qgvSlAd
AjPuDPRcXU22YxgBrz+zoN19MzuRyW87qEt9/AmtoNP5GrobzUvQSyJFVw==
-----END PUBLIC KEY-----
`,
      is_current: true,
    },
  ],
  requests: [
    {
      id: '90a421169f0a406205f1563a953312f0be898d3c7b6c06b681aa86a874555f4a',
      signature:
        'MEUCIQDKZokqnCjrRtw0tni+2Ltvl/uiMJ1EGumEsp1BsNr32AIgQY1YXD2nlj+XNfGK4rBfkMJ1JDOQcYXxa2sY8FNkrKc=',
      body: '[{"token":"some_token","type":"some_type","url":"some_url"}]',
    },
    {
      id: 'bcb53661c06b4728e59d897fb6165d5c9cda0fd9cdf9d09ead458168deb7518c',
      signature:
        'MEQCIQDaMKqrGnE27S0kgMrEK0eYBmyG0LeZismAEz/BgZyt7AIfXt9fErtRS4XaeSt/AO1RtBY66YcAdjxji410VQV4xg==',
      body: '[{"source":"commit","token":"some_token","type":"some_type","url":"https://example.com/base-repo-url/"}]',
    },
  ],
}

describe.each(published.requests)('the request that GitHub signed with $id', (request) => {
  const { id, signature, body } = request
  const headers = {
    'Github-Public-Key-Identifier': id,
    'Github-Public-Key-Signature': signature,
  }
  const { POST } = next.leakRoutes({ keys: published.keys })

  test('is answered', async () => {
    expect(await post(POST, body, headers)).toEqual({
      status: 200,
      headers: { 'cache-control': 'no-store', 'content-type': 'application/json' },
      body: [{ token_raw: 'some_token', token_type: 'some_type', label: 'false_positive' }],
    })
  })

  test('is not with anything else in it', async () => {
    const [other] = published.requests.filter((other) => other.id !== id)
    for (const [changedBody, changed] of [
      [body.replace('some_token', 'some_Token'), {}],
      [`${body}\n`, {}],
      [other!.body, {}],
      [body, { 'Github-Public-Key-Identifier': other!.id }],
      [body, { 'Github-Public-Key-Signature': other!.signature }],
    ] as [string, object][])
      expectNotSigned(await post(POST, changedBody, { ...headers, ...changed }))
  })
})

describe('a report', () => {
  test('revokes the keys that are in it, and says which tokens are none', async () => {
    const [one, other] = [await make(), await make()]
    const tokens = [one.key, 'some_token', other.key, `${one.key}x`, one.key]
    const answer = await send(
      handlerOf(),
      tokens.map((token) => matchOf(token)),
    )
    expect(answer.status).toBe(200)
    expect(answer.body).toEqual([
      positive(one.key),
      negative('some_token'),
      positive(other.key),
      negative(`${one.key}x`),
      positive(one.key),
    ])
    for (const { id } of [one, other]) {
      expect(await getApiKey(id)).toMatchObject(compromised)
      await flush()
      const { events } = await listAuditEvents({ keyId: id, type: 'key.leaked' })
      expect(events).toMatchObject([{ action: 'revoke', url, source: 'content' }])
    }
  })

  test('leaves them as they are with notify', async () => {
    const { id, key } = await make()
    const answer = await send(handlerOf({ action: 'notify' }), [matchOf(key)])
    expect(answer).toMatchObject({ status: 200, body: [positive(key)] })
    expect(await getApiKey(id)).toMatchObject({ isActive: true, revokedAt: null })
  })

  test('may be empty, and may come again', async () => {
    const { key } = await make()
    const handler = handlerOf()
    expect(await send(handler, [])).toMatchObject({ status: 200, body: [] })
    for (const _ of [1, 2])
      expect(await send(handler, [matchOf(key)])).toMatchObject({ body: [positive(key)] })
  })

  test('may have more matches than one call takes', async () => {
    const { id, key } = await make()
    const tokens = [...Array.from({ length: 2_500 }, (_, index) => `token-${index}`), key]
    const answer = await send(
      handlerOf(),
      tokens.map((token) => ({ token, type: TYPE })),
    )
    expect(answer.body).toEqual([...tokens.slice(0, -1).map(negative), positive(key)])
    expect(await getApiKey(id)).toMatchObject(compromised)
  })

  test('is dealt with whatever texts come with a key', async () => {
    for (const more of [
      { url: '', source: '' },
      { url: null, source: 5 },
      { url: { a: 1 }, source: ['a'], more: true },
      { url: `https://example.com/${'x'.repeat(10_000)}`, source: 'y'.repeat(1_000) },
      { url: `https://example.com/\ud800\0${'\u{1f511}'.repeat(3_000)}`, source: '\udc00' },
      { url: `${'x'.repeat(2_047)}\u{1f511}` },
    ]) {
      const { id, key } = await make()
      const body = [
        matchOf(key, more),
        matchOf('x'.repeat(100_000)),
        matchOf('\ud800'),
        matchOf(`${key}\0`),
      ]
      const answer = await send(handlerOf(), body)
      expect(answer.status).toBe(200)
      const labels = answer.body.map(({ label }: { label: string }) => label)
      expect(labels).toEqual(['true_positive', ...Array(3).fill('false_positive')])
      expect(await getApiKey(id)).toMatchObject(compromised)
    }
  })

  test('must be one', async () => {
    const { id, key } = await make()
    const match = matchOf(key)
    const bodies = [
      ...['', 'junk', '[', 'null', '5', '"a"', '{}', `[${JSON.stringify(match)}`],
      ...[match, [match, null], [match, 5], [match, 'a'], [[match]], [match, {}]].map((body) =>
        JSON.stringify(body),
      ),
      ...[{ type: TYPE }, { token: 'a' }, { token: 5, type: TYPE }, { token: 'a', type: null }].map(
        (wrong) => JSON.stringify([match, wrong]),
      ),
      Buffer.concat([Buffer.from('[{"type":"t","token":"'), Buffer.of(0xff), Buffer.from('"}]')]),
    ]
    for (const body of bodies) {
      const answer = await sendText(handlerOf(), body)
      expectFailure(answer, 400, 'INVALID_INPUT')
      expect(answer.body.issues).toMatchObject([{ path: '' }])
    }
    expect(await getApiKey(id)).toMatchObject({ revokedAt: null })
  })

  test('must not be larger than 1 MiB', async () => {
    const bodyOf = (bytes: number) => JSON.stringify([matchOf('x'.repeat(bytes))])
    const room = 1024 * 1024 - bodyOf(0).length
    expect((await sendText(handlerOf(), bodyOf(room))).status).toBe(200)
    const answer = await sendText(handlerOf(), bodyOf(room + 1))
    expectFailure(answer, 413, 'PAYLOAD_TOO_LARGE', 'Request body must not exceed 1024 KiB')
  })
})

describe('a request that GitHub has not signed', () => {
  test('is refused before anything of it is read', async () => {
    const { id, key } = await make()
    const body = JSON.stringify([matchOf(key)])
    const signed = github.headersFor(body)
    const identifier = 'github-public-key-identifier'
    const signature = 'github-public-key-signature'
    const { [identifier]: _id, ...withoutIdentifier } = signed
    const { [signature]: _signature, ...withoutSignature } = signed
    const stranger = makeSigner()
    for (const headers of [
      {},
      withoutIdentifier,
      withoutSignature,
      { ...signed, [identifier]: '' },
      { ...signed, [identifier]: 'x' },
      { ...signed, [identifier]: '__proto__' },
      { ...signed, [signature]: 'junk' },
      { ...signed, [signature]: Buffer.alloc(72).toString('base64') },
      { ...signed, [signature]: 'A'.repeat(8_000) },
      { ...signed, [signature]: github.headersFor('[]')[signature]! },
      stranger.headersFor(body),
      { ...stranger.headersFor(body), [identifier]: signed[identifier]! },
      { 'x-admin-token': 'x', authorization: 'Bearer x' },
    ] as Record<string, string>[])
      expectNotSigned(await post(handlerOf(), body, headers))
    expect(await getApiKey(id)).toMatchObject({ revokedAt: null })
    const pulled = vi.fn()
    const unread = new Request(HOST, {
      method: 'POST',
      headers: stranger.headersFor(body),
      body: new ReadableStream({ pull: pulled }, { highWaterMark: 0 }),
      duplex: 'half',
    } as RequestInit)
    expectNotSigned(await read(await handlerOf()(unread)))
    expect(pulled).not.toHaveBeenCalled()
  })

  test('with a key of another curve is none of this contract', async () => {
    const other = makeSigner('secp384r1')
    const handler = handlerOf({ keys: [other.entry, github.entry] })
    expectNotSigned(await send(handler, [], other))
    expect((await send(handler, [])).status).toBe(200)
  })
})

describe('a function that gives the keys', () => {
  let now: number
  let clock: { mockRestore(): void }
  beforeEach(() => {
    now = performance.now()
    clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
  })
  afterEach(() => clock.mockRestore())

  test('is asked when a report comes, and not for each', async () => {
    const keys = vi.fn(async () => [github.entry])
    const handler = handlerOf({ keys })
    expect(keys).not.toHaveBeenCalled()
    expectNotSigned(await post(handler, '[]', {}))
    expect(keys).not.toHaveBeenCalled()
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(handler, [])))
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
    expect(keys).toHaveBeenCalledTimes(1)
  })

  test('is asked again for a key that it did not give, after a pause', async () => {
    const rotated = makeSigner()
    const keys = vi.fn(() => [github.entry])
    const handler = handlerOf({ keys })
    expect((await send(handler, [])).status).toBe(200)
    keys.mockReturnValue([github.entry, rotated.entry])
    for (const _ of [1, 2, 3]) expectNotSigned(await send(handler, [], rotated))
    now += 9_999
    expectNotSigned(await send(handler, [], rotated))
    expect(keys).toHaveBeenCalledTimes(1)
    now += 1
    const answers = await Promise.all([rotated, github].map((signer) => send(handler, [], signer)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    for (const _ of [1, 2, 3]) expectNotSigned(await send(handler, [], makeSigner()))
    expect(keys).toHaveBeenCalledTimes(2)
  })

  test('is asked after an hour, so that a withdrawn key is not accepted for longer', async () => {
    const keys = vi.fn(() => [github.entry])
    const handler = handlerOf({ keys })
    expect((await send(handler, [])).status).toBe(200)
    keys.mockReturnValue([makeSigner().entry])
    now += 3_599_999
    expect((await send(handler, [])).status).toBe(200)
    now += 1
    expectNotSigned(await send(handler, []))
    expect(keys).toHaveBeenCalledTimes(2)
  })

  test('may fail: that goes on to the framework, and it is asked again after a pause', async () => {
    const keys = vi.fn(async () => [github.entry])
    keys.mockRejectedValueOnce(new Error('no network'))
    const handler = handlerOf({ keys })
    for (const _ of [1, 2]) await expect(send(handler, [])).rejects.toThrow('no network')
    expect(keys).toHaveBeenCalledTimes(1)
    now += 10_000
    expect((await send(handler, [])).status).toBe(200)
  })

  test.each([[undefined], [{ public_keys: [] }], [[]], [[{ key_identifier: 'a' }]]])(
    'must not give %j',
    async (wrong) => {
      const handler = handlerOf({ keys: () => wrong as never })
      await expect(send(handler, [])).rejects.toThrow(TypeError)
    },
  )
})

describe('onLeak', () => {
  test('is told each leak of a key, once all are dealt with', async () => {
    const [one, other] = [await make(), await make()]
    const told: unknown[] = []
    const onLeak = vi.fn(async (leak: { keyId: string }) => {
      for (const { id } of [one, other]) expect(await getApiKey(id)).toMatchObject(compromised)
      told.push(leak)
    })
    const matches = [
      matchOf(one.key),
      matchOf('some_token'),
      matchOf(other.key, { url: '', source: undefined }),
    ]
    expect((await send(handlerOf({ onLeak }), matches)).status).toBe(200)
    expect(told).toEqual([
      { keyId: one.id, url, source: 'content' },
      { keyId: other.id, url: null, source: null },
    ])
  })

  test('is not hidden if it fails: the keys are revoked, the others are told, and all again', async () => {
    const [one, other] = [await make(), await make()]
    const failure = new Error('no mail')
    const onLeak = vi.fn<NonNullable<Options['onLeak']>>()
    onLeak.mockImplementationOnce(() => {
      throw failure
    })
    const handler = handlerOf({ onLeak })
    const matches = [matchOf(one.key), matchOf(other.key)]
    const answer = await send(handler, matches)
    expectFailure(answer, 500, 'INTERNAL', 'The keys are revoked, but onLeak failed')
    expect(log.mock.calls).toEqual([[failure]])
    log.mockClear()
    const toldOf = () => onLeak.mock.calls.map(([{ keyId }]) => keyId)
    expect(toldOf()).toEqual([one.id, other.id])
    for (const { id } of [one, other]) expect(await getApiKey(id)).toMatchObject(compromised)
    expect((await send(handler, matches)).body).toEqual([positive(one.key), positive(other.key)])
    expect(toldOf()).toEqual([one.id, other.id, one.id, other.id])

    onLeak.mockRejectedValueOnce(failure)
    const notified = await send(handlerOf({ onLeak, action: 'notify' }), [matchOf(one.key)])
    expectFailure(notified, 500, 'INTERNAL', 'The keys are recorded, but onLeak failed')
    log.mockClear()
  })
})

test('options are checked when the routes are made', () => {
  const keys = [github.entry]
  for (const options of [
    undefined,
    null,
    {},
    { keys: undefined },
    { keys: null },
    { keys: 'a' },
    { keys: [] },
    { keys: [null] },
    { keys: ['a'] },
    { keys: [{ ...github.entry, key: 'a' }] },
    { keys: [{ ...github.entry, key_identifier: 5 }] },
    { keys: [makeSigner('secp256k1').entry] },
    { keys: { public_keys: keys } },
    { keys, action: 'delete' },
    { keys, action: null },
    { keys, onLeak: 'a' },
    { keys, authorize: () => null },
  ])
    expect(() => untyped.leakRoutes!(options), JSON.stringify(options)).toThrow(TypeError)
})
