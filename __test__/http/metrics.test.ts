import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { samples } from '../support/prometheus.js'
import { useApp } from '../support/example-app.js'

const app = useApp()

const ask = async (permissions?: string[]): Promise<Response> => {
  const headers: Record<string, string> = {}
  if (permissions) {
    const { token } = await addon.createAdminToken({ name: 'Prometheus', permissions })
    headers['x-admin-token'] = token
  }
  return fetch(`${app.url()}/api/metrics`, { headers })
}

describe('/api/metrics', () => {
  test('shows the metrics to admins with the permission', async () => {
    const { key } = await app.create()
    await app.request('/api/search', { headers: { 'x-api-key': key } })
    const answer = await ask(['metrics:read'])
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const told = samples(await answer.text())
    expect(told.get('sophra_api_key_verifications_total{result="VALID"}')).toBe(1)
    expect(told.get('sophra_api_key_database_up')).toBe(1)
  })

  test('shows nothing to other callers', async () => {
    expect((await ask()).status).toBe(401)
    expect((await ask(['keys:read', 'keys:write'])).status).toBe(403)
  })
})
