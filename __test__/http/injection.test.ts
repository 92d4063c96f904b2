import { beforeAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { fieldsOf } from '../support/declared.js'
import { expectHarmless, named, wellFormed } from '../support/hostile-texts.js'
import {
  CLIENTS_ROUTE,
  KEYS_ROUTE,
  QUOTAS_ROUTE,
  useApp,
  type Answer,
} from '../support/example-app.js'

// Every text at the places of a request that the example hands on; `__test__/next/injection.test.ts` has the rest.

const app = useApp()

let token: string
beforeAll(async () => {
  token = (await addon.createAdminToken({ name: 'All', permissions: ['*'] })).token
})

/** The texts that a client can send; Node.js itself refuses longer ones. */
const texts = named.map(([, text]) => wellFormed(text).slice(0, 1_000))

function expectSound({ status, headers, body }: Answer, what: string): void {
  expect(status, what).toBeGreaterThanOrEqual(200)
  expect(status, what).toBeLessThan(500)
  for (const value of headers.values()) expect(value, what).toMatch(/^[ -~]*$/)
  if (status >= 400) expectHarmless(body, what)
}

test.each([
  '/api/keys',
  '/api/clients',
  '/api/quotas',
  '/api/usage',
  '/api/usage/export',
  '/api/keys/audit',
  '/api/search',
  '/api/documents/x',
])('the query of %s', async (route) => {
  const others = ['clientId', 'search', 'id', 'name']
  const names = [...Object.keys(fieldsOf('ListAuditEventsQuery')), ...others]
  for (const text of texts) {
    const value = encodeURIComponent(text)
    for (const query of [...names.map((name) => `${name}=${value}`), `${value}=1`]) {
      const headers = { 'x-admin-token': token }
      expectSound(await app.request(`${route}?${query}`, { headers }), route)
    }
  }
})

test(`the body for ${KEYS_ROUTE}`, async () => {
  for (const text of texts) {
    for (const field of [...Object.keys(fieldsOf('CreateApiKeyInput')), 'id', text]) {
      for (const method of ['POST', 'PUT', 'PATCH']) {
        const body = JSON.stringify({ id: 'nobody', name: 'n', clientId: 'c', [field]: text })
        const headers = { 'x-admin-token': token, 'content-type': 'application/json' }
        expectSound(await app.request(KEYS_ROUTE, { method, headers, body }), `${method} ${field}`)
      }
    }
  }
})

test(`the body for ${CLIENTS_ROUTE}`, async () => {
  for (const text of texts) {
    for (const field of [...Object.keys(fieldsOf('SetClientInput')), text]) {
      const body = JSON.stringify({ clientId: 'c', [field]: text })
      const headers = { 'x-admin-token': token, 'content-type': 'application/json' }
      const init = { method: 'PUT', headers, body }
      expectSound(await app.request(CLIENTS_ROUTE, init), field)
    }
  }
})

test(`the body for ${QUOTAS_ROUTE}`, async () => {
  for (const text of texts) {
    for (const field of [...Object.keys(fieldsOf('GrantQuotaInput')), text]) {
      const body = JSON.stringify({ clientId: 'c', name: 'a', amount: 1, [field]: text })
      const headers = { 'x-admin-token': token, 'content-type': 'application/json' }
      const init = { method: 'POST', headers, body }
      expectSound(await app.request(QUOTAS_ROUTE, init), field)
    }
  }
})
