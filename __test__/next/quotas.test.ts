import { beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'
import {
  ask,
  expectFailure,
  hello,
  HOST,
  next,
  read,
  secondsIn,
  untyped,
  type Answer,
} from '../support/next.js'

const { createAdminToken, createApiKey, flush, getApiKey, getQuota, setClient, verifyApiKey } =
  addon

useAddon({ jwtSecret: 'the secret of the routes, of 32 bytes or more' })
const routes = next.quotaRoutes()

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
  return read(await routes[method](new Request(`${HOST}/api/quotas${query}`, init as RequestInit)))
}
const get = (query: string): Promise<Answer> => send('GET', undefined, query)
const grant = (body: object): Promise<Answer> => send('POST', JSON.stringify(body))

const monthly = { name: 'tokens', amount: 1_000, period: 'month' as const }
const pathsOf = ({ body }: Answer): string[] =>
  body.issues.map(({ path }: { path: string }) => path).sort()

test('there are two', () => {
  expect(Object.keys(routes).sort()).toEqual(['GET', 'POST'])
})

test('a quota of a client is read and added to', async () => {
  await setClient({ clientId: 'acme & co', quotas: [monthly] })
  const query = `?clientId=${encodeURIComponent('acme & co')}&name=tokens`
  const unused = { ...monthly, used: 0, granted: 0, remaining: 1_000, withheld: 0 }
  const shown = await get(query)
  expect(shown.status).toBe(200)
  expect(shown.body).toEqual({
    ...unused,
    resetsAt: expect.stringMatching(/^\d{4}-\d\d-01T00:00:00\.000Z$/),
  })

  const input = { clientId: 'acme & co', name: 'tokens', amount: 50 }
  const granted = await grant(input)
  expect(granted).toMatchObject({ status: 200, body: { ...unused, granted: 50, remaining: 1_050 } })
  const again = await grant({ ...input, expiresAt: '2099-01-01T00:00:00Z' })
  expect(again).toMatchObject({ status: 200, body: { granted: 100, remaining: 1_100 } })
  expect((await get(query)).body).toEqual(again.body)
  for (const answer of [shown, granted, again])
    expect(answer.headers['cache-control']).toBe('no-store')
})

test('and so is one of a key', async () => {
  const quotas = [{ name: 'calls', amount: 3, period: 'total' as const }]
  const { id, key } = await createApiKey({ name: 'n', clientId: 'c', quotas })
  await verifyApiKey(key)
  await flush()
  const { body } = await get(`?keyId=${id}&name=calls`)
  expect(body).toMatchObject({ used: 1, remaining: 2, withheld: 0, resetsAt: null })
  const granted = await grant({ keyId: id, clientId: null, name: 'calls', amount: 4 })
  expect(granted).toMatchObject({ status: 200, body: { amount: 3, granted: 4, remaining: 6 } })
})

