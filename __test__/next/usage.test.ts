import { beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { ask, expectFailure, hello, next, untyped, type Answer } from '../support/next.js'
import { useAddon } from '../support/use-addon.js'

const { createAdminToken, createApiKey, deleteApiKey, flush } = addon

const { sql } = useAddon({ jwtSecret: 'the secret of the routes, of 32 bytes or more' })
const { GET } = next.usageRoutes()
const { GET: exported } = next.usageExportRoutes()

const HOUR = 3_600_000
let token: string
beforeAll(async () => {
  token = (await createAdminToken({ name: 'Billing', permissions: ['usage:read'] })).token
})

const query = (fields: Record<string, string>): string =>
  `/api/usage?${new URLSearchParams(fields)}`
const get = (path: string): Promise<Answer> => ask(GET, { 'x-admin-token': token }, path)
const getExport = (fields = {}): Promise<Answer> =>
  ask(exported, { 'x-admin-token': token }, `/api/usage/export?${new URLSearchParams(fields)}`)

/** From the hour before this one until now. */
const recent = () => ({
  from: new Date(Date.now() - HOUR).toISOString(),
  to: new Date(Date.now() + 1).toISOString(),
  bucket: 'hour',
})
const used = ({ body }: Answer): any[] => body.filter(({ count }: any) => count > 0)
const pathsOf = ({ body }: Answer): string[] =>
  body.issues.map(({ path }: { path: string }) => path).sort()

const search = next.withApiKey(hello, { tag: '/search', cost: 3 })

test('a guard counts under its tag, whatever a request costs', async () => {
  const { id, key } = await createApiKey({ name: 'n', clientId: 'acme & co', scopes: ['a'] })
  const headers = { 'x-api-key': key }
  const byRequest = next.withApiKey(hello, { tag: '/search', cost: () => 5 })
  const scoped = next.withApiKey(hello, { tag: '/größer', scopes: ['b'] })
  for (const handler of [search, search, byRequest]) await ask(handler, headers)
  expectFailure(await ask(scoped, headers), 403, 'INSUFFICIENT_SCOPE')
  await flush()
  const fields = { ...recent(), clientId: 'acme & co', groupBy: 'tag,outcome' }
  const answer = await get(query(fields))
  expect(answer).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } })
  expect(used(answer)).toEqual([
    { start: expect.any(String), tag: '/größer', outcome: 'INSUFFICIENT_SCOPE', count: 1, cost: 0 },
    { start: expect.any(String), tag: '/search', outcome: 'VALID', count: 3, cost: 11 },
  ])
  for (const { start } of answer.body) expect(start).toMatch(/^\d{4}-\d\d-\d\dT\d\d:00:00\.000Z$/)
  // The same groups, repeated.
  const repeated = query({ ...fields, groupBy: 'tag' })
  expect((await get(`${repeated}&groupBy=outcome`)).body).toEqual(answer.body)
  await deleteApiKey(id)
  expect(used(await get(query({ ...recent(), keyId: id })))).toMatchObject([{ count: 4, cost: 11 }])
})

test('without groups there is each bucket, of all keys', async () => {
  const days = { from: '2024-03-30T12:00:00+01:00', to: '2024-04-01', bucket: 'day' }
  const { body } = await get(query({ ...days, timeZone: 'Europe/Berlin' }))
  expect(body).toEqual([
    { start: '2024-03-29T23:00:00.000Z', count: 0, cost: 0 },
    { start: '2024-03-30T23:00:00.000Z', count: 0, cost: 0 },
  ])
})

test('closed hours are exported, in parts', async () => {
  const hour = new Date(Math.floor(Date.now() / HOUR) * HOUR - 3 * HOUR)
  await sql(`UPDATE sophra_api_keys.usage_state SET closed_until = $1, closes_until = $1`, [hour])
  for (const tag of ['', '/a', '/b'])
    await sql(
      `INSERT INTO sophra_api_keys.usage_log
         (stored_at, shift, key_ids, client_ids, tags, outcomes, quarters, counts, costs)
       VALUES ($1, 0, '{key}', '{client}', ARRAY[$2], '{VALID}', ARRAY[$3::bigint], '{2}', '{6}')`,
      [hour, tag, hour.getTime() / (HOUR / 4)],
    )
  const first = await getExport({ limit: '2' })
  expect(first).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } })
  const rest = await getExport({ after: first.body[1].id, limit: '10000' })
  const rows = [...first.body, ...rest.body]
  expect(rows.map(({ tag }) => tag).sort()).toEqual(['/a', '/b', null])
  for (const { id, tag: _, ...row } of rows) {
    expect(id).toMatch(/^\d+$/)
    const figures = { keyId: 'key', clientId: 'client', outcome: 'VALID', count: 2, cost: 6 }
    expect(row).toEqual({ hour: hour.toISOString(), ...figures })
  }
  expect((await getExport()).body).toEqual(rows)
  expect((await getExport({ after: rows[2].id })).body).toEqual([])
})

