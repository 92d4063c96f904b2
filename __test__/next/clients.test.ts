import { beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'
import { ask, expectFailure, HOST, next, read, untyped, type Answer } from '../support/next.js'

const { createAdminToken, createApiKey, getClient, setClient } = addon

const { sql } = useAddon({ jwtSecret: 'the secret of the routes, of 32 bytes or more' })
const routes = next.clientRoutes()

let token: string
let tokenId: string
beforeAll(async () => {
  const made = await createAdminToken({ name: 'All', permissions: ['*'] })
  token = made.token
  tokenId = made.id
})

type Method = keyof typeof routes

async function send(method: Method, body?: RequestInit['body'], query = ''): Promise<Answer> {
  const init = { method, headers: { 'x-admin-token': token }, body, duplex: 'half' }
  return read(await routes[method](new Request(`${HOST}/api/clients${query}`, init as RequestInit)))
}
const get = (query = ''): Promise<Answer> => send('GET', undefined, query)
const put = (body: object): Promise<Answer> => send('PUT', JSON.stringify(body))
const remove = (query: string): Promise<Answer> => send('DELETE', undefined, query)

const iso = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)

test('there are three', () => {
  expect(Object.keys(routes).sort()).toEqual(['DELETE', 'GET', 'PUT'])
})

test('a client is set, read, sent back, cleared and deleted', async () => {
  await setClient({ clientId: 'holding' })
  await createApiKey({ name: 'n', clientId: 'acme' })
  const settings = {
    clientId: 'acme',
    name: 'Acme',
    isActive: false,
    metadata: { plan: 'pro' },
    allowedIps: ['10.0.0.0/8'],
    limits: [
      { name: 'default', limit: 500, windowSeconds: 60 },
      { name: 'tokens', limit: 9, windowSeconds: 3_600, suspends: true },
    ],
    quotas: [
      { name: 'default', amount: 1_000_000, period: 'month', timeZone: 'UTC', anchorDay: 1 },
      { name: 'images', amount: 100, period: 'total', timeZone: 'UTC' },
    ],
    maxKeys: 5,
    parentId: 'holding',
  }
  const made = await put(settings)
  const dates = { createdAt: iso, updatedAt: iso }
  expect(made.status).toBe(200)
  expect(made.body).toEqual({ ...settings, keyCount: 1, ...dates })

  const shown = await get('?clientId=acme')
  expect(shown).toMatchObject({ status: 200, body: made.body })

  const sentBack = await put({ ...shown.body, name: 'Renamed', keyCount: 9, createdAt: 'x' })
  expect(sentBack).toMatchObject({ status: 200, body: { ...settings, name: 'Renamed' } })
  expect(sentBack.body).toMatchObject({ keyCount: 1, createdAt: made.body.createdAt })

  const emptying = { allowedIps: null, limits: null, quotas: null }
  const empty = { allowedIps: [], limits: [], quotas: [] }
  const clearing = { name: null, metadata: null, maxKeys: null, parentId: null }
  const cleared = await put({ clientId: 'acme', ...clearing, ...emptying })
  expect(cleared.body).toMatchObject({ ...clearing, ...empty, isActive: false })

  const deleted = await remove('?clientId=acme')
  expect(deleted).toMatchObject({ status: 200, body: { success: true } })
  expect(await getClient('acme')).toBeNull()
  expectFailure(await get('?clientId=acme'), 404, 'NOT_FOUND', 'Client not found')
  expectFailure(await remove('?clientId=acme'), 404, 'NOT_FOUND', 'Client not found')
  for (const answer of [made, shown, sentBack, cleared, deleted])
    expect(answer.headers['cache-control']).toBe('no-store')
})

test('each asks for its permission', async () => {
  for (const method of Object.keys(routes) as Method[]) {
    const wanted = method === 'GET' ? 'clients:read' : 'clients:write'
    for (const permission of ['clients:read', 'clients:write', 'keys:read', 'keys:write']) {
      const { token } = await createAdminToken({ name: 'One', permissions: [permission] })
      const headers = { 'x-admin-token': token }
      const request = new Request(`${HOST}/api/clients`, { method, headers })
      const { status } = await read(await routes[method](request))
      const heard = method === 'GET' ? 200 : 400
      const expected = permission === wanted ? heard : 403
      expect([method, permission, status]).toEqual([method, permission, expected])
    }
  }
})

