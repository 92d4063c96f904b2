import { afterAll, beforeAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { environmentFor, jwtSecret, send, type Answer } from '../support/example-app.js'
import { startServer, type Server } from '../support/example-server.js'
import { eventually } from '../support/eventually.js'
import { expectHarmless, named, wellFormed } from '../support/hostile-texts.js'
import { startProxy, type Proxy } from '../support/proxy.js'
import { expectSigned, startReceiver, type Receiver } from '../support/receiver.js'
import { useAddon } from '../support/use-addon.js'

// The app of the example delivers; this process only writes.
const database = useAddon({ jwtSecret, webhooks: 'off' })

let receiver: Receiver
let proxy: Proxy
let server: Server
let token: string
let secret: string

beforeAll(async () => {
  receiver = await startReceiver()
  proxy = await startProxy(database.url())
  server = await startServer({
    ...environmentFor(proxy.url),
    API_KEYS_WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8',
  })
  token = (await addon.createAdminToken({ name: 'Tests', permissions: ['*'] })).token
  const made = await admin('/api/webhooks', 'POST', { url: receiver.url })
  expect(made).toMatchObject({ status: 201, body: { url: receiver.url, types: null } })
  secret = made.body.secret
})
afterAll(async () => {
  await server?.stop()
  await proxy?.close()
  await receiver?.close()
  expect(server?.output()).not.toContain(secret)
})

const admin = (path: string, method: string, body?: unknown): Promise<Answer> =>
  send(server.url + path, {
    method,
    headers: { 'x-admin-token': token, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })

const ask = (key: string): Promise<Response> =>
  fetch(`${server.url}/api/search`, { headers: { 'x-api-key': key } })

test('a suspension is told, again until it is accepted, and once more on request', async () => {
  const { id, key } = await addon.createApiKey({ name: 'n', clientId: 'c', rateLimit: 1 })
  await eventually(() => expect(receiver.of('key.issued')).toHaveLength(1), 30_000)
  receiver.answers.push(500, 503)
  expect((await ask(key)).status).toBe(200)
  expect((await ask(key)).status).toBe(429)
  await eventually(() => expect(receiver.of('key.suspended')).toHaveLength(3), 30_000)
  for (const data of receiver.of('key.suspended'))
    expect(data).toMatchObject({ keyId: id, clientId: 'c', actor: null })
  for (const one of receiver.arrived) expectSigned(one, secret)

  const path = '/api/webhooks/deliveries'
  await eventually(async () =>
    expect((await admin(`${path}?state=pending`, 'GET')).body).toEqual([]),
  )
  const [{ id: delivery, noticeId, type }] = (await admin(`${path}?limit=1`, 'GET')).body
  expect(type).toBe('key.suspended')
  expect(await admin(path, 'POST', { id: delivery })).toMatchObject({ status: 200 })
  await eventually(() => expect(receiver.of('key.suspended')).toHaveLength(4), 30_000)
  expect(receiver.arrived.at(-1)?.id).toBe(noticeId)
})

test('a name that another writer has stored arrives as it is, in JSON that no text can break', async () => {
  const before = receiver.of('key.changed').length
  const { id } = await addon.createApiKey({ name: 'n', clientId: 'c' })
  const texts = named.filter(([what, text]) => what !== 'NUL' && text.length < 1_000)
  const name = texts.map(([, text]) => wellFormed(text)).join('')
  const long = 'x'.repeat(1_000_000)
  for (const stored of [name, long])
    await database.sql(`UPDATE "ApiKey" SET "name" = $1 WHERE "id" = $2`, [stored, id])
  await eventually(() => expect(receiver.of('key.changed')).toHaveLength(before + 2), 30_000)
  const [first, second] = receiver.of('key.changed').slice(before)
  expect(first).toMatchObject({ keyId: id, name, actor: null })
  expect(second).toMatchObject({ name: long.slice(0, 16_384), changes: { name: {} } })
  for (const { headers } of receiver.arrived) expectHarmless(headers, 'a header')
})

test('an outage and its end are told after the recovery', async () => {
  const { key } = await addon.createApiKey({ name: 'n', clientId: 'c' })
  await eventually(() => expect(receiver.of('key.issued')).toHaveLength(3), 30_000)
  proxy.cut()
  await eventually(async () => expect((await ask(key)).status).toBe(503), 30_000)
  proxy.mend()
  await eventually(() => expect(receiver.of('database.recovered')).toHaveLength(1), 60_000)
  expect(receiver.of('database.unavailable')).toEqual([{ actor: null }])
  expect(receiver.of('database.recovered')[0]).toEqual({
    actor: null,
    downForMs: expect.any(Number),
  })
  const types = receiver.arrived.map(({ notice }) => notice.type)
  expect(types.indexOf('database.unavailable')).toBeLessThan(types.indexOf('database.recovered'))
  expect((await ask(key)).status).toBe(200)
})
