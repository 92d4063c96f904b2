import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { jwt } from '../support/jwt.js'
import { KEYS_ROUTE, jwtSecret, useApp } from '../support/example-app.js'

describe(KEYS_ROUTE, () => {
  const app = useApp()
  const METHODS = ['POST', 'GET', 'PUT', 'PATCH', 'DELETE']

  /** The route as nobody or somebody asks for it, with nothing else that is right. */
  async function ask(method: string, token?: string) {
    const headers: Record<string, string> = token === undefined ? {} : { 'x-admin-token': token }
    const { status, body } = await app.request(KEYS_ROUTE, { method, headers })
    return { status, body }
  }

  async function tokenWith(permissions: string[]): Promise<string> {
    return (await addon.createAdminToken({ name: 'Limited', permissions })).token
  }

  const missing = {
    status: 401,
    body: {
      error: 'Missing required header: x-admin-token',
      code: 'MISSING_TOKEN',
      hint: 'Send x-admin-token: <token>',
    },
  }
  const invalid = { status: 401, body: { error: 'Invalid admin token', code: 'INVALID_TOKEN' } }
  const insufficient = {
    status: 403,
    body: {
      error: 'Insufficient permissions for this endpoint',
      code: 'INSUFFICIENT_PERMISSION',
    },
  }

  describe.each(METHODS)('%s', (method) => {
    test('needs a token', async () => {
      expect(await ask(method)).toEqual(missing)
      expect(await ask(method, '')).toEqual(missing)
    })

    test('needs a valid token', async () => {
      const now = Math.floor(Date.now() / 1_000)
      const claims = { type: 'admin', name: 'Forged', sub: 'x', iat: now, exp: now + 60 }
      const { key } = await app.create()
      const forged = [
        'made up',
        'a.b.c',
        key,
        jwt({ alg: 'HS256', typ: 'JWT' }, claims, jwtSecret),
        jwt({ alg: 'HS256', typ: 'JWT' }, claims, 'another secret, of 32 bytes and more'),
        jwt({ alg: 'none', typ: 'JWT' }, claims, jwtSecret),
        'x'.repeat(8_000),
      ]
      for (const token of forged) expect(await ask(method, token)).toEqual(invalid)
    })

    test('needs its permission', async () => {
      const wanted = method === 'GET' ? 'keys:read' : 'keys:write'
      const other = method === 'GET' ? 'keys:write' : 'keys:read'
      for (const permissions of [[], [other], ['keys'], ['keys:*']]) {
        expect(await ask(method, await tokenWith(permissions))).toEqual(insufficient)
      }
      // The request is invalid, but it gets past the guard.
      const heard = method === 'GET' ? 200 : 400
      for (const permissions of [[wanted], ['*']]) {
        expect((await ask(method, await tokenWith(permissions))).status).toBe(heard)
      }
    })
  })

  test('a revoked token is refused', async () => {
    const { id, token } = await addon.createAdminToken({ name: 'Gone', permissions: ['*'] })
    expect((await ask('GET', token)).status).toBe(200)
    await addon.revokeAdminToken(id)
    await eventually(async () => expect(await ask('GET', token)).toEqual(invalid))
  })

  test('a token that never was in use is refused once revoked', async () => {
    const { id, token } = await addon.createAdminToken({ name: 'Gone', permissions: ['*'] })
    await addon.revokeAdminToken(id)
    expect(await ask('GET', token)).toEqual(invalid)
  })

  test('a bearer is no admin token, nor is an API key', async () => {
    const token = await tokenWith(['*'])
    const { key } = await app.create()
    for (const [header, value] of [
      ['authorization', `Bearer ${token}`],
      ['authorization', `Bearer ${key}`],
      ['x-api-key', key],
    ]) {
      const headers = { [header]: value }
      const { status, body } = await app.request(KEYS_ROUTE, { headers })
      const hint =
        header === 'authorization'
          ? 'Admin tokens are not read from Authorization: send x-admin-token: <token>'
          : missing.body.hint
      expect({ status, body }).toEqual({ status: 401, body: { ...missing.body, hint } })
    }
  })

  test('no header makes Next skip the check', async () => {
    for (const value of ['middleware', 'middleware:middleware:middleware', 'src/middleware']) {
      const headers = { 'x-middleware-subrequest': value }
      const { status, body } = await app.request(KEYS_ROUTE, { headers })
      expect({ status, body }).toEqual(missing)
    }
  })
})