describe('nobody is let in', () => {
  test.each(Object.keys(routes) as Method[])('without a token: %s', async (method) => {
    for (const headers of [{}, { authorization: `Bearer ${token}` }] as Record<string, string>[])
      expectFailure(await ask(routes[method], headers), 401, 'MISSING_TOKEN')
    const { key } = await createApiKey({ name: 'n', clientId: 'c' })
    expectFailure(await ask(routes[method], { 'x-api-key': key }), 401, 'MISSING_TOKEN')
    expectFailure(await ask(routes[method], { 'x-admin-token': key }), 401, 'INVALID_TOKEN')
  })
})

describe('a list', () => {
  const ids = ({ body }: Answer): string[] => body.map((one: { clientId: string }) => one.clientId)

  test('is announced page by page in the Link header, newest first', async () => {
    const made = [0, 1, 2, 3, 4].map((n) => `pages & more ${n}`)
    for (const clientId of made) await setClient({ clientId })
    const read: string[] = []
    let query: string | undefined = '?limit=2&search=S%20%26%20More'
    while (query !== undefined) {
      const answer = await get(query)
      expect(answer.status).toBe(200)
      expect(answer.body.length).toBeLessThanOrEqual(2)
      read.push(...ids(answer))
      const { link } = answer.headers
      query = link && /^<\/api\/clients(\?[^>]+)>; rel="next"$/.exec(link)![1]
    }
    expect(read).toEqual(made.reverse())
  })

  test('has up to a thousand without a limit', async () => {
    await sql(
      `INSERT INTO sophra_api_keys.clients (client_id) SELECT 'many-' || n FROM generate_series(1, 1003) AS n`,
    )
    const { body, headers } = await get('?search=many-')
    expect(body).toHaveLength(1_000)
    expect(headers['link']).toMatch(/rel="next"$/)
    expect((await get('?search=many-100')).headers).not.toHaveProperty('link')
  })

  test.each(['limit=0', 'limit=1001', 'limit=x', 'limit=1.5', 'limit=', 'limit=0x10', 'limit=1e2'])(
    'has another limit: %s',
    async (query) => {
      const answer = await get(`?${query}`)
      expectFailure(answer, 400, 'INVALID_INPUT')
      expect(answer.body.issues.map(({ path }: { path: string }) => path)).toEqual(['limit'])
    },
  )

  test.each([
    ['cursor=made-up', 'cursor'],
    ['search=ab', 'search'],
    ['page=2', 'page'],
    ['isActive=true', 'isActive'],
    ['__proto__=2', '__proto__'],
  ])('takes no %s', async (query, path) => {
    const answer = await get(`?${query}`)
    expectFailure(answer, 400, 'INVALID_INPUT')
    expect(answer.body.issues.map(({ path }: { path: string }) => path)).toEqual([path])
  })

  test('is not asked for together with one client', async () => {
    await setClient({ clientId: 'single' })
    for (const other of ['limit', 'cursor', 'search', 'page', '__proto__']) {
      const answer = await get(`?clientId=single&${other}=10`)
      const message = 'clientId must not be combined with other parameters'
      expectFailure(answer, 400, 'INVALID_INPUT', message)
      expect(answer.body.issues).toEqual([{ path: 'clientId', message }])
    }
  })
})

test('HEAD asks GET, without the body', async () => {
  for (const clientId of ['head 1', 'head 2']) await setClient({ clientId })
  const headers = { 'x-admin-token': token }
  const request = new Request(`${HOST}/api/clients?limit=1`, { method: 'HEAD', headers })
  const answer = await read(await routes.GET(request))
  expect(answer).toMatchObject({ status: 200, body: '', headers: { 'cache-control': 'no-store' } })
  expect(answer.headers['link']).toMatch(/rel="next"$/)
})

