import { beforeAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { expectFailure, HOST, next, read, type Answer } from '../support/next.js'
import { useAddon } from '../support/use-addon.js'

const { createAdminToken, createApiKey, listAuditEvents, listRoles, flush } = addon

useAddon({ jwtSecret: 'the secret of the routes, of 32 bytes or more' })
const routes = next.roleRoutes()
type Method = keyof typeof routes

let token: string
let tokenId: string
beforeAll(async () => {
  const made = await createAdminToken({ name: 'All', permissions: ['*'] })
  token = made.token
  tokenId = made.id
})

async function send(method: Method, body?: string, query = '', by = token): Promise<Answer> {
  const init = { method, headers: { 'x-admin-token': by }, body, duplex: 'half' }
  return read(await routes[method](new Request(`${HOST}/api/roles${query}`, init as RequestInit)))
}

test('there are three', () => {
  expect(Object.keys(routes).sort()).toEqual(['DELETE', 'GET', 'PUT'])
})

test('a role is set, listed, kept while it is used, and deleted', async () => {
  const role = { name: 'an editor', scopes: ['docs:read', 'docs:*:write'] }
  expect(await send('PUT', JSON.stringify(role))).toMatchObject({ status: 200, body: role })
  expect((await send('GET')).body).toEqual([role])
  await createApiKey({ name: 'n', clientId: 'c', roles: [role.name] })
  expectFailure(
    await send('DELETE', undefined, '?name=an+editor'),
    409,
    'CONFLICT',
    'The role is used by keys: take it from them first',
  )
  await send('PUT', JSON.stringify({ name: 'other', scopes: [] }))
  expect(await send('DELETE', undefined, '?name=other')).toMatchObject({
    status: 200,
    body: { success: true },
  })
  expectFailure(await send('DELETE', undefined, '?name=other'), 404, 'NOT_FOUND', 'Role not found')
  await flush()
  const { events } = await listAuditEvents({ type: 'role.deleted' })
  expect(events).toMatchObject([{ role: 'other', actor: tokenId }])
})

test.each<[Method, string[], number]>([
  ['GET', ['roles:read'], 200],
  ['GET', ['roles:write', 'keys:write'], 403],
  ['PUT', ['roles:write'], 403],
  ['PUT', ['keys:write'], 403],
  ['PUT', ['roles:write', 'keys:write'], 200],
  ['DELETE', ['roles:read', 'keys:write'], 403],
  ['DELETE', ['roles:write'], 200],
])('%s with %j is %i', async (method, permissions, status) => {
  const { token } = await createAdminToken({ name: 'Some', permissions })
  const body = method === 'PUT' ? JSON.stringify({ name: 'given', scopes: ['*'] }) : undefined
  await addon.setRole({ name: 'given', scopes: [] })
  const query = method === 'DELETE' ? '?name=given' : ''
  expect((await send(method, body, query, token)).status).toBe(status)
  const given = (await listRoles()).find(({ name }) => name === 'given')
  if (status === 403) expect(given).toEqual({ name: 'given', scopes: [] })
})

test('a name is needed, unknown fields are refused, and 256 KiB are read', async () => {
  expectFailure(await send('DELETE'), 400, 'INVALID_INPUT', 'The name of a role is required')
  expectFailure(await send('PUT', '{"name":"x","scopes":[],"other":1}'), 400, 'INVALID_INPUT')
  const body = '{"name":"x","scopes":[]}'
  expect((await send('PUT', body.padEnd(256 * 1024))).status).toBe(200)
  const answer = await send('PUT', body.padEnd(256 * 1024 + 1))
  expectFailure(answer, 413, 'PAYLOAD_TOO_LARGE', 'Request body must not exceed 256 KiB')
})
