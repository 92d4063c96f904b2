import { beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'
import { ask, expectFailure, HOST, next, read, untyped, type Answer } from '../support/next.js'

const { createAdminToken, createApiKey } = addon

const { sql } = useAddon({ jwtSecret: 'the secret of the routes, of 32 bytes or more' })
const routes = next.apiKeyRoutes()

let token: string
beforeAll(async () => {
  token = (await createAdminToken({ name: 'All', permissions: ['*'] })).token
})

type Method = keyof typeof routes
type Body = RequestInit['body']

async function send(method: Method, body?: Body, query = ''): Promise<Answer> {
  const init = { method, headers: { 'x-admin-token': token }, body, duplex: 'half' }
  return read(await routes[method](new Request(`${HOST}/api/keys${query}`, init as RequestInit)))
}
const sendJson = (method: Method, body: object): Promise<Answer> =>
  send(method, JSON.stringify(body))

test('there are the five of the contract', () => {
  expect(Object.keys(routes).sort()).toEqual(['DELETE', 'GET', 'PATCH', 'POST', 'PUT'])
})

test('a key is made, listed, changed, replaced and deleted', async () => {
  const made = await sendJson('POST', { name: 'Search', clientId: 'acme' })
  expect(made).toMatchObject({ status: 201, body: { name: 'Search', isActive: true } })
  const { key, ...shown } = made.body
  expect((await addon.verifyApiKey(key)).valid).toBe(true)

  const listed = await send('GET', undefined, '?clientId=acme')
  expect(listed).toMatchObject({ status: 200 })
  expect(listed.body).toHaveLength(1)
  expect(listed.body[0]).toMatchObject({ id: shown.id, name: 'Search' })
  expect(listed.body[0]).not.toHaveProperty('key')
  expect(listed.headers).not.toHaveProperty('link')

  const put = await sendJson('PUT', { ...listed.body[0], name: 'Renamed', suspendedUntil: 'x' })
  expect(put).toMatchObject({ status: 200, body: { name: 'Renamed', clientId: 'acme' } })
  expect(put.body).not.toHaveProperty('key')

  const rotated = await sendJson('PUT', { id: shown.id, regenerateKey: true })
  expect((await addon.verifyApiKey(rotated.body.key)).valid).toBe(true)

  const patched = await sendJson('PATCH', { id: shown.id, usageCount: 9, isActive: false })
  expect(patched).toMatchObject({ status: 200, body: { isActive: false } })

  const deleted = await send('DELETE', undefined, `?id=${shown.id}`)
  expect(deleted).toMatchObject({ status: 200, body: { success: true } })
  expectFailure(await send('DELETE', undefined, `?id=${shown.id}`), 404, 'NOT_FOUND')
  for (const answer of [made, listed, put, rotated, patched, deleted])
    expect(answer.headers['cache-control']).toBe('no-store')
})

test('each asks for its permission', async () => {
  for (const method of Object.keys(routes) as Method[]) {
    const wanted = method === 'GET' ? 'keys:read' : 'keys:write'
    for (const permission of ['keys:read', 'keys:write', 'metrics:read']) {
      const { token } = await createAdminToken({ name: 'One', permissions: [permission] })
      const request = new Request(`${HOST}/api/keys`, {
        method,
        headers: { 'x-admin-token': token },
      })
      const { status } = await read(await routes[method](request))
      const heard = method === 'GET' ? 200 : 400
      expect([method, permission, status]).toEqual([
        method,
        permission,
        permission === wanted ? heard : 403,
      ])
    }
  }
})

describe('POST', () => {
  const fields = { name: 'Fields', clientId: 'acme' }

  test('refuses fields that it does not know', async () => {
    const answer = await sendJson('POST', { ...fields, ratelimit: 5, key: 'mine' })
    expectFailure(answer, 400, 'INVALID_INPUT')
    const paths = answer.body.issues.map(({ path }: { path: string }) => path)
    expect(paths.sort()).toEqual(['key', 'ratelimit'])
  })

  test('ignores what GET shows and cannot be set', async () => {
    const { key, ...shown } = (await sendJson('POST', fields)).body
    const copy = await sendJson('POST', { ...shown, usageCount: 9, suspendedUntil: 'x' })
    expect(copy).toMatchObject({ status: 201, body: { name: 'Fields', usageCount: 0 } })
    expect(copy.body.id).not.toBe(shown.id)
    expect(copy.body.suspendedUntil).toBeNull()
  })

  test("ignores unknown fields as the old app did with compat: 'prisma', and PATCH refuses them", async () => {
    const old = next.apiKeyRoutes({ compat: 'prisma' })
    const ask = async (method: 'POST' | 'PATCH', body: object): Promise<Answer> => {
      const headers = { 'x-admin-token': token }
      const init = { method, headers, body: JSON.stringify(body) }
      return read(await old[method](new Request(`${HOST}/api/keys`, init)))
    }
    const made = await ask('POST', { ...fields, ratelimit: 5, key: 'mine', usageCount: 5 })
    expect(made).toMatchObject({ status: 201, body: { rateLimit: null, usageCount: 0 } })
    expectFailure(await ask('POST', { ...fields, rateLimit: 'x' }), 400, 'INVALID_INPUT')
    expectFailure(await ask('PATCH', { id: made.body.id, colour: 1 }), 400, 'INVALID_INPUT')
  })
})

describe('limits', () => {
  const limits = [
    { name: 'tokens', limit: 1_000, windowSeconds: 60 },
    { name: 'images', limit: 5, windowSeconds: 86_400, suspends: true },
  ]
  const fields = { name: 'Limits', clientId: 'acme' }

  test('are set, shown, sent back, changed and cleared', async () => {
    const { body, status } = await sendJson('POST', { ...fields, limits })
    expect([status, body.limits]).toEqual([201, limits])
    const { key, ...shown } = body
    expect((await sendJson('PUT', { ...shown, name: 'Edited' })).body).toMatchObject({ limits })
    const other = [{ name: 'tokens', limit: 5, windowSeconds: 1 }]
    const changed = await sendJson('PATCH', { id: shown.id, limits: other })
    expect(changed.body).toMatchObject({ name: 'Edited', limits: other })
    expect((await sendJson('PATCH', { id: shown.id, limits: null })).body.limits).toEqual([])
    const least = await sendJson('POST', fields)
    expect(least.body.limits).toEqual([])
    const compat = next.apiKeyRoutes({ compat: 'prisma' })
    const init = { method: 'POST', body: JSON.stringify({ ...fields, limits, colour: 'red' }) }
    const request = new Request(`${HOST}/api/keys`, {
      ...init,
      headers: { 'x-admin-token': token },
    })
    expect((await read(await compat.POST(request))).body.limits).toEqual(limits)
  })

  const bad: [limits: unknown, paths: string[]][] = [
    [{}, ['limits']],
    ['[]', ['limits']],
    [Array.from({ length: 9 }, (_, n) => ({ ...limits[0], name: `n${n}` })), ['limits']],
    [[limits[0], limits[1], limits[0]], ['limits[2].name']],
    [[{ ...limits[0], name: 'default' }], ['limits[0].name']],
    [
      [{ ...limits[0], colour: 'red' }, null],
      ['limits[0].colour', 'limits[1]'],
    ],
    [
      [{ name: 'a b', limit: 1_000_001, windowSeconds: 0.5 }],
      ['limits[0].name', 'limits[0].limit', 'limits[0].windowSeconds'],
    ],
  ]
  test.each(bad)('are not %j', async (limits, paths) => {
    const { id } = (await sendJson('POST', fields)).body
    for (const [method, body] of [
      ['POST', { ...fields, limits }],
      ['PUT', { id, limits }],
      ['PATCH', { id, limits }],
    ] as const) {
      const answer = await sendJson(method, body)
      expectFailure(answer, 400, 'INVALID_INPUT')
      const found = answer.body.issues.map(({ path }: { path: string }) => path)
      expect(found.sort()).toEqual([...paths].sort())
    }
  })
})

describe('a body', () => {
  const KIB_256 = 256 * 1024
  const METHODS: Method[] = ['POST', 'PUT', 'PATCH']
  const padded = (bytes: number): string => '{"name":"Padded","clientId":"pad"}'.padEnd(bytes, ' ')

  test('of 256 KiB is read, one byte more is 413', async () => {
    expect((await send('POST', padded(KIB_256))).status).toBe(201)
    for (const method of METHODS) {
      const answer = await send(method, padded(KIB_256 + 1))
      expectFailure(answer, 413, 'PAYLOAD_TOO_LARGE', 'Request body must not exceed 256 KiB')
    }
  })

  test('is counted as it comes: an endless one is refused after 256 KiB, its rest not kept', async () => {
    let chunks = 0
    const endless = new ReadableStream({
      async pull(controller) {
        await new Promise(setImmediate)
        if (++chunks < 1_000) controller.enqueue(new Uint8Array(16 * 1024))
        else controller.close()
      },
    })
    expectFailure(await send('POST', endless), 413, 'PAYLOAD_TOO_LARGE')
    expect(chunks).toBeLessThan(100)
  })

  test('is not read without a valid token', async () => {
    let pulls = 0
    const body = new ReadableStream({ pull: () => void pulls++ }, { highWaterMark: 0 })
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit
    const answer = await read(await routes.POST(new Request(`${HOST}/api/keys`, init)))
    expectFailure(answer, 401, 'MISSING_TOKEN')
    expect(pulls).toBe(0)
  })

  const bad: [string, Body][] = [
    ['none', null],
    ['empty', ''],
    ['broken', '{"name":'],
    ['form data', 'name=a&clientId=b'],
    ['bytes that are no UTF-8', new Uint8Array([0x7b, 0xff, 0x7d])],
    ['two documents', '{} {}'],
  ]
  test.each(bad)('that is no JSON is 400: %s', async (_name, body) => {
    for (const method of METHODS) {
      const answer = await send(method, body)
      expectFailure(answer, 400, 'INVALID_INPUT', 'Request body must be valid JSON')
      expect(answer.body.issues).toEqual([{ path: '', message: answer.body.error }])
    }
  })

  test.each(['null', '5', '"text"', 'true', '[]'])('that is no object is 400: %s', async (body) => {
    for (const method of METHODS) {
      const answer = await send(method, body)
      expectFailure(answer, 400, 'INVALID_INPUT', 'Request body must be a JSON object')
    }
  })

  test('needs no Content-Type', async () => {
    const body = new TextEncoder().encode('{"name":"Typeless","clientId":"acme"}')
    expect((await send('POST', body)).status).toBe(201)
  })
})

test('without an id there is the message of old', async () => {
  const answers = [
    await sendJson('PUT', { name: 'n' }),
    await sendJson('PATCH', { id: '', name: 'n' }),
    await send('DELETE'),
    await send('DELETE', undefined, '?id='),
  ]
  for (const answer of answers)
    expectFailure(answer, 400, 'INVALID_INPUT', 'API key ID is required')
})

test('pages are announced in the Link header', async () => {
  for (let n = 0; n < 5; n++) await createApiKey({ name: `Page ${n}`, clientId: 'pages & more' })
  const ids: string[] = []
  let query: string | undefined = '?limit=2&clientId=pages%20%26%20more'
  while (query !== undefined) {
    const { status, body, headers } = await send('GET', undefined, query)
    expect(status).toBe(200)
    expect(body.length).toBeLessThanOrEqual(2)
    ids.push(...body.map(({ id }: { id: string }) => id))
    query = headers['link'] && /^<\/api\/keys(\?[^>]+)>; rel="next"$/.exec(headers['link'])![1]
  }
  expect(new Set(ids).size).toBe(5)
  for (const limit of ['0', '10001', 'x', '1.5', ''])
    expectFailure(await send('GET', undefined, `?limit=${limit}`), 400, 'INVALID_INPUT')
})

test('up to ten thousand come without a limit', async () => {
  await sql(
    `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "createdAt", "updatedAt")
     SELECT 'many-' || n, 'an old plaintext key no ' || n, 'many', 'Many', now(), now()
     FROM generate_series(1, 10003) AS n`,
  )
  const { body, headers } = await send('GET', undefined, '?clientId=many')
  expect(body).toHaveLength(10_000)
  expect(headers['link']).toMatch(/rel="next"$/)
})

test('HEAD asks GET, without the body', async () => {
  const headers = { 'x-admin-token': token }
  const request = new Request(`${HOST}/api/keys?limit=1`, { method: 'HEAD', headers })
  const answer = await read(await routes.GET(request))
  expect(answer).toMatchObject({ status: 200, body: '', headers: { 'cache-control': 'no-store' } })
  expect(answer.headers['link']).toMatch(/rel="next"$/)
})

test("authorize lets the app's own sessions manage keys", async () => {
  const { GET, POST } = next.apiKeyRoutes({
    authorize: ({ headers }) =>
      headers.has('x-session') && { name: 'Ann', permissions: ['keys:read'] },
  })
  expect((await ask(GET, { 'x-session': '1' }, '/api/keys?limit=1')).status).toBe(200)
  expectFailure(await ask(GET), 401, 'MISSING_TOKEN')
  expectFailure(await ask(POST, { 'x-session': '1' }), 403, 'INSUFFICIENT_PERMISSION')
  for (const options of [
    'x',
    { authorise: () => null },
    { permission: 'keys:read' },
    { compat: 'Prisma' },
    { compat: true },
    { compat: undefined },
  ])
    expect(() => untyped.apiKeyRoutes!(options)).toThrow(TypeError)
})

describe('Idempotency-Key', () => {
  const post = async (sent: string, body: object): Promise<Answer> => {
    const headers = { 'x-admin-token': token, 'idempotency-key': sent }
    const init = { method: 'POST', headers, body: JSON.stringify(body) }
    return read(await routes.POST(new Request(`${HOST}/api/keys`, init)))
  }
  const body = { name: 'Search', clientId: 'acme' }

  test('makes a repeated POST answer with the same key, quoted or not', async () => {
    const made = await post('"one"', body)
    expect(made.status).toBe(201)
    expect(await post('one', body)).toMatchObject({ status: 201, body: { key: made.body.key } })
  })

  test('is refused with another body, and named where it is wrong', async () => {
    await post('two', body)
    expectFailure(await post('two', { ...body, rateLimit: 1 }), 422, 'IDEMPOTENCY_KEY_REUSED')
    const wrong = await post('x'.repeat(256), body)
    expectFailure(wrong, 400, 'INVALID_INPUT')
    expect(wrong.body.issues[0].path).toBe('idempotencyKey')
  })

  test('is read from the body too, as createApiKey takes it', async () => {
    const wanted = { ...body, idempotencyKey: 'four' }
    const made = await sendJson('POST', wanted)
    expect(await sendJson('POST', wanted)).toMatchObject({
      status: 201,
      body: { key: made.body.key },
    })
  })

  test('names the key whose plaintext is no longer known', async () => {
    const { id } = (await post('three', body)).body
    await sendJson('PUT', { id, regenerateKey: true })
    const conflict = await post('three', body)
    expect(conflict).toMatchObject({ status: 409, body: { code: 'CONFLICT', keyId: id } })
  })
})