test('without an id there is nothing to read, to set or to delete', async () => {
  const answers = [
    await get('?clientId='),
    await put({ name: 'n' }),
    await put({ clientId: '' }),
    await put({ clientId: null }),
    await remove(''),
    await remove('?clientId='),
    await remove('?id=acme'),
  ]
  for (const answer of answers) {
    expectFailure(answer, 400, 'INVALID_INPUT', 'Client ID is required')
    expect(answer.body.issues).toEqual([{ path: 'clientId', message: answer.body.error }])
  }
})

describe('PUT', () => {
  test.each([
    ['fields that it does not know', { colour: 'red', ratelimit: 5 }, ['colour', 'ratelimit']],
    ['what cannot be cleared', { isActive: null }, ['isActive']],
    ['values of other types', { name: 5, isActive: 'no', maxKeys: '5', metadata: [] }, undefined],
    ['numbers that are too low or too high', { maxKeys: -1 }, ['maxKeys']],
    ['more keys than there may be', { maxKeys: 1_000_001 }, ['maxKeys']],
    ['bad addresses', { allowedIps: ['::1', 'host'] }, ['allowedIps[1]']],
    ['limits that are no list', { limits: { name: 'a' } }, ['limits']],
    [
      'bad limits',
      {
        limits: [
          { name: 'a/b', limit: 0, windowSeconds: 86_401, suspends: 'no' },
          { name: 'b', limit: 5, windowSeconds: 60, window: 60 },
          { limit: '5' },
        ],
      },
      [
        ...['name', 'limit', 'windowSeconds', 'suspends'].map((field) => `limits[0].${field}`),
        ...['limits[1].window', 'limits[2].name', 'limits[2].limit', 'limits[2].windowSeconds'],
      ],
    ],
    ['quotas that are no list', { quotas: {} }, ['quotas']],
    [
      'bad quotas',
      {
        quotas: [
          { name: 'a/b', amount: -1, period: 'year', timeZone: 'Mars/Base', anchorDay: 0 },
          { name: 'b', amount: 1.5, period: 'week', anchorDay: 8 },
          { name: 'c', amount: 1e12 + 1, period: 'day', anchorDay: 1, limit: 5 },
          {},
        ],
      },
      [
        ...['name', 'amount', 'period', 'anchorDay'].map((field) => `quotas[0].${field}`),
        ...['quotas[1].amount', 'quotas[1].anchorDay', 'quotas[2].amount', 'quotas[2].limit'],
        ...['anchorDay'].map((field) => `quotas[2].${field}`),
        ...['name', 'amount', 'period'].map((field) => `quotas[3].${field}`),
      ],
    ],
    [
      'a time zone that does not exist',
      { quotas: [{ name: 'a', amount: 1, period: 'day', timeZone: 'Mars/Base' }] },
      ['quotas[0].timeZone'],
    ],
    ['a parent that was never set', { parentId: 'nobody' }, ['parentId']],
    ['itself as its parent', { parentId: 'refused' }, ['parentId']],
    ['control characters', { name: 'a\nb', parentId: '\u007f' }, ['name', 'parentId']],
  ])('refuses %s', async (_what, fields, paths = Object.keys(fields)) => {
    await setClient({ clientId: 'refused', name: 'Kept' })
    const before = await getClient('refused')
    const answer = await put({ clientId: 'refused', ...fields })
    expectFailure(answer, 400, 'INVALID_INPUT')
    const found = answer.body.issues.map(({ path }: { path: string }) => path)
    expect(found.sort()).toEqual([...paths].sort())
    expect(await getClient('refused')).toEqual(before)
  })

  test('takes no field from the prototype of the body', async () => {
    const text = '{"clientId":"own","__proto__":{"isActive":false}}'
    expectFailure(await send('PUT', text), 400, 'INVALID_INPUT')
    expectFailure(await send('PUT', '{"__proto__":{"clientId":"own"}}'), 400, 'INVALID_INPUT')
    expect(await getClient('own')).toBeNull()
  })

  const KIB_64 = 64 * 1024
  const padded = (bytes: number): string => '{"clientId":"padded"}'.padEnd(bytes, ' ')

  test('reads a body of 64 KiB, and answers 413 to one byte more', async () => {
    expect((await send('PUT', padded(KIB_64))).status).toBe(200)
    const answer = await send('PUT', padded(KIB_64 + 1))
    expectFailure(answer, 413, 'PAYLOAD_TOO_LARGE', 'Request body must not exceed 64 KiB')
  })

  test.each(['', '{', 'clientId=a', '{} {}'])('refuses what is no JSON: %j', async (text) => {
    const answer = await send('PUT', text)
    expectFailure(answer, 400, 'INVALID_INPUT', 'Request body must be valid JSON')
  })

  test.each(['null', '5', '"text"', 'true', '[]'])(
    'refuses what is no object: %s',
    async (text) => {
      const answer = await send('PUT', text)
      expectFailure(answer, 400, 'INVALID_INPUT', 'Request body must be a JSON object')
    },
  )
})

