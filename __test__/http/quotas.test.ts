import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { expectRetryAfter, QUOTAS_ROUTE, useApp } from '../support/example-app.js'

describe(QUOTAS_ROUTE, () => {
  const app = useApp()
  const set = async (clientId: string, ...quotas: object[]): Promise<void> => {
    const { status, body } = await app.clients('PUT', { clientId, quotas })
    expect({ status, body }).toMatchObject({ status: 200 })
  }
  const read = (clientId: string, name = 'default') =>
    app.quotas('GET', undefined, `?clientId=${encodeURIComponent(clientId)}&name=${name}`)
  const search = (key: string) => app.request('/api/search', { headers: { 'x-api-key': key } })

  const FIELDS = [
    'amount',
    'granted',
    'name',
    'period',
    'remaining',
    'resetsAt',
    'used',
    'withheld',
  ]
  const monthly = { name: 'default', amount: 3, period: 'month' }

  test('a quota is set, used up, added to, and goes on', async () => {
    await set('a&b=c ü', monthly)
    const { key } = await app.create({ clientId: 'a&b=c ü' })
    const unused = await read('a&b=c ü')
    expect(unused.status).toBe(200)
    expect(Object.keys(unused.body).sort()).toEqual(FIELDS)
    expect(unused.body).toMatchObject({ ...monthly, used: 0, remaining: 3 })

    for (let accepted = 0; accepted < 3; accepted++) expect((await search(key)).status).toBe(200)
    const refused = await search(key)
    expect(refused).toMatchObject({
      status: 429,
      body: { error: 'Quota exceeded', code: 'QUOTA_EXCEEDED' },
    })
    expectRetryAfter(refused)
    expect(refused.headers.get('ratelimit')).toBeNull()

    const granted = await app.quotas('POST', { clientId: 'a&b=c ü', name: 'default', amount: 2 })
    expect(granted).toMatchObject({ status: 200, body: { granted: 2, remaining: 2 } })
    await eventually(async () => expect((await search(key)).status).toBe(200))
    // The server tells what it has used with its next flush.
    await eventually(async () =>
      expect((await read('a&b=c ü')).body).toMatchObject({ used: 4, granted: 1, remaining: 1 }),
    )
  })

  test('several keys share it, and those of the clients below', async () => {
    await set('above', { ...monthly, amount: 2, period: 'week', timeZone: 'Asia/Kolkata' })
    await app.clients('PUT', { clientId: 'below', parentId: 'above' })
    const keys = [await app.create({ clientId: 'above' }), await app.create({ clientId: 'below' })]
    for (const { key } of keys) expect((await search(key)).status).toBe(200)
    for (const { key } of keys)
      expect(await search(key)).toMatchObject({ status: 429, body: { code: 'QUOTA_EXCEEDED' } })
  })

  test('one of a key is read by its id', async () => {
    const quotas = [{ name: 'default', amount: 1, period: 'total' }]
    const { id, key } = await app.create({ quotas })
    expect((await search(key)).status).toBe(200)
    const refused = await search(key)
    expect(refused).toMatchObject({ status: 429, body: { code: 'QUOTA_EXCEEDED' } })
    expect(refused.headers.get('retry-after')).toBeNull()
    await eventually(async () =>
      expect(await app.quotas('GET', undefined, `?keyId=${id}&name=default`)).toMatchObject({
        status: 200,
        body: { used: 1, remaining: 0, resetsAt: null },
      }),
    )
    expect((await app.keys('PATCH', { id, quotas: null })).body).toMatchObject({ quotas: [] })
    expect(await app.quotas('GET', undefined, `?keyId=${id}&name=default`)).toMatchObject({
      status: 404,
      body: { error: 'Quota not found', code: 'NOT_FOUND' },
    })
    await eventually(async () => expect((await search(key)).status).toBe(200))
  })

  test('a wrong request is 400, and names every bad field', async () => {
    await set('wrong', monthly)
    const answers = [
      await app.quotas('GET'),
      await app.quotas('GET', undefined, '?clientId=wrong'),
      await app.quotas('GET', undefined, '?clientId=wrong&keyId=k&name=default'),
      await app.quotas('GET', undefined, '?clientId=wrong&name=default&limit=1'),
      await app.quotas('POST', {}),
      await app.quotas('POST', { clientId: 'wrong', name: 'default', amount: 0 }),
      await app.quotas('POST', { name: 'default', amount: 1 }),
    ]
    for (const { status, body } of answers) {
      expect([status, body.code]).toEqual([400, 'INVALID_INPUT'])
      expect(body.issues.length).toBeGreaterThan(0)
    }
    expect(await read('nobody')).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } })
  })

  test('each method asks for its permission', async () => {
    const { token } = await addon.createAdminToken({ name: 'C', permissions: ['clients:write'] })
    for (const method of ['GET', 'POST']) {
      expect(await app.request(QUOTAS_ROUTE, { method })).toMatchObject({
        status: 401,
        body: { code: 'MISSING_TOKEN' },
      })
      const headers = { 'x-admin-token': token }
      expect(await app.request(QUOTAS_ROUTE, { method, headers })).toMatchObject({
        status: 403,
        body: { code: 'INSUFFICIENT_PERMISSION' },
      })
    }
    for (const method of ['PUT', 'PATCH', 'DELETE'])
      expect((await fetch(app.url() + QUOTAS_ROUTE, { method })).status).toBe(405)
  })

  test('the audit log names the token', async () => {
    await set('audited', monthly)
    await app.quotas('POST', { clientId: 'audited', name: 'default', amount: 5 })
    const { token } = await addon.createAdminToken({ name: 'Log', permissions: ['audit:read'] })
    const admin = (await addon.listAdminTokens()).find(({ name }) => name === 'Tests')!
    await eventually(async () => {
      const headers = { 'x-admin-token': token }
      const { body } = await app.request('/api/keys/audit?type=quota.granted', { headers })
      const events = body.events.filter((event: any) => event.clientId === 'audited')
      expect(events).toMatchObject([{ quota: 'default', amount: 5, actor: admin.id }])
    })
  })
})