test('each asks for its permission', async () => {
  for (const method of Object.keys(routes) as Method[]) {
    const wanted = method === 'GET' ? 'quotas:read' : 'quotas:write'
    for (const permission of ['quotas:read', 'quotas:write', 'clients:write', 'keys:write']) {
      const { token } = await createAdminToken({ name: 'One', permissions: [permission] })
      const headers = { 'x-admin-token': token }
      const request = new Request(`${HOST}/api/quotas`, { method, headers })
      const { status } = await read(await routes[method](request))
      expect([method, permission, status]).toEqual([
        method,
        permission,
        permission === wanted ? 400 : 403,
      ])
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

test('without a quota there is nothing to read or to add to', async () => {
  await setClient({ clientId: 'without', quotas: [monthly] })
  const { id } = await createApiKey({ name: 'n', clientId: 'without' })
  const answers = [
    await get('?clientId=without&name=other'),
    await get('?clientId=nobody&name=tokens'),
    // The quota is that of its client.
    await get(`?keyId=${id}&name=tokens`),
    await grant({ clientId: 'without', name: 'other', amount: 1 }),
    await grant({ keyId: 'nobody', name: 'tokens', amount: 1 }),
  ]
  for (const answer of answers) expectFailure(answer, 404, 'NOT_FOUND', 'Quota not found')
})

describe('a wrong request is refused', () => {
  test.each([
    ['', ['name']],
    ['?name=tokens', []],
    ['?keyId=k&clientId=c&name=tokens', []],
    ['?clientId=c&name=a/b', ['name']],
    ['?clientId=c&name=tokens&amount=5', ['amount']],
    ['?clientId=c&name=tokens&__proto__=5', ['__proto__']],
  ])('GET %s', async (query, paths) => {
    const answer = await get(query)
    expectFailure(answer, 400, 'INVALID_INPUT')
    expect(pathsOf(answer)).toEqual(expect.arrayContaining(paths))
  })

  const least = { clientId: 'c', name: 'tokens', amount: 1 }
  test.each([
    ['no amount', { amount: undefined }, ['amount']],
    ['no units', { amount: 0 }, ['amount']],
    ['fewer than none', { amount: -1 }, ['amount']],
    ['a part of a unit', { amount: 1.5 }, ['amount']],
    ['too many units', { amount: 1e12 + 1 }, ['amount']],
    ['texts', { amount: '5', expiresAt: 'tomorrow' }, ['amount', 'expiresAt']],
    ['a key and a client', { keyId: 'k' }, []],
    ['neither', { clientId: null }, []],
    ['fields that it does not know', { colour: 'red', actor: 'eve' }, ['actor', 'colour']],
  ])('POST: %s', async (_what, fields, paths) => {
    const answer = await grant({ ...least, ...fields })
    expectFailure(answer, 400, 'INVALID_INPUT')
    expect(pathsOf(answer)).toEqual(expect.arrayContaining(paths))
  })

  test.each(['', '{', 'null', '[]'])('POST of what is no object: %j', async (text) => {
    expectFailure(await send('POST', text), 400, 'INVALID_INPUT')
  })

  test('POST of more than 64 KiB', async () => {
    expectFailure(await send('POST', '{}'.padEnd(64 * 1024 + 1)), 413, 'PAYLOAD_TOO_LARGE')
  })
})

test('a quota has no more than 100 grants that are not used up', async () => {
  await setClient({ clientId: 'often', quotas: [monthly] })
  const input = { clientId: 'often', name: 'tokens', amount: 1 }
  const answers = await Promise.all(Array.from({ length: 100 }, () => grant(input)))
  expect(answers.map(({ status }) => status)).toEqual(Array(100).fill(200))
  const message =
    'The quota has 100 grants that are not used up: wait until one is, or grant more at once'
  expectFailure(await grant(input), 409, 'CONFLICT', message)
  expect(await getQuota({ clientId: 'often', name: 'tokens' })).toMatchObject({ granted: 100 })
})

test('the audit log names the token, or the user of the app', async () => {
  await setClient({ clientId: 'audited', quotas: [monthly] })
  await grant({ clientId: 'audited', name: 'tokens', amount: 5 })
  const authorize = () => ({ name: 'Ann', permissions: ['quotas:write'] })
  const { POST } = next.quotaRoutes({ authorize })
  const body = JSON.stringify({
    clientId: 'audited',
    name: 'tokens',
    amount: 6,
    expiresAt: '2099-01-01',
  })
  expect((await POST(new Request(HOST, { method: 'POST', body }))).status).toBe(200)
  await flush()
  const { events } = await addon.listAuditEvents({ type: 'quota.granted' })
  const ours = events.filter(({ clientId }) => clientId === 'audited')
  expect(ours).toMatchObject([
    { quota: 'tokens', amount: 6, actor: 'Ann', expiresAt: new Date('2099-01-01') },
    { quota: 'tokens', amount: 5, actor: tokenId },
  ])
})

test("authorize lets the app's own sessions read quotas", async () => {
  await setClient({ clientId: 'session', quotas: [monthly] })
  const { GET, POST } = next.quotaRoutes({
    authorize: ({ headers }) =>
      headers.has('x-session') && { name: 'Ann', permissions: ['quotas:read'] },
  })
  const path = '/api/quotas?clientId=session&name=tokens'
  expect((await ask(GET, { 'x-session': '1' }, path)).status).toBe(200)
  expectFailure(await ask(GET, {}, path), 401, 'MISSING_TOKEN')
  expectFailure(await ask(POST, { 'x-session': '1' }), 403, 'INSUFFICIENT_PERMISSION')
  for (const options of [
    'x',
    { authorise: () => null },
    { authorize: undefined },
    { compat: 'prisma' },
  ])
    expect(() => untyped.quotaRoutes!(options)).toThrow(TypeError)
})

describe('withApiKey', () => {
  const guarded = next.withApiKey(hello, { cost: { tokens: 5 } })
  const request = (key: string): Promise<Answer> => ask(guarded, { 'x-api-key': key })

  test('charges quotas, and answers 429 once one is exceeded', async () => {
    await setClient({ clientId: 'guarded', quotas: [{ ...monthly, amount: 12 }] })
    const { id, key } = await createApiKey({ name: 'n', clientId: 'guarded' })
    for (let accepted = 0; accepted < 2; accepted++) {
      const { status, headers } = await request(key)
      expect(status).toBe(200)
      expect(headers).not.toHaveProperty('ratelimit')
    }
    const refused = await request(key)
    expectFailure(refused, 429, 'QUOTA_EXCEEDED', 'Quota exceeded')
    expect(secondsIn(refused)).toBeLessThanOrEqual(31 * 86_400)
    expect(refused.headers).not.toHaveProperty('ratelimit')
    expect((await getApiKey(id))!.suspendedUntil).toBeNull()
    await flush()
    const state = { used: 10, remaining: 2, withheld: 0 }
    expect(await getQuota({ clientId: 'guarded', name: 'tokens' })).toMatchObject(state)
  })

  test('names no time where waiting does not help', async () => {
    const total = { ...monthly, amount: 4, period: 'total' as const }
    for (const quota of [total, { ...total, period: 'month' as const }]) {
      const { key } = await createApiKey({ name: 'n', clientId: 'c', quotas: [quota] })
      const refused = await request(key)
      expectFailure(refused, 429, 'QUOTA_EXCEEDED')
      expect(refused.headers).not.toHaveProperty('retry-after')
    }
  })

  test('sends the limits of a key that a quota refuses as they are', async () => {
    const limits = [{ name: 'tokens', limit: 50, windowSeconds: 3_600 }]
    const quotas = [{ ...monthly, amount: 5, period: 'day' as const }]
    const { key } = await createApiKey({ name: 'n', clientId: 'c', limits, quotas })
    const policy = { 'ratelimit-policy': '"tokens";q=50;w=3600' }
    expect((await request(key)).headers).toMatchObject({
      ...policy,
      ratelimit: '"tokens";r=45;t=360',
    })
    const refused = await request(key)
    expectFailure(refused, 429, 'QUOTA_EXCEEDED')
    // The refused request was not charged to the limit either.
    expect(refused.headers.ratelimit ?? '"tokens";r=45').toMatch(/^"tokens";r=45/)
  })
})