describe('409', () => {
  test('is the answer to a deletion of a parent', async () => {
    await setClient({ clientId: 'above' })
    await setClient({ clientId: 'below', parentId: 'above' })
    expectFailure(await remove('?clientId=above'), 409, 'CONFLICT')
    expect(await getClient('above')).not.toBeNull()
    await setClient({ clientId: 'below', parentId: null })
    expect((await remove('?clientId=above')).status).toBe(200)
  })

  test('is the answer of /api/keys where a client has no room, without the id of a key', async () => {
    await setClient({ clientId: 'full', maxKeys: 1 })
    const keys = next.apiKeyRoutes()
    const askKeys = async (method: 'POST' | 'PUT' | 'PATCH', body: object): Promise<Answer> => {
      const init = { method, headers: { 'x-admin-token': token }, body: JSON.stringify(body) }
      return read(await keys[method](new Request(`${HOST}/api/keys`, init)))
    }
    expect((await askKeys('POST', { name: 'n', clientId: 'full' })).status).toBe(201)
    expectFailure(await askKeys('POST', { name: 'n', clientId: 'full' }), 409, 'CONFLICT')
    const { id } = await createApiKey({ name: 'n', clientId: 'other' })
    for (const method of ['PUT', 'PATCH'] as const)
      expectFailure(await askKeys(method, { id, clientId: 'full' }), 409, 'CONFLICT')
  })
})

test('the audit log names the token, or the user of the app', async () => {
  await put({ clientId: 'audited', name: 'Audited' })
  const authorize = () => ({ name: 'Ann', permissions: ['clients:write'] })
  const { DELETE } = next.clientRoutes({ authorize })
  const request = new Request(`${HOST}/api/clients?clientId=audited`, { method: 'DELETE' })
  expect((await DELETE(request)).status).toBe(200)
  await addon.flush()
  const { events } = await addon.listAuditEvents()
  const ours = events.filter(({ clientId }) => clientId === 'audited')
  expect(ours.map(({ type, actor }) => [type, actor])).toEqual([
    ['client.deleted', 'Ann'],
    ['client.changed', tokenId],
  ])
})

test("authorize lets the app's own sessions manage clients", async () => {
  const { GET, PUT } = next.clientRoutes({
    authorize: ({ headers }) =>
      headers.has('x-session') && { name: 'Ann', permissions: ['clients:read'] },
  })
  expect((await ask(GET, { 'x-session': '1' }, '/api/clients?limit=1')).status).toBe(200)
  expectFailure(await ask(GET), 401, 'MISSING_TOKEN')
  expectFailure(await ask(PUT, { 'x-session': '1' }), 403, 'INSUFFICIENT_PERMISSION')
  for (const options of [
    'x',
    { authorise: () => null },
    { permission: 'clients:read' },
    { authorize: undefined },
    { compat: 'prisma' },
  ])
    expect(() => untyped.clientRoutes!(options)).toThrow(TypeError)
})
