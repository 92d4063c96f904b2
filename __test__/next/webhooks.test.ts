import { beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'
import { ask, expectFailure, HOST, next, read, type Answer } from '../support/next.js'

const { createAdminToken, listAuditEvents, flush, listWebhooks } = addon

const { sql } = useAddon({
  jwtSecret: 'the secret of the routes, of 32 bytes or more',
  webhooks: 'off',
})
const webhooks = next.webhookRoutes()
const deliveries = next.deliveryRoutes()

let token: string
let tokenId: string
beforeAll(async () => {
  const made = await createAdminToken({ name: 'All', permissions: ['*'] })
  token = made.token
  tokenId = made.id
})

type Handler = (request: Request) => Promise<Response> | Response

async function send(handler: unknown, method: string, body?: unknown, query = ''): Promise<Answer> {
  const init = {
    method,
    headers: { 'x-admin-token': token },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }
  return read(await (handler as Handler)(new Request(`${HOST}/api/webhooks${query}`, init)))
}

const url = 'https://example.com/hook'

test('webhooks are made, listed, changed and deleted', async () => {
  const made = await send(webhooks.POST, 'POST', { url, types: ['key.issued'] })
  expect(made).toMatchObject({
    status: 201,
    body: { url, types: ['key.issued'], isActive: true, secret: expect.stringMatching(/^whsec_/) },
    headers: { 'cache-control': 'no-store' },
  })
  const { id } = made.body
  const { secret: _, ...shown } = made.body
  expect(await send(webhooks.GET, 'GET')).toMatchObject({ status: 200, body: [shown] })
  const changed = await send(webhooks.PATCH, 'PATCH', { id, isActive: false, types: null })
  expect(changed).toMatchObject({ status: 200, body: { id, url, isActive: false, types: null } })
  expect(changed.body).not.toHaveProperty('secret')
  const rotated = await send(webhooks.PATCH, 'PATCH', { id, rotateSecret: true })
  expect(rotated.body.secret).toMatch(/^whsec_/)
  expect(await send(webhooks.DELETE, 'DELETE', undefined, `?id=${id}`)).toMatchObject({
    status: 200,
    body: { success: true },
  })
  expectFailure(await send(webhooks.DELETE, 'DELETE', undefined, `?id=${id}`), 404, 'NOT_FOUND')
  expect(await listWebhooks()).toEqual([])
  await flush()
  const { events } = await listAuditEvents({ type: 'webhook.changed' })
  expect(events).toMatchObject([
    { webhookId: id, actor: tokenId, changes: { secret: {} } },
    { webhookId: id, actor: tokenId, changes: { isActive: {}, types: {} } },
    { webhookId: id, actor: tokenId, changes: { url: {}, types: {}, secret: {} } },
  ])
  expect(await listAuditEvents({ type: 'webhook.deleted' })).toMatchObject({
    events: [{ webhookId: id, actor: tokenId }],
  })
})

test('what is wrong is named', async () => {
  const wrong: [unknown, string, unknown, string, string][] = [
    [webhooks.POST, 'POST', {}, '', 'url'],
    [webhooks.POST, 'POST', { url, id: 'x' }, '', 'id'],
    [webhooks.POST, 'POST', { url: 'http://127.0.0.1/' }, '', 'url'],
    [webhooks.POST, 'POST', { url, colour: 'red' }, '', 'colour'],
    [webhooks.PATCH, 'PATCH', { url }, '', 'id'],
    [webhooks.DELETE, 'DELETE', undefined, '', 'id'],
    [deliveries.GET, 'GET', undefined, '?state=lost', 'state'],
    [deliveries.GET, 'GET', undefined, '?limit=x', 'limit'],
    [deliveries.GET, 'GET', undefined, '?colour=red', 'colour'],
    [deliveries.POST, 'POST', {}, '', 'id'],
  ]
  for (const [handler, method, body, query, path] of wrong) {
    const answer = await send(handler, method, body, query)
    expectFailure(answer, 400, 'INVALID_INPUT')
    expect(answer.body.issues.map((issue: { path: string }) => issue.path)).toEqual([path])
  }
  expectFailure(await send(webhooks.PATCH, 'PATCH', { id: 'x', url }), 404, 'NOT_FOUND')
  expectFailure(await send(deliveries.POST, 'POST', { id: '12' }), 404, 'NOT_FOUND')
})

test('deliveries are listed in pages and repeated', async () => {
  const { body: made } = await send(webhooks.POST, 'POST', { url })
  for (let i = 0; i < 3; i++) await addon.createApiKey({ name: `n${i}`, clientId: 'c' })
  const query = `?webhookId=${made.id}&state=pending&limit=2`
  const first = await send(deliveries.GET, 'GET', undefined, query)
  expect(first).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } })
  expect(first.body).toHaveLength(2)
  const link = /<([^>]+)>; rel="next"/.exec(String(first.headers['link']))?.[1]
  const last = await send(deliveries.GET, 'GET', undefined, new URL(String(link), HOST).search)
  expect(last.body).toHaveLength(1)
  expect(last.headers).not.toHaveProperty('link')
  await sql(`UPDATE sophra_api_keys.deliveries SET state = 'dead'`)
  expect(await send(deliveries.POST, 'POST', { id: first.body[0].id })).toMatchObject({
    status: 200,
    body: { success: true },
  })
  const [pending] = (await send(deliveries.GET, 'GET', undefined, '?state=pending')).body
  expect(pending).toMatchObject({ id: first.body[0].id, attempts: 0 })
})

const handlers = [
  ...Object.entries(webhooks).map(
    ([method, handler]) => ['/api/webhooks', method, handler] as const,
  ),
  ...Object.entries(deliveries).map(
    ([method, handler]) => ['/api/webhooks/deliveries', method, handler] as const,
  ),
]

test('each asks for its permission', async () => {
  for (const [path, method, handler] of handlers) {
    const wanted = method === 'GET' ? 'webhooks:read' : 'webhooks:write'
    for (const permission of ['webhooks:read', 'webhooks:write', 'clients:write', 'keys:write']) {
      const { token } = await createAdminToken({ name: 'One', permissions: [permission] })
      const request = new Request(`${HOST}${path}`, { method, headers: { 'x-admin-token': token } })
      const { status } = await read(await (handler as Handler)(request))
      const passed = method === 'GET' ? 200 : 400
      expect([path, method, permission, status]).toEqual([
        ...[path, method, permission],
        permission === wanted ? passed : 403,
      ])
    }
  }
})

describe('nobody is let in', () => {
  test.each(handlers)('without a token: %s %s', async (_path, _method, handler) => {
    for (const headers of [{}, { authorization: `Bearer ${token}` }] as Record<string, string>[])
      expectFailure(await ask(handler, headers), 401, 'MISSING_TOKEN')
  })
})

test('options are checked', () => {
  for (const make of [next.webhookRoutes, next.deliveryRoutes]) {
    expect(() => make({ permission: 'x' } as never)).toThrow(TypeError)
    expect(() => make(null as never)).toThrow(TypeError)
  }
})
