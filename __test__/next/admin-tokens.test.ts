import { beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { insertOldToken } from '../support/old-rows.js'
import { useAddon } from '../support/use-addon.js'
import { ask, expectFailure, HOST, next, read, untyped, type Answer } from '../support/next.js'

const { createAdminToken, flush, listAdminTokens, listAuditEvents, verifyAdminToken } = addon

const secret = 'the secret of the routes, of 32 bytes or more'
const { sql } = useAddon({ jwtSecret: secret, adopt: 'verify' })
const routes = next.adminTokenRoutes()

type Handler = (request: Request) => Promise<Response> | Response

let root: { id: string; token: string }
/** May manage tokens, and read keys. */
let limited: { id: string; token: string }
const LIMITED = ['admin-tokens:read', 'admin-tokens:write', 'keys:read']
beforeAll(async () => {
  root = await createAdminToken({ name: 'Root', permissions: ['*'] })
  limited = await createAdminToken({ name: 'Limited', permissions: LIMITED })
})

async function send(
  handler: unknown,
  method: string,
  body?: unknown,
  { query = '', headers = { 'x-admin-token': root.token } as Record<string, string> } = {},
): Promise<Answer> {
  const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
  return read(await (handler as Handler)(new Request(`${HOST}/api/admin-tokens${query}`, init)))
}
const asLimited = () => ({ headers: { 'x-admin-token': limited.token } })

const count = async (): Promise<number> => (await listAdminTokens()).length

function expectBeyond(answer: Answer, missingPermissions: string[]): void {
  const { missingPermissions: missing, ...rest } = answer.body
  expectFailure(
    { ...answer, body: rest },
    403,
    'INSUFFICIENT_PERMISSION',
    'The token would have permissions that the caller does not hold',
  )
  expect(missing).toEqual(missingPermissions)
}

test('tokens are made, listed, rotated and revoked', async () => {
  const input = { name: 'Made', permissions: ['keys:read'], expiresInSeconds: 600 }
  const made = await send(routes.POST, 'POST', input)
  expect(made).toMatchObject({
    status: 201,
    body: { name: 'Made', status: 'active', permissions: ['keys:read'] },
    headers: { 'cache-control': 'no-store' },
  })
  const { token, ...shown } = made.body
  expect(await verifyAdminToken(token)).toMatchObject({ valid: true, tokenId: shown.id })
  const search = await send(routes.GET, 'GET', undefined, { query: '?search=made&status=active' })
  expect(search).toMatchObject({ status: 200, body: [shown] })
  const body = { id: shown.id, gracePeriodSeconds: 60 }
  const rotated = await send(routes.PUT, 'PUT', body)
  expect(rotated).toMatchObject({
    status: 200,
    body: { id: shown.id, permissions: ['keys:read'], rotatedAt: expect.any(String) },
  })
  expect(rotated.body.previousTokenExpiresAt).toMatch(/^\d{4}-\d\d-\d\dT/)
  expect(rotated.body.token).not.toBe(token)
  for (const one of [token, rotated.body.token])
    expect((await verifyAdminToken(one)).valid).toBe(true)
  const query = `?id=${shown.id}`
  expect(await send(routes.DELETE, 'DELETE', undefined, { query })).toMatchObject({
    status: 200,
    body: { success: true },
  })
  for (const one of [token, rotated.body.token])
    expect((await verifyAdminToken(one)).valid).toBe(false)
  expectFailure(await send(routes.PUT, 'PUT', body), 409, 'CONFLICT')
  await flush()
  for (const type of ['admin.issued', 'admin.rotated', 'admin.revoked'] as const) {
    const { events } = await listAuditEvents({ type })
    expect(events[0]).toMatchObject({ tokenId: shown.id, actor: root.id })
  }
})

test('what is wrong is named', async () => {
  const wrong: [unknown, string, unknown, string, string][] = [
    [routes.POST, 'POST', {}, '', 'name'],
    [routes.POST, 'POST', { name: 'x', permissions: 'keys:read' }, '', 'permissions'],
    [routes.POST, 'POST', { name: 'x', permissions: [7] }, '', 'permissions[0]'],
    [routes.POST, 'POST', { name: 'x', colour: 'red' }, '', 'colour'],
    [routes.PUT, 'PUT', {}, '', 'id'],
    [routes.PUT, 'PUT', { id: root.id, gracePeriodSeconds: -1 }, '', 'gracePeriodSeconds'],
    [routes.PUT, 'PUT', { id: root.id, permissions: [] }, '', 'permissions'],
    [routes.DELETE, 'DELETE', undefined, '', 'id'],
    [routes.GET, 'GET', undefined, '?status=gone', 'status'],
    [routes.GET, 'GET', undefined, '?limit=x', 'limit'],
    [routes.GET, 'GET', undefined, '?colour=red', 'colour'],
  ]
  for (const [handler, method, body, query, path] of wrong) {
    const answer = await send(handler, method, body, { query })
    expectFailure(answer, 400, 'INVALID_INPUT')
    expect(answer.body.issues.map((issue: { path: string }) => issue.path)).toEqual([path])
  }
  expectFailure(await send(routes.PUT, 'PUT', { id: 'x' }), 404, 'NOT_FOUND')
  const query = '?id=x'
  expectFailure(await send(routes.DELETE, 'DELETE', undefined, { query }), 404, 'NOT_FOUND')
  expect((await verifyAdminToken(root.token)).valid).toBe(true)
})

test('a list comes in pages', async () => {
  for (let n = 0; n < 3; n++) {
    const { id } = await createAdminToken({ name: `Page ${n}` })
    // Those of the same millisecond would come in any order.
    await sql(
      `UPDATE "AdminToken" SET "createdAt" = "createdAt" + $2 * interval '1 s' WHERE "id" = $1`,
      [id, n],
    )
  }
  const first = await send(routes.GET, 'GET', undefined, { query: '?search=page&limit=2' })
  expect(first.body.map(({ name }: { name: string }) => name)).toEqual(['Page 2', 'Page 1'])
  const link = /<([^>]+)>; rel="next"/.exec(String(first.headers['link']))?.[1]
  const last = await send(routes.GET, 'GET', undefined, {
    query: new URL(String(link), HOST).search,
  })
  expect(last.body.map(({ name }: { name: string }) => name)).toEqual(['Page 0'])
  expect(last.headers).not.toHaveProperty('link')
})

describe('nobody gives a token more than they hold', () => {
  test.each<[unknown, string[]]>([
    [['keys:write'], ['keys:write']],
    [['*'], ['*']],
    [
      ['keys:read', 'audit:read', '*', 'audit:read'],
      ['audit:read', '*'],
    ],
    [['keys:*'], ['keys:*']],
    [['KEYS:READ'], ['KEYS:READ']],
    [['keys:read '], ['keys:read ']],
    [[''], ['']],
    [['__proto__'], ['__proto__']],
    [[7, 'clients:read'], ['clients:read']],
  ])('by making one with %j', async (permissions, missing) => {
    const before = await count()
    const answer = await send(routes.POST, 'POST', { name: 'More', permissions }, asLimited())
    expectBeyond(answer, missing)
    expect(await count()).toBe(before)
  })

  test('and each attempt is in the audit log, with the token that was presented', async () => {
    const refused = async (): Promise<number> => {
      await flush()
      const { events } = await listAuditEvents({ type: 'admin.refused', limit: 1_000 })
      const ofLimited = events.filter(
        (event) =>
          event.type === 'admin.refused' &&
          event.tokenId === limited.id &&
          event.reason === 'INSUFFICIENT_PERMISSION',
      )
      expect(
        ofLimited.every((event) => 'path' in event && event.path === '/api/admin-tokens'),
      ).toBe(true)
      return ofLimited.reduce((sum, event) => sum + ('count' in event ? Number(event.count) : 1), 0)
    }
    const before = await refused()
    const more = { name: 'More', permissions: ['keys:write'] }
    expectBeyond(await send(routes.POST, 'POST', more, asLimited()), ['keys:write'])
    expect(await refused()).toBe(before + 1)
    expectBeyond(await send(routes.PUT, 'PUT', { id: root.id }, asLimited()), ['*'])
    expect(await refused()).toBe(before + 2)
  })

  test('but what they hold themselves, or nothing', async () => {
    for (const permissions of [LIMITED, ['keys:read', 'keys:read'], [], null, undefined]) {
      const made = await send(routes.POST, 'POST', { name: 'As much', permissions }, asLimited())
      expect(made.status).toBe(201)
    }
    const all = { name: 'All', permissions: ['*', 'anything'] }
    expect((await send(routes.POST, 'POST', all)).status).toBe(201)
  })

  test('by a body that inherits permissions, or has them twice', async () => {
    const polluted = Object.prototype as { permissions?: string[] }
    polluted.permissions = ['*']
    try {
      const made = await send(routes.POST, 'POST', { name: 'None' }, asLimited())
      expect(made).toMatchObject({ status: 201, body: { permissions: [] } })
    } finally {
      delete polluted.permissions
    }
    const headers = { 'x-admin-token': limited.token }
    const body = '{"name":"Twice","permissions":["keys:read"],"permissions":["*"]}'
    const request = new Request(HOST, { method: 'POST', headers, body })
    expectBeyond(await read(await (routes.POST as Handler)(request)), ['*'])
    const hidden = '{"name":"Proto","__proto__":{"permissions":["*"]}}'
    const other = new Request(HOST, { method: 'POST', headers, body: hidden })
    expectFailure(await read(await (routes.POST as Handler)(other)), 400, 'INVALID_INPUT')
  })

  test.each<[string[], string[]]>([
    [['*'], ['*']],
    [
      ['keys:read', 'keys:write', 'audit:read'],
      ['keys:write', 'audit:read'],
    ],
  ])('by rotating one with %j', async (permissions, missing) => {
    const { id, token } = await createAdminToken({ name: 'Stronger', permissions })
    const before = await sql(`SELECT t::text FROM "AdminToken" t WHERE "id" = $1`, [id])
    const answer = await send(routes.PUT, 'PUT', { id }, asLimited())
    expectBeyond(answer, missing)
    expect(JSON.stringify(answer.body)).not.toContain(token.split('.')[2])
    expect(await sql(`SELECT t::text FROM "AdminToken" t WHERE "id" = $1`, [id])).toEqual(before)
    expect((await verifyAdminToken(token)).valid).toBe(true)
    expect((await send(routes.PUT, 'PUT', { id })).status).toBe(200)
  })

  test('by rotating one of an old instance, whose name implies permissions', async () => {
    const { id, token } = await insertOldToken(sql, secret, { name: 'prod-api-1' })
    expectBeyond(await send(routes.PUT, 'PUT', { id }, asLimited()), ['*'])
    expect((await verifyAdminToken(token)).valid).toBe(true)
  })

  test('but may rotate one with no more, their own included', async () => {
    const { id } = await createAdminToken({ name: 'Weaker', permissions: ['keys:read'] })
    expect((await send(routes.PUT, 'PUT', { id }, asLimited())).status).toBe(200)
    const self = await createAdminToken({ name: 'Self', permissions: LIMITED })
    const headers = { 'x-admin-token': self.token }
    const rotated = await send(routes.PUT, 'PUT', { id: self.id }, { headers })
    expect(rotated.status).toBe(200)
    expectFailure(await send(routes.PUT, 'PUT', { id: self.id }, { headers }), 401, 'INVALID_TOKEN')
  })

  test("by a session of the app's own", async () => {
    const users: Record<string, string[]> = {
      ann: ['admin-tokens:write', 'keys:read'],
      bob: ['admin-tokens:write', '*'],
      eve: ['keys:read'],
    }
    const authorize = ({ headers }: Request) => {
      const name = headers.get('x-session') ?? ''
      return Object.hasOwn(users, name) && { name, permissions: users[name]! }
    }
    const { POST, PUT } = next.adminTokenRoutes({ authorize })
    const by = (name: string) => ({ headers: { 'x-session': name } })
    const { id } = await createAdminToken({ name: 'Stronger', permissions: ['audit:read'] })
    const all = { name: 'All', permissions: ['*'] }
    expectBeyond(await send(POST, 'POST', all, by('ann')), ['*'])
    expectBeyond(await send(PUT, 'PUT', { id }, by('ann')), ['audit:read'])
    const some = { name: 'Some', permissions: ['keys:read'] }
    expect((await send(POST, 'POST', some, by('ann'))).status).toBe(201)
    expect((await send(POST, 'POST', all, by('bob'))).status).toBe(201)
    expect((await send(PUT, 'PUT', { id }, by('bob'))).status).toBe(200)
    expectFailure(await send(POST, 'POST', some, by('eve')), 403, 'INSUFFICIENT_PERMISSION')
    expectFailure(await send(POST, 'POST', some, { headers: {} }), 401, 'MISSING_TOKEN')
  })

  test('is a problem for those who ask for one', async () => {
    const headers = { 'x-admin-token': limited.token, accept: 'application/problem+json' }
    const body = JSON.stringify({ name: 'More', permissions: ['*'] })
    const request = new Request(HOST, { method: 'POST', headers, body })
    const response = await (routes.POST as Handler)(request)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(await response.json()).toMatchObject({
      status: 403,
      code: 'INSUFFICIENT_PERMISSION',
      missingPermissions: ['*'],
    })
  })
})

test('each handler asks for its permission', async () => {
  expect(Object.keys(routes)).toEqual(['GET', 'POST', 'PUT', 'DELETE'])
  for (const [method, handler] of Object.entries(routes)) {
    const wanted = method === 'GET' ? 'admin-tokens:read' : 'admin-tokens:write'
    const other = method === 'GET' ? 'admin-tokens:write' : 'admin-tokens:read'
    expectFailure(await ask(handler), 401, 'MISSING_TOKEN')
    for (const permission of [other, 'admin-tokens', 'admin-tokens:*', 'keys:write']) {
      const { token } = await createAdminToken({ name: 'Other', permissions: [permission] })
      const answer = await send(handler, method, undefined, { headers: { 'x-admin-token': token } })
      expectFailure(answer, 403, 'INSUFFICIENT_PERMISSION')
      expect(answer.body).not.toHaveProperty('missingPermissions')
    }
    const { token } = await createAdminToken({ name: 'Right', permissions: [wanted] })
    const headers = { 'x-admin-token': token }
    const { status } = await send(handler, method, undefined, { headers })
    expect(status).toBe(method === 'GET' ? 200 : 400)
  }
  for (const options of [
    'x',
    { authorise: () => null },
    { authorize: undefined },
    { compat: 'prisma' },
  ])
    expect(() => untyped.adminTokenRoutes!(options)).toThrow(TypeError)
})
