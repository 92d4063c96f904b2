import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { KEYS_ROUTE, useApp } from '../support/example-app.js'

describe('the audit log', () => {
  const app = useApp()
  const reader = async (permission: string): Promise<RequestInit> => {
    const { token } = await addon.createAdminToken({ name: 'Auditor', permissions: [permission] })
    return { headers: { 'x-admin-token': token } }
  }

  test('shows who did what, to admins with the permission', async () => {
    const auditor = await reader('audit:read')
    const { body: made } = await app.keys('POST', { name: 'Audited', clientId: 'acme' })
    await app.keys('PATCH', { id: made.id, isActive: false })
    await app.request('/api/search', { headers: { 'x-api-key': made.key } })
    await app.keys('PUT', { id: made.id, regenerateKey: true })
    await app.keys('DELETE', undefined, `?id=${made.id}`)
    const admin = (await addon.listAdminTokens()).find(({ name }) => name === 'Tests')!
    await eventually(async () => {
      const { status, body } = await app.request(`/api/keys/audit?keyId=${made.id}`, auditor)
      expect(status).toBe(200)
      const events = body.events as { type: string; actor?: string; reason?: string }[]
      expect(events.map(({ type }) => type).sort()).toEqual([
        'key.changed',
        'key.changed',
        'key.deleted',
        'key.issued',
        'key.refused',
      ])
      const done = events.filter(({ type }) => type !== 'key.refused')
      expect(done.map(({ actor }) => actor)).toEqual(done.map(() => admin.id))
      expect(events.find(({ reason }) => reason)).toMatchObject({
        reason: 'DISABLED',
        clientId: 'acme',
      })
    })
  })

  test('is closed to others, and names what it does not know', async () => {
    expect((await app.request('/api/keys/audit')).status).toBe(401)
    expect((await app.request('/api/keys/audit', await reader('keys:read'))).status).toBe(403)
    const { status, body } = await app.request(
      '/api/keys/audit?limit=0&what=1',
      await reader('audit:read'),
    )
    expect(status).toBe(400)
    expect(body.code).toBe('INVALID_INPUT')
  })

  test.each(['', '0x10', '1e1', '%2010', '10.0', '+10', '1001'])(
    'takes no limit but a whole number: %j',
    async (limit) => {
      const answer = await app.request(`/api/keys/audit?limit=${limit}`, await reader('audit:read'))
      expect(answer).toMatchObject({ status: 400, body: { issues: [{ path: 'limit' }] } })
    },
  )
})
