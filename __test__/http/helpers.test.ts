import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { jwt } from '../support/jwt.js'
import { KEYS_ROUTE, send, useApp, userJwtSecret } from '../support/example-app.js'
import { startServer, type Server } from '../support/example-server.js'

const app = useApp()

/** A request whose answer need not be JSON. */
const plain = (path: string, method: string, headers: Record<string, string> = {}) =>
  fetch(app.url() + path, { method, headers })

describe('HEAD and OPTIONS, which Next answers by the other handlers', () => {
  test.each(['/api/search', KEYS_ROUTE])('HEAD %s is guarded as GET is', async (path) => {
    const { key } = await app.create()
    const { token } = await addon.createAdminToken({ name: 'Ops', permissions: ['keys:read'] })
    const headers = { 'x-api-key': key, 'x-admin-token': token }
    const accepted = await plain(`${path}?limit=1`, 'HEAD', headers)
    expect(accepted.status).toBe(200)
    const refused = await plain(path, 'HEAD')
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toMatch(/realm="API"/)
    for (const answer of [accepted, refused]) {
      expect(answer.headers.get('cache-control')).toBe('no-store')
      expect(await answer.text()).toBe('')
    }
  })

  test('OPTIONS names the methods and gives nothing away', async () => {
    const allowed = async (path: string): Promise<string[]> => {
      const answer = await plain(path, 'OPTIONS')
      expect(answer.status).toBe(204)
      expect(await answer.text()).toBe('')
      return answer.headers.get('allow')!.split(', ').sort()
    }
    expect(await allowed(KEYS_ROUTE)).toEqual(
      ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'].sort(),
    )
    expect(await allowed('/api/search')).toEqual(['GET', 'HEAD', 'OPTIONS'])
    expect((await plain('/api/search', 'POST')).status).toBe(405)
  })
})

test('a route with parameters gets them, for keys that hold the scope', async () => {
  const { key } = await app.create({ scopes: ['documents:*'], clientId: 'shop' })
  const open = await app.request('/api/documents/a%20b', { headers: { 'x-api-key': key } })
  expect(open).toMatchObject({ status: 200, body: { clientId: 'shop' } })
  expect(decodeURIComponent(open.body.id)).toBe('a b')
  const other = await app.create({ scopes: ['search'] })
  const closed = await app.request('/api/documents/7', { headers: { 'x-api-key': other.key } })
  expect(closed).toMatchObject({ status: 403, body: { code: 'INSUFFICIENT_SCOPE' } })
})

describe('a route for admins', () => {
  let server: Server
  beforeAll(async () => {
    server = await startServer({ ...app.environment(), ADMIN_USERS: 'ann,bob' })
  })
  afterAll(() => server?.stop())

  const ask = (headers: Record<string, string>) =>
    send(`${server.url}/api/admin/whoami`, { headers })
  const session = (sub: string, secret = userJwtSecret) => {
    const exp = Math.floor(Date.now() / 1_000) + 60
    return { authorization: `Bearer ${jwt({ alg: 'HS256', typ: 'JWT' }, { sub, exp }, secret)}` }
  }

  test('is open to an admin token and to a signed-in admin', async () => {
    const { token } = await addon.createAdminToken({ name: 'Ops', permissions: ['keys:read'] })
    expect(await ask({ 'x-admin-token': token })).toMatchObject({
      status: 200,
      body: { name: 'Ops' },
    })
    expect(await ask(session('ann'))).toMatchObject({ status: 200, body: { name: 'ann' } })
  })

  test('is closed to all others', async () => {
    const { key } = await app.create()
    const others = [
      {},
      session('eve'),
      session(''),
      session('ann', 'another secret, of 32 bytes and more'),
      { authorization: `Bearer ${key}` },
      { 'x-api-key': key },
      { 'x-admin-token': 'made up', ...session('ann') },
    ] as Record<string, string>[]
    for (const headers of others) expect((await ask(headers)).status).toBe(401)
    const { token } = await addon.createAdminToken({ name: 'Other', permissions: ['other'] })
    expect((await ask({ 'x-admin-token': token })).status).toBe(403)
  })
})
