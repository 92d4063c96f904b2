import { beforeAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'
import {
  expectFailure,
  HOST,
  next,
  read,
  secondsIn,
  untyped,
  type Answer,
} from '../support/next.js'

const { createApiKey, flush, getApiKey, listAuditEvents, verifyApiKey } = addon

const PER_MINUTE = 10
useAddon({ trustedHops: 1, throttle: PER_MINUTE })
const { DELETE } = next.presentedKeyRoutes()

let key: string
let id: string
beforeAll(async () => {
  const made = await createApiKey({ name: 'n', clientId: 'c' })
  key = made.key
  id = made.id
})

const revoke = async (headers: Record<string, string> = {}): Promise<Answer> =>
  read(await DELETE(new Request(`${HOST}/api/keys/presented`, { method: 'DELETE', headers })))
const INVALID = 'Bearer realm="API", error="invalid_token"'
const from = (ip: string) => ({ 'x-forwarded-for': ip })

test('whoever holds a key revokes it, by either header', async () => {
  for (const header of [
    (key: string) => ({ 'x-api-key': key }),
    (key: string) => ({ authorization: `Bearer ${key}` }),
    (key: string) => ({ authorization: `bearer  ${key}`, 'x-admin-token': 'x' }),
  ]) {
    const { id, key } = await createApiKey({ name: 'n', clientId: 'c', allowedIps: ['10.0.0.1'] })
    const answer = await revoke(header(key))
    expect(answer).toEqual({ status: 204, headers: { 'cache-control': 'no-store' }, body: '' })
    expect(await getApiKey(id)).toMatchObject({ revokedReason: 'compromised', revokedBy: null })
    expect(await verifyApiKey(key)).toMatchObject({ code: 'REVOKED' })
    expect(await revoke(header(key))).toMatchObject({ status: 204 })
  }
})

test('of two different keys neither is revoked', async () => {
  const { key: other } = await createApiKey({ name: 'n', clientId: 'c' })
  const answer = await revoke({ 'x-api-key': key, authorization: `Bearer ${other}` })
  expectFailure(answer, 401, 'AMBIGUOUS_KEY')
  for (const each of [key, other]) expect((await verifyApiKey(each)).valid).toBe(true)
})

test('any other key is refused as by a guard', async () => {
  const guard = next.withApiKey(() => new Response())
  for (const wrong of ['junk', `${key}x`, `${key}, ${key}`]) {
    const headers = { 'x-api-key': wrong }
    const answer = await revoke(headers)
    expectFailure(answer, 401, 'INVALID_KEY', 'Invalid API key')
    expect(answer.headers['www-authenticate']).toBe(INVALID)
    expect(answer).toEqual(await read(await guard(new Request(HOST, { headers }))))
  }
  expect(await getApiKey(id)).toMatchObject({ revokedAt: null })
})

test('a missing key is told as by a guard', async () => {
  const guard = next.withApiKey(() => new Response())
  const none: Record<string, string>[] = [{}, { 'x-api-key': '' }, { authorization: 'Basic eDp5' }]
  for (const headers of none) {
    const answer = await revoke(headers)
    expectFailure(answer, 401, 'MISSING_KEY', 'Missing required header: x-api-key')
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="API"')
    expect(answer).toEqual(await read(await guard(new Request(HOST, { headers }))))
  }
})

test('the audit log has where a wrong key came from', async () => {
  expect((await revoke({ 'x-api-key': 'junk', ...from('192.0.2.1') })).status).toBe(401)
  await flush()
  const { events } = await listAuditEvents({ type: 'key.refused' })
  expect(events).toContainEqual(
    expect.objectContaining({
      reason: 'INVALID_KEY',
      ip: '192.0.2.1',
      path: '/api/keys/presented',
    }),
  )
})

test('an address that keeps presenting wrong keys has to wait', async () => {
  const headers = { 'x-api-key': 'junk', ...from('192.0.2.2') }
  for (let attempt = 0; attempt < PER_MINUTE; attempt++)
    expect((await revoke(headers)).status).toBe(401)
  const answer = await revoke(headers)
  expectFailure(answer, 503, 'OVERLOADED')
  expect(secondsIn(answer)).toBeGreaterThanOrEqual(1)
})

test('there is nothing to authorize, and no option', () => {
  for (const options of [null, { authorize: () => null }, { scopes: ['a'] }])
    expect(() => untyped.presentedKeyRoutes!(options)).toThrow(TypeError)
})
