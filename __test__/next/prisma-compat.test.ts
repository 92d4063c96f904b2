import { beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'
import { expectFailure, HOST, next, read, type Answer } from '../support/next.js'

// What clients of an app that kept keys with Prisma may go on sending.

useAddon({ jwtSecret: 'the secret of the routes, of 32 bytes or more' })
const routes = next.apiKeyRoutes({ compat: 'prisma' })
const strict = next.apiKeyRoutes()

let token: string
beforeAll(async () => {
  token = (await addon.createAdminToken({ name: 'All', permissions: ['*'] })).token
})

async function send(
  method: keyof typeof routes,
  body?: object,
  query = '',
  to = routes,
): Promise<Answer> {
  const init = { method, headers: { 'x-admin-token': token }, body: body && JSON.stringify(body) }
  return read(await to[method](new Request(`${HOST}/api/keys${query}`, init)))
}
const post = (fields: object): Promise<Answer> =>
  send('POST', { name: 'Search', clientId: 'acme', ...fields })
const ignoredBy = ({ headers }: Answer): string | undefined => headers['x-ignored-fields']

test.each([
  ['', null],
  ['2094-01-02T03:04', '2094-01-02T03:04:00.000Z'],
  ['2094-01-02T03:04:05', '2094-01-02T03:04:05.000Z'],
  ['2094-01-02T03:04:05.678', '2094-01-02T03:04:05.678Z'],
  ['2094-01-02T03:04:05+02:00', '2094-01-02T01:04:05.000Z'],
  ['2094-01-02', '2094-01-02T00:00:00.000Z'],
  [Date.UTC(2094, 0, 2, 3, 4, 5, 678), '2094-01-02T03:04:05.678Z'],
  [null, null],
])('expiresAt %j is %j', async (sent, expiresAt) => {
  const made = await post({ expiresAt: sent })
  expect(made).toMatchObject({ status: 201, body: { expiresAt } })
  expect(ignoredBy(made)).toBeUndefined()
  const { id } = made.body
  for (const method of ['PUT', 'PATCH'] as const) {
    await addon.patchApiKey({ id, expiresAt: '2093-01-01' })
    expect(await send(method, { id, expiresAt: sent })).toMatchObject({
      status: 200,
      body: { expiresAt },
    })
  }
})

test.each([
  ['2094-13-02T03:04'],
  ['2094-01-02T25:04'],
  ['tomorrow'],
  ['01/02/2094'],
  [' '],
  [0],
  [1e300],
  [true],
  [[]],
  [{}],
])('expiresAt %j has no one meaning, and is refused', async (expiresAt) => {
  expectFailure(await post({ expiresAt }), 400, 'INVALID_INPUT')
  const { id } = (await post({})).body
  for (const method of ['PUT', 'PATCH'] as const)
    expectFailure(await send(method, { id, expiresAt }), 400, 'INVALID_INPUT')
})

test('rateLimit 0 is none', async () => {
  const made = await post({ rateLimit: 0 })
  expect(made).toMatchObject({ status: 201, body: { rateLimit: null } })
  const { id } = made.body
  for (const method of ['PUT', 'PATCH'] as const) {
    await addon.patchApiKey({ id, rateLimit: 5 })
    expect(await send(method, { id, rateLimit: 0 })).toMatchObject({
      status: 200,
      body: { rateLimit: null },
    })
    expectFailure(await send(method, { id, rateLimit: -1 }), 400, 'INVALID_INPUT')
  }
  for (const rateLimit of [-1, 0.5, '0', '', false])
    expectFailure(await post({ rateLimit }), 400, 'INVALID_INPUT')
})

describe('what is ignored is told', () => {
  test('unknown fields of a new key, and what it does not begin with', async () => {
    const made = await post({ allowedips: ['10.0.0.1'], isActive: false, usageCount: 7, colour: 1 })
    expect(made).toMatchObject({ status: 201, body: { isActive: true, allowedIps: [] } })
    expect(ignoredBy(made)).toBe('allowedips, isActive, usageCount, colour')
  })

  test('scopes and metadata of another type', async () => {
    for (const scopes of ['read', 7, { read: true }, true]) {
      const made = await post({ scopes })
      expect(made).toMatchObject({ status: 201, body: { scopes: [] } })
      expect(ignoredBy(made)).toBe('scopes')
    }
    for (const metadata of ['plan', 7, ['plan'], true]) {
      const made = await post({ metadata })
      expect(made).toMatchObject({ status: 201, body: { metadata: null } })
      expect(ignoredBy(made)).toBe('metadata')
    }
    const fitting = await post({ scopes: ['read'], metadata: { plan: 'free' } })
    expect(fitting.body).toMatchObject({ scopes: ['read'], metadata: { plan: 'free' } })
    expect(ignoredBy(fitting)).toBeUndefined()
    // Their contents have one meaning only.
    for (const scopes of [['two words'], ['read', 7]])
      expectFailure(await post({ scopes }), 400, 'INVALID_INPUT')
  })

  test('unknown parameters of a list', async () => {
    await post({ clientId: 'listed' })
    const listed = await send('GET', undefined, '?page=2&clientId=listed&__proto__=1&per_page=5')
    expect(listed.status).toBe(200)
    expect(listed.body).toHaveLength(1)
    expect(ignoredBy(listed)).toBe('page, __proto__, per_page')
    for (const query of ['?limit=many', '?status=paid', '?isActive=1'])
      expectFailure(await send('GET', undefined, query), 400, 'INVALID_INPUT')
  })

  test('what a change leaves out; unknown fields of one are refused, as the app refused them', async () => {
    const { key: _, ...shown } = (await post({})).body
    for (const method of ['PUT', 'PATCH'] as const) {
      const changed = await send(method, { id: shown.id, name: 'Renamed', usageCount: 7 })
      expect(changed).toMatchObject({ status: 200, body: { name: 'Renamed', usageCount: 0 } })
      expect(ignoredBy(changed)).toBe('usageCount')
      for (const fields of [{ colour: 'red' }, { scopes: 'read' }, { metadata: 7 }])
        expectFailure(await send(method, { id: shown.id, ...fields }), 400, 'INVALID_INPUT')
    }
  })

  test('hostile names are told as a header holds them, and not all of very many', async () => {
    const hostile = ['a\r\nSet-Cookie: x=1', 'ü, ö', '\ud800', 'x'.repeat(1_000), '__proto__']
    const made = await read(
      await routes.POST(
        new Request(`${HOST}/api/keys`, {
          method: 'POST',
          headers: { 'x-admin-token': token },
          body: `{"name":"n","clientId":"c",${hostile.map((name) => `${JSON.stringify(name)}:1`).join()}}`,
        }),
      ),
    )
    expect(made.status).toBe(201)
    expect(ignoredBy(made)!.split(', ')).toEqual([
      'a%0D%0ASet-Cookie%3A%20x%3D1',
      '%C3%BC%2C%20%C3%B6',
      'x'.repeat(64),
      '__proto__',
    ])
    const many = await post(Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`f${n}`, 1])))
    expect(many.status).toBe(201)
    expect(ignoredBy(many)!.split(', ')).toHaveLength(20)
    const long = Array.from({ length: 20 }, (_, n) => [`${n}${'ü'.repeat(60)}`, 1])
    const header = ignoredBy(await post(Object.fromEntries(long)))!
    expect([header.length > 300, header.length <= 1_000]).toEqual([true, true])
  })
})

test('an idempotency key counts in the body, too', async () => {
  const fields = { idempotencyKey: 'order-17' }
  const made = await post(fields)
  expect(made.status).toBe(201)
  expect(ignoredBy(made)).toBeUndefined()
  expect((await post(fields)).body.id).toBe(made.body.id)
})

test('without the option, none of it', async () => {
  for (const fields of [{ expiresAt: '' }, { rateLimit: 0 }, { colour: 'red' }, { scopes: 'read' }])
    expectFailure(
      await send('POST', { name: 'n', clientId: 'c', ...fields }, '', strict),
      400,
      'INVALID_INPUT',
    )
  expectFailure(await send('GET', undefined, '?page=2', strict), 400, 'INVALID_INPUT')
})
