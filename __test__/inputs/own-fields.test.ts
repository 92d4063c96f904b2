import { afterEach, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { makeSigner } from '../support/github.js'
import { ask, expectFailure, HOST, next, read, untyped } from '../support/next.js'
import { useAddon } from '../support/use-addon.js'

// Other code in the process may add something to `Object.prototype`. It is never taken for a field of a caller's object.

const { createAdminToken, createApiKey, getApiKey, reportLeakedKeys } = addon
const { revokePresentedKey, verifyAdminToken, verifyApiKey } = addon

useAddon({ jwtSecret: 'the secret of the own fields, of 32 bytes or more', trustedHops: 1 })

const added: [object, PropertyKey][] = []
function pollute(name: PropertyKey, value: unknown, on: object = Object.prototype): void {
  added.push([on, name])
  Object.defineProperty(on, name, { value, configurable: true, writable: true })
}
afterEach(() => {
  for (const [on, name] of added.splice(0)) Reflect.deleteProperty(on, name)
})

test('nor for the context of a verify, cold or warm', async () => {
  const { key } = await createApiKey({
    name: 'n',
    clientId: 'c',
    allowedIps: ['10.0.0.1'],
    scopes: ['a'],
  })
  expect(await verifyApiKey(key, { ip: '10.0.0.1' })).toMatchObject({ valid: true })
  pollute('ip', '10.0.0.1')
  for (const context of [{}, { scopes: ['a'] }])
    expect(await verifyApiKey(key, context)).toMatchObject({ code: 'IP_NOT_ALLOWED' })
  for (const [name, value] of [
    ['scopes', ['b']],
    ['cost', -1],
    ['tag', ''],
    ['path', 5],
    ['claimedIp', 5],
    ['peek', 5],
  ] as const)
    pollute(name, value)
  expect(await verifyApiKey(key, { ip: '10.0.0.1' })).toMatchObject({ valid: true })
  expect(await revokePresentedKey(key, {})).toBe(true)
})

test('nor for an entry of a list', async () => {
  const { key } = await createApiKey({ name: 'n', clientId: 'c', scopes: ['a'] })
  pollute(0, 'a', Array.prototype)
  const hole = new Array<string>(1)
  await expect(createApiKey({ name: 'n', clientId: 'c', scopes: hole })).rejects.toMatchObject({
    issues: [{ path: 'scopes[0]' }],
  })
  expect(await verifyApiKey(key, { scopes: [] })).toMatchObject({ valid: true })
})

test('nor for an input or an option', async () => {
  pollute('rateLimit', 1)
  pollute('isActive', false)
  const { rateLimit, isActive } = await createApiKey({ name: 'n', clientId: 'c' })
  expect({ rateLimit, isActive }).toEqual({ rateLimit: null, isActive: true })
  const { token } = await createAdminToken({ name: 'n', permissions: [] })
  pollute('permission', 'keys:read')
  expect(await verifyAdminToken(token, {})).toMatchObject({ valid: true })
})

test('nor what other code makes of Object.keys', async () => {
  const { keys } = Object
  Object.keys = () => ['rateLimit']
  let created
  try {
    created = createApiKey({ name: 'n', clientId: 'c' })
  } finally {
    Object.keys = keys
  }
  expect(await created).toMatchObject({ name: 'n', rateLimit: null })
})

test('nor for an option of a guard, or what authorize returns', async () => {
  const { key } = await createApiKey({ name: 'n', clientId: 'c' })
  pollute('scopes', ['b'])
  pollute('cost', 2)
  pollute('tag', 5)
  pollute('compat', 'prisma')
  pollute('authorize', () => ({ name: 'Eve', permissions: ['*'] }))
  const guarded = next.withApiKey(() => Response.json({}))
  expect((await ask(guarded, { 'x-api-key': key })).status).toBe(200)
  expectFailure(await ask(next.withAdminAuth(() => Response.json({}))), 401, 'MISSING_TOKEN')
  expectFailure(await ask(next.apiKeyRoutes().GET), 401, 'MISSING_TOKEN')
  expectFailure(await ask(next.clientRoutes().GET), 401, 'MISSING_TOKEN')
  expectFailure(await ask(next.quotaRoutes().GET), 401, 'MISSING_TOKEN')
  expectFailure(await ask(next.usageRoutes().GET), 401, 'MISSING_TOKEN')
  expectFailure(await ask(next.usageExportRoutes().GET), 401, 'MISSING_TOKEN')
  expectFailure(await ask(next.revocationRoutes().DELETE), 401, 'MISSING_TOKEN')
  expectFailure(await ask(next.presentedKeyRoutes().DELETE), 401, 'MISSING_KEY')

  const { token } = await createAdminToken({ name: 'n', permissions: ['*'] })
  const post = await next.apiKeyRoutes().POST(
    new Request(HOST, {
      method: 'POST',
      headers: { 'x-admin-token': token },
      body: '{"name":"n","clientId":"c","ratelimit":1}',
    }),
  )
  expectFailure(await read(post), 400, 'INVALID_INPUT')
})

test('nor for a report of leaked keys', async () => {
  const { id, key } = await createApiKey({ name: 'n', clientId: 'c' })
  const github = makeSigner()
  const { POST } = next.leakRoutes({ keys: [github.entry] })
  const send = (body: string) => {
    const headers = github.headersFor(body)
    return POST(new Request(HOST, { method: 'POST', headers, body }))
  }
  pollute('action', 'revoke')
  pollute('onLeak', () => {})
  pollute('key', key)
  pollute('url', 5)
  pollute('token', key)
  pollute('type', 'a')
  for (const [reports, options] of [
    [[{}], { action: 'notify' }],
    [[{ key }], {}],
  ])
    await expect(reportLeakedKeys(reports as never, options as never)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    })
  expectFailure(await read(await send('[{}]')), 400, 'INVALID_INPUT')
  expect(await getApiKey(id)).toMatchObject({ revokedAt: null })
  const found = JSON.stringify([{ token: key, type: 'a' }])
  expect(await read(await send(found))).toMatchObject({
    status: 200,
    body: [{ label: 'true_positive' }],
  })
  pollute('keys', [github.entry])
  expect(() => untyped.leakRoutes!({})).toThrow(TypeError)
})

