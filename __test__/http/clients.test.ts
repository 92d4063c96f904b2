import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { CLIENTS_ROUTE, expectRetryAfter, useApp } from '../support/example-app.js'

describe(CLIENTS_ROUTE, () => {
  const app = useApp()
  const one = (clientId: string): string => `?clientId=${encodeURIComponent(clientId)}`
  const set = async (fields: object): Promise<any> => {
    const { status, body } = await app.clients('PUT', fields)
    expect({ status, body }).toMatchObject({ status: 200 })
    return body
  }
  const search = (key: string) => app.request('/api/search', { headers: { 'x-api-key': key } })

  const FIELDS = [
    'allowedIps',
    'clientId',
    'createdAt',
    'isActive',
    'keyCount',
    'limits',
    'maxKeys',
    'metadata',
    'name',
    'parentId',
    'quotas',
    'updatedAt',
  ]

  test('a client is set, read, listed, sent back and deleted', async () => {
    const made = await set({ clientId: 'a&b=c ü', name: 'Søk 🔎', metadata: { nested: [1, null] } })
    expect(Object.keys(made).sort()).toEqual(FIELDS)
    expect(made).toMatchObject({ isActive: true, allowedIps: [], limits: [], maxKeys: null })
    expect(made.keyCount).toBe(0)
    expect(await app.clients('GET', undefined, one('a&b=c ü'))).toMatchObject({
      status: 200,
      body: made,
    })
    const listed = await app.clients('GET')
    expect(listed).toMatchObject({ status: 200, body: [made] })
    const { updatedAt, ...sentBack } = await set(listed.body[0])
    expect(made).toMatchObject(sentBack)
    expect(Date.parse(updatedAt)).toBeGreaterThanOrEqual(Date.parse(made.updatedAt))
    expect(await app.clients('DELETE', undefined, one('a&b=c ü'))).toMatchObject({
      status: 200,
      body: { success: true },
    })
    for (const method of ['GET', 'DELETE'])
      expect(await app.clients(method, undefined, one('a&b=c ü'))).toMatchObject({
        status: 404,
        body: { error: 'Client not found', code: 'NOT_FOUND' },
      })
  })

  test('what is set holds for the keys of the client, and of those below it', async () => {
    const { key } = await app.create({ clientId: 'team' })
    expect((await search(key)).status).toBe(200)
    await set({ clientId: 'company', isActive: false })
    await set({ clientId: 'team', parentId: 'company' })
    const disabled = await search(key)
    expect(disabled).toMatchObject({
      status: 401,
      body: { error: 'Invalid API key', code: 'CLIENT_DISABLED' },
    })
    expect(disabled.headers.get('www-authenticate')).toMatch(/error="invalid_token"/)
    await set({ clientId: 'company', isActive: true, allowedIps: ['10.0.0.0/8'] })
    expect(await search(key)).toMatchObject({ status: 403, body: { code: 'IP_NOT_ALLOWED' } })
    await app.clients('DELETE', undefined, one('team'))
    expect((await search(key)).status).toBe(200)
  })

  test('its limits are shared by its keys, and each is told', async () => {
    const limits = [{ name: 'default', limit: 3, windowSeconds: 86_400 }]
    await set({ clientId: 'sharing', limits })
    const own = { rateLimit: 5, rateLimitWindowSeconds: 3_600 }
    const keys = [
      await app.create({ clientId: 'sharing', ...own }),
      await app.create({ clientId: 'sharing' }),
    ]
    const first = await search(keys[0]!.key)
    expect(first.headers.get('ratelimit-policy')).toBe(
      '"api-key";q=5;w=3600, "client/default";q=3;w=86400',
    )
    expect(first.headers.get('ratelimit')).toMatch(
      /^"api-key";r=4;t=\d+, "client\/default";r=2;t=\d+$/,
    )
    for (const left of [1, 0]) {
      const { headers } = await search(keys[1]!.key)
      expect(headers.get('ratelimit')).toMatch(new RegExp(`^"client/default";r=${left};t=\\d+$`))
    }
    for (const { key } of keys) {
      const refused = await search(key)
      expect(refused).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } })
      expectRetryAfter(refused)
    }
    // The keys were not suspended: a limit of a client does that only if it says so.
    await set({ clientId: 'sharing', limits: null })
    expect((await search(keys[1]!.key)).headers.get('ratelimit')).toBeNull()
  })

  test('a change in the table takes effect too', async () => {
    const { key } = await app.create({ clientId: 'by hand' })
    expect((await search(key)).status).toBe(200)
    await app.sql(
      `INSERT INTO sophra_api_keys.clients (client_id, is_active) VALUES ('by hand', false)`,
    )
    await eventually(async () => expect((await search(key)).status).toBe(401))
    await app.sql(`DELETE FROM sophra_api_keys.clients WHERE client_id = 'by hand'`)
    await eventually(async () => expect((await search(key)).status).toBe(200))
  })

  test('a client has no more keys than it may have', async () => {
    await set({ clientId: 'small', maxKeys: 1 })
    const { id } = await app.create({ clientId: 'small' })
    const other = await app.create({ clientId: 'large' })
    const full = {
      status: 409,
      body: { code: 'CONFLICT', error: expect.stringMatching(/maxKeys/) },
    }
    const answers = [
      await app.keys('POST', { name: 'n', clientId: 'small' }),
      await app.keys('PUT', { id: other.id, clientId: 'small' }),
      await app.keys('PATCH', { id: other.id, clientId: 'small' }),
    ]
    for (const answer of answers) {
      expect(answer).toMatchObject(full)
      expect(answer.body).not.toHaveProperty('keyId')
    }
    await app.keys('PATCH', { id, isActive: false })
    expect(await app.keys('POST', { name: 'n', clientId: 'small' })).toMatchObject(full)
    await app.keys('DELETE', undefined, `?id=${id}`)
    expect((await app.keys('PATCH', { id: other.id, clientId: 'small' })).status).toBe(200)
    expect((await app.clients('GET', undefined, one('small'))).body).toMatchObject({ keyCount: 1 })
  })

  test('a parent is not deleted', async () => {
    await set({ clientId: 'above' })
    await set({ clientId: 'below', parentId: 'above' })
    expect(await app.clients('DELETE', undefined, one('above'))).toMatchObject({
      status: 409,
      body: { code: 'CONFLICT' },
    })
  })

  test('a wrong request is 400, and names every bad field', async () => {
    const pathsOf = (body: any): string[] =>
      body.issues.map(({ path }: { path: string }) => path).sort()
    const limits = [{ name: 'a', limit: 0, windowSeconds: 60 }]
    const wrong = {
      clientId: 'wrong',
      name: '',
      isActive: null,
      maxKeys: -1,
      colour: 'red',
      limits,
    }
    const { status, body } = await app.clients('PUT', wrong)
    const paths = ['colour', 'isActive', 'limits[0].limit', 'maxKeys', 'name']
    expect([status, pathsOf(body)]).toEqual([400, paths])
    for (const [method, query, path] of [
      ['GET', '?limit=0', 'limit'],
      ['GET', '?isActive=true', 'isActive'],
      ['GET', `${one('wrong')}&limit=1`, 'clientId'],
      ['GET', '?clientId=', 'clientId'],
      ['DELETE', '', 'clientId'],
    ] as const) {
      const answer = await app.clients(method, undefined, query)
      expect([answer.status, answer.body.code, pathsOf(answer.body)]).toEqual([
        400,
        'INVALID_INPUT',
        [path],
      ])
    }
    expect((await app.clients('GET', undefined, one('wrong'))).status).toBe(404)
  })

  test('each method asks for its permission', async () => {
    const { token } = await addon.createAdminToken({ name: 'Keys', permissions: ['keys:write'] })
    for (const method of ['GET', 'PUT', 'DELETE']) {
      expect(await app.request(CLIENTS_ROUTE, { method })).toMatchObject({
        status: 401,
        body: { code: 'MISSING_TOKEN' },
      })
      const headers = { 'x-admin-token': token }
      expect(await app.request(CLIENTS_ROUTE, { method, headers })).toMatchObject({
        status: 403,
        body: { code: 'INSUFFICIENT_PERMISSION' },
      })
    }
    for (const method of ['POST', 'PATCH'])
      expect((await fetch(app.url() + CLIENTS_ROUTE, { method })).status).toBe(405)
  })

  test('the audit log names the token', async () => {
    await set({ clientId: 'audited', name: 'Audited', metadata: { secret: 'private' } })
    await app.clients('DELETE', undefined, one('audited'))
    const { token } = await addon.createAdminToken({ name: 'Log', permissions: ['audit:read'] })
    const admin = (await addon.listAdminTokens()).find(({ name }) => name === 'Tests')!
    await eventually(async () => {
      const headers = { 'x-admin-token': token }
      const { body } = await app.request('/api/keys/audit', { headers })
      const events = body.events.filter((event: any) => event.clientId === 'audited')
      expect(events).toMatchObject([
        { type: 'client.deleted', actor: admin.id },
        {
          type: 'client.changed',
          actor: admin.id,
          changes: { name: { before: null, after: 'Audited' }, metadata: {} },
        },
      ])
      expect(JSON.stringify(events)).not.toContain('private')
    })
  })
})