describe('a wrong request is refused', () => {
  const right = { from: '2026-01-01', to: '2026-01-02', bucket: 'hour' }
  test.each([
    ['', ['bucket', 'from', 'to']],
    ['?from=yesterday&to=2026-01-01&bucket=week', ['bucket', 'from']],
    [query({ ...right, to: '2026-01-01' }), ['to']],
    [query({ ...right, to: '2036-01-01' }), ['to']],
    [query({ ...right, groupBy: 'tag,name' }), ['groupBy[1]']],
    [query({ ...right, groupBy: '' }), ['groupBy[0]']],
    [query({ ...right, timeZone: 'Europe/Nowhere' }), ['timeZone']],
    [query({ ...right, keyId: 'k', clientId: 'c' }), ['clientId']],
    [query({ ...right, key: 'k' }), ['key']],
    [query({ ...right, limit: '5' }), ['limit']],
    [`${query(right)}&__proto__=5`, ['__proto__']],
  ])('%s', async (path, paths) => {
    const answer = await get(path || '/api/usage')
    expectFailure(answer, 400, 'INVALID_INPUT')
    expect(pathsOf(answer)).toEqual(expect.arrayContaining(paths))
  })

  test.each([
    [{ after: 'x' }, 'after'],
    [{ after: '-1' }, 'after'],
    [{ limit: '0' }, 'limit'],
    [{ limit: '10001' }, 'limit'],
    [{ limit: 'all' }, 'limit'],
    [{ limit: '1.5' }, 'limit'],
    [{ cursor: 'x' }, 'cursor'],
  ])('of the export: %j', async (fields, path) => {
    const answer = await getExport(fields)
    expectFailure(answer, 400, 'INVALID_INPUT')
    expect(pathsOf(answer)).toEqual([path])
  })
})

describe.each(['usageRoutes', 'usageExportRoutes'] as const)('%s', (name) => {
  test('has one handler, which asks for usage:read', async () => {
    const routes = next[name]()
    expect(Object.keys(routes)).toEqual(['GET'])
    expectFailure(await ask(routes.GET), 401, 'MISSING_TOKEN')
    const { key } = await createApiKey({ name: 'n', clientId: 'c' })
    expectFailure(await ask(routes.GET, { 'x-api-key': key }), 401, 'MISSING_TOKEN')
    for (const permission of ['quotas:read', 'keys:read', 'keys:write']) {
      const { token } = await createAdminToken({ name: 'Other', permissions: [permission] })
      const answer = await ask(routes.GET, { 'x-admin-token': token })
      expectFailure(answer, 403, 'INSUFFICIENT_PERMISSION')
    }
  })

  test("lets the app's own sessions in, and takes no other option", async () => {
    const authorize = ({ headers }: Request) =>
      headers.has('x-session') && { name: 'Ann', permissions: ['usage:read'] }
    const routes = next[name]({ authorize })
    const path = query({ from: '2026-01-01', to: '2026-01-02', bucket: 'day' })
    const answer = await ask(routes.GET, { 'x-session': '1' }, name === 'usageRoutes' ? path : '/')
    expect(answer.status).toBe(200)
    expectFailure(await ask(routes.GET), 401, 'MISSING_TOKEN')
    for (const options of ['x', { authorise: () => null }, { authorize: undefined }, { tag: 't' }])
      expect(() => untyped[name]!(options)).toThrow(TypeError)
  })
})

test.each([[''], ['x'.repeat(65)], ['a\u0000'], [5], [null]])('the tag %j is refused', (tag) => {
  expect(() => untyped.withApiKey!(hello, { tag })).toThrow(/'tag' has a wrong value/)
})
