import { expect, test } from 'vitest'
import { github, useApp } from '../support/example-app.js'

const app = useApp()

const report = (body: string, headers = github.headersFor(body)) =>
  app.request('/api/leaks', { method: 'POST', headers, body })

test('GitHub reports a key that was committed, and it is revoked', async () => {
  const { id, key } = await app.create()
  const url = 'https://github.com/octocat/Hello-World/blob/1234/foo/bar.txt'
  const matches = [key, 'NMIfyYncKcRALEXAMPLE'].map((token) => ({ token, type: 'acme', url }))
  // Spaces that a parser would lose: what is signed is what was sent.
  const body = JSON.stringify(matches, null, 3)
  const { status, body: answer } = await report(body)
  expect(status).toBe(200)
  expect(answer).toEqual([
    { token_raw: key, token_type: 'acme', label: 'true_positive' },
    { token_raw: 'NMIfyYncKcRALEXAMPLE', token_type: 'acme', label: 'false_positive' },
  ])
  const [row] = await app.sql('SELECT "revokedReason" FROM "ApiKey" WHERE "id" = $1', [id])
  expect(row).toEqual({ revokedReason: 'compromised' })
  const refused = await app.request('/api/search', { headers: { 'x-api-key': key } })
  expect(refused).toMatchObject({ status: 401, body: { code: 'REVOKED' } })
})

test('nobody else does', async () => {
  const { key } = await app.create()
  const body = JSON.stringify([{ token: key, type: 'acme' }])
  for (const headers of [{}, github.headersFor(`${body} `)]) {
    const answer = await report(body, headers)
    expect(answer).toMatchObject({ status: 401, body: { code: 'INVALID_SIGNATURE' } })
  }
  const { status } = await app.request('/api/search', { headers: { 'x-api-key': key } })
  expect(status).toBe(200)
})
