import { createApiKey, patchApiKey } from '@sophra/api-keys'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { GET } from '../src/search.js'
import { useDatabase } from '../support/database.js'

let database
beforeAll(async () => {
  database = await useDatabase(inject('serverUrl'))
})
afterAll(() => database.drop())

const ask = (key) =>
  GET(new Request('http://localhost/api/search', { headers: key ? { 'x-api-key': key } : {} }))

test('a client with the scope is served', async () => {
  const input = { name: 'Search', clientId: 'acme', scopes: ['search:read'] }
  const { key } = await createApiKey(input)
  const response = await ask(key)
  expect(response.status).toBe(200)
  expect(await response.json()).toEqual({ clientId: 'acme', results: [] })
})

test('others are refused', async () => {
  const { id, key } = await createApiKey({ name: 'Other', clientId: 'acme' })
  expect((await ask()).status).toBe(401)
  expect((await ask(key)).status).toBe(403)
  await patchApiKey({ id, isActive: false })
  expect((await ask(key)).status).toBe(401)
})

test('the limit holds', async () => {
  const input = { name: 'Slow', clientId: 'acme', scopes: ['search:read'], rateLimit: 2 }
  const { key } = await createApiKey(input)
  const statuses = []
  for (let n = 0; n < 3; n++) statuses.push((await ask(key)).status)
  expect(statuses).toEqual([200, 200, 429])
})
