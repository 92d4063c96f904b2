import { afterAll, beforeAll, expect, test } from 'vitest'
import type { addon } from '../support/addon.js'
import { runScript } from '../support/child.js'
import { freshDatabase, type Database } from '../support/database.js'

type Event = Parameters<Parameters<typeof addon.onEvent>[0]>[0]

let database: Database
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const child = (source: string, env: Record<string, string> = {}): ReturnType<typeof runScript> =>
  // With a secret, so that nothing is said about its absence.
  runScript(source, { env: { DATABASE_URL: database.url, JWT_SECRET: 'x'.repeat(32), ...env } })
const weak = { API_KEYS_ARGON2_MEMORY_KIB: '8', API_KEYS_ARGON2_ITERATIONS: '1' }
const suspend = `
  const { id, key } = await api.createApiKey({ name: 'Loud', clientId: 'c', rateLimit: 1 })
  await api.verifyApiKey(key)
  await api.verifyApiKey(key)
  await api.flush()`
const linesOf = (stderr: string): Event[] =>
  stderr
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Event)

test('a process is not kept alive by a listener', async () => {
  const script = `api.onEvent(() => {}); ${suspend}`
  expect(await child(script)).toMatchObject({ code: 0, signal: null, stdout: '', stderr: '' })
  const unused = await child(`api.onEvent(() => {})`)
  expect(unused).toMatchObject({ code: 0, signal: null, stdout: '', stderr: '' })
})

test('without a listener a suspension is one line on stderr', async () => {
  const { code, stdout, stderr } = await child(`${suspend}; report(id)`)
  expect([code, stdout]).toEqual([0, ''])
  expect(stderr).toMatch(/^\{.*\}\n$/)
  expect(linesOf(stderr)).toMatchObject([
    { type: 'key.suspended', severity: 'warning', name: 'Loud', clientId: 'c' },
  ])
})

test('weak parameters are warned of once a start', async () => {
  const one = await child(`await Promise.all([api.health(), api.listApiKeys(), api.flush()])`, weak)
  expect(linesOf(one.stderr)).toMatchObject([
    {
      type: 'configuration.warning',
      severity: 'warning',
      message: expect.stringMatching(/OWASP/),
    },
  ])
  const two = await child(
    `await api.listApiKeys(); await api.close(); await api.listApiKeys()`,
    weak,
  )
  expect(linesOf(two.stderr)).toHaveLength(2)
})

test('the log can be turned off', async () => {
  const silent = await child(suspend, { ...weak, API_KEYS_LOG: 'off' })
  expect(silent).toMatchObject({ code: 0, stdout: '', stderr: '' })
})

test('once the last listener is removed, events go to stderr again', async () => {
  const { stderr } = await child(`api.onEvent(() => {})(); ${suspend}`)
  expect(linesOf(stderr)).toHaveLength(1)
})

test('a hostile name is logged in one line of printable ASCII', async () => {
  // No input of ours would permit this name.
  const name = 'a\u001b[31m\r\n\u0085\u2028\u202e\u2066\u007f\u0007"\\é😀{"type":"forged"}'
  const script = `
    const { id, key } = await api.createApiKey({ name: 'n', clientId: 'c', rateLimit: 1 })
    const { Client } = require('pg')
    const client = new Client({ connectionString: process.env.DATABASE_URL })
    await client.connect()
    await client.query('UPDATE "ApiKey" SET "name" = $1, "clientId" = $1 WHERE "id" = $2', [process.env.NAME, id])
    await client.end()
    await api.verifyApiKey(key)
    await api.verifyApiKey(key)
    await api.flush()`
  const { code, stderr } = await child(script, { NAME: name })
  expect(code).toBe(0)
  expect(stderr).toMatch(/^[ -~]+\n$/)
  const [event, ...others] = linesOf(stderr)
  expect(others).toEqual([])
  expect(event).toMatchObject({ type: 'key.suspended', name: expect.stringMatching(/é😀/) })
  // Nor does it come back when the line is read.
  expect(JSON.stringify(event)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
  expect(Object.values(event!).join()).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
})
