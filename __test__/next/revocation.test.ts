import { beforeAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'
import { expectFailure, HOST, next, read, untyped, type Answer } from '../support/next.js'

const { createAdminToken, createApiKey, flush, listAuditEvents, verifyApiKey } = addon

useAddon({ jwtSecret: 'the secret of the routes, of 32 bytes or more' })
const routes = next.revocationRoutes()

let token: string
let tokenId: string
let reader: string
beforeAll(async () => {
  const made = await createAdminToken({ name: 'All', permissions: ['*'] })
  token = made.token
  tokenId = made.id
  reader = (await createAdminToken({ name: 'Reader', permissions: ['keys:read'] })).token
})

async function send(
  method: keyof typeof routes,
  { body, query = '', as = token }: { body?: object; query?: string; as?: string },
): Promise<Answer> {
  const init = { method, headers: { 'x-admin-token': as }, body: body && JSON.stringify(body) }
  return read(await routes[method](new Request(`${HOST}/api/keys/revocation${query}`, init)))
}
const revoke = (body: object): Promise<Answer> => send('POST', { body })
const restore = (id: string): Promise<Answer> => send('DELETE', { query: `?id=${id}` })

test('a key is revoked and restored, by the admin of the token', async () => {
  const { id, key } = await createApiKey({ name: 'n', clientId: 'c' })
  const answer = await revoke({ id, reason: 'cessation', note: 'Contract ended' })
  expect(answer).toMatchObject({
    status: 200,
    headers: { 'cache-control': 'no-store' },
    body: {
      id,
      isActive: false,
      revokedAt: expect.stringMatching(/^20.*Z$/),
      revokedBy: tokenId,
      revokedReason: 'cessation',
    },
  })
  expect(await verifyApiKey(key)).toMatchObject({ code: 'REVOKED' })
  expect(await restore(id)).toMatchObject({ status: 200, body: { id, revokedAt: null } })
  expect(await verifyApiKey(key)).toMatchObject({ code: 'VALID' })
  await flush()
  const { events } = await listAuditEvents({ keyId: id })
  expect(events.filter(({ type }) => type !== 'key.refused')).toMatchObject([
    { type: 'key.restored', actor: tokenId },
    { type: 'key.revoked', actor: tokenId, reason: 'cessation', note: 'Contract ended' },
    { type: 'key.issued' },
  ])
})

test('what cannot be done is told', async () => {
  const { id } = await createApiKey({ name: 'n', clientId: 'c' })
  expectFailure(await revoke({}), 400, 'INVALID_INPUT')
  expectFailure(await revoke({ id, reason: 'because' }), 400, 'INVALID_INPUT')
  expectFailure(await revoke({ id, by: 'me' }), 400, 'INVALID_INPUT')
  expectFailure(await revoke({ id: 'nobody' }), 404, 'NOT_FOUND', 'API key not found')
  expectFailure(await restore(''), 400, 'INVALID_INPUT', 'API key ID is required')
  expectFailure(await restore('nobody'), 404, 'NOT_FOUND', 'API key not found')
  await revoke({ id, reason: 'compromised' })
  expectFailure(await restore(id), 409, 'CONFLICT')
  for (const answer of [
    await send('POST', { body: { id }, as: reader }),
    await send('DELETE', { query: `?id=${id}`, as: reader }),
  ])
    expectFailure(answer, 403, 'INSUFFICIENT_PERMISSION')
  for (const options of [null, { compat: 'prisma' }, { authorize: 'me' }])
    expect(() => untyped.revocationRoutes!(options)).toThrow(TypeError)
})

test('all keys of a filter are revoked at once, by the admin of the token', async () => {
  const keys = [
    await createApiKey({ name: 'n', clientId: 'bulk' }),
    await createApiKey({ name: 'n', clientId: 'bulk' }),
  ]
  const where = { clientId: 'bulk' }
  expect(await revoke({ where, dryRun: true })).toMatchObject({ status: 200, body: { count: 2 } })
  expectFailure(await revoke({ where, expectedCount: 3 }), 409, 'CONFLICT')
  expectFailure(await revoke({ where: {} }), 400, 'INVALID_INPUT')
  expectFailure(await revoke({ where, id: keys[0]!.id }), 400, 'INVALID_INPUT')
  expectFailure(await send('POST', { body: { where }, as: reader }), 403, 'INSUFFICIENT_PERMISSION')
  for (const { key } of keys) expect(await verifyApiKey(key)).toMatchObject({ code: 'VALID' })
  const answer = await revoke({ where, reason: 'cessation', expectedCount: 2 })
  expect(answer).toMatchObject({ status: 200, body: { count: 2 } })
  for (const { id, key } of keys) {
    expect(await verifyApiKey(key)).toMatchObject({ code: 'REVOKED' })
    expect(await addon.getApiKey(id)).toMatchObject({ revokedBy: tokenId })
  }
})
