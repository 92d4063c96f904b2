import { once } from 'node:events'
import { createServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { expectHarmless, named, wellFormed } from '../support/hostile-texts.js'
import { startProxy, type Proxy } from '../support/proxy.js'
import { useAddon } from '../support/use-addon.js'
import { environmentFor } from '../support/example-app.js'
import { startServer, type Server } from '../support/example-server.js'

const database = useAddon()

/** The received alerts, and the statuses of the next responses; 200 when none is left. */
const received: Record<string, unknown>[] = []
const answers: number[] = []
let webhook: HttpServer
let proxy: Proxy
let server: Server

beforeAll(async () => {
  webhook = createServer(async (request, response) => {
    received.push(JSON.parse(await text(request)) as Record<string, unknown>)
    response.writeHead(answers.shift() ?? 200).end()
  }).listen(0, '127.0.0.1')
  await once(webhook, 'listening')
  proxy = await startProxy(database.url())
  server = await startServer({
    ...environmentFor(proxy.url),
    ALERT_WEBHOOK_URL: `http://127.0.0.1:${(webhook.address() as AddressInfo).port}`,
  })
})
afterAll(async () => {
  await server?.stop()
  await proxy?.close()
  webhook.close()
})

const ask = (key: string): Promise<Response> =>
  fetch(`${server.url}/api/search`, { headers: { 'x-api-key': key } })

const alerts = (type: string): unknown[] => received.filter((event) => event.type === type)

test('a suspension is sent to the webhook, and sent again until it is accepted', async () => {
  const { id, key } = await addon.createApiKey({ name: 'n', clientId: 'c', rateLimit: 1 })
  // The cheap hashing of the tests is the first alert.
  expect((await ask('nonsense')).status).toBe(401)
  await eventually(() => expect(alerts('configuration.warning')).toHaveLength(1), 30_000)
  answers.push(500, 503)
  expect((await ask(key)).status).toBe(200)
  expect((await ask(key)).status).toBe(429)
  await eventually(() => expect(alerts('key.suspended')).toHaveLength(3), 30_000)
  expect(alerts('key.suspended')).toContainEqual(
    expect.objectContaining({ keyId: id, severity: 'warning' }),
  )
})

test('a name that another writer has stored is sent escaped', async () => {
  const before = alerts('key.suspended').length
  const { id, key } = await addon.createApiKey({ name: 'n', clientId: 'c', rateLimit: 1 })
  const texts = named.filter(([what]) => what !== 'NUL').map(([, text]) => wellFormed(text))
  const update = `UPDATE "ApiKey" SET "name" = $1, "clientId" = $2 WHERE "id" = $3`
  await database.sql(update, [texts.join(''), texts.join('').slice(0, 500), id])
  expect((await ask(key)).status).toBe(200)
  expect((await ask(key)).status).toBe(429)
  await eventually(() => expect(alerts('key.suspended').length).toBeGreaterThan(before), 30_000)
  for (const event of received) expectHarmless(event, 'an alert')
  expect(alerts('key.suspended').at(-1)).toMatchObject({ keyId: id })
})

test('so is an outage, and its end; what is no alert is not', async () => {
  const { key } = await addon.createApiKey({ name: 'n', clientId: 'c' })
  proxy.cut()
  await eventually(async () => {
    await ask(key)
    expect(alerts('database.unavailable')).toHaveLength(1)
  }, 30_000)
  proxy.mend()
  await eventually(() => expect(alerts('database.recovered')).toHaveLength(1), 30_000)
  expect((await ask(key)).status).toBe(200)
  await ask(`${key}x`)
  const types = new Set(received.map(({ type }) => type))
  expect([...types].filter((type) => String(type).startsWith('key.'))).toEqual(['key.suspended'])
})