test('nor for a parameter or the body of a route', async () => {
  const { token } = await createAdminToken({ name: 'n', permissions: ['*'] })
  const headers = { 'x-admin-token': token }
  pollute('limit', 'x')
  pollute('cursor', 'x')
  pollute('id', 'x')
  pollute('clientId', 'x')
  const { GET, PATCH } = next.apiKeyRoutes()
  expect((await ask(GET, headers)).status).toBe(200)
  const patch = await PATCH(new Request(HOST, { method: 'PATCH', headers, body: '{}' }))
  expectFailure(await read(patch), 400, 'INVALID_INPUT', 'API key ID is required')
  const revocations = next.revocationRoutes()
  const revoke = await revocations.POST(new Request(HOST, { method: 'POST', headers, body: '{}' }))
  for (const answer of [await read(revoke), await ask(revocations.DELETE, headers)])
    expectFailure(answer, 400, 'INVALID_INPUT')
  const clients = next.clientRoutes()
  expect(await ask(clients.GET, headers)).toMatchObject({ status: 200, body: [] })
  const put = await clients.PUT(new Request(HOST, { method: 'PUT', headers, body: '{}' }))
  for (const answer of [await read(put), await ask(clients.DELETE, headers)])
    expectFailure(answer, 400, 'INVALID_INPUT', 'Client ID is required')
  pollute('name', 'a')
  pollute('amount', 1)
  const quotas = next.quotaRoutes()
  const post = await quotas.POST(new Request(HOST, { method: 'POST', headers, body: '{}' }))
  for (const answer of [await read(post), await ask(quotas.GET, headers)])
    expectFailure(answer, 400, 'INVALID_INPUT')
  pollute('bucket', 'hour')
  pollute('after', 'x')
  expectFailure(await ask(next.usageRoutes().GET, headers), 400, 'INVALID_INPUT')
  const exported = await ask(next.usageExportRoutes().GET, headers)
  expect(exported).toMatchObject({ status: 200, body: [] })
})
