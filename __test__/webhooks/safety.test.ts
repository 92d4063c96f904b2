import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { useDatabaseEach } from '../support/database-each.js'
import { eventually } from '../support/eventually.js'
import { startPeer } from '../support/peer.js'
import { expectSigned, startReceiver, type Receiver } from '../support/receiver.js'

const { createApiKey, listDeliveries, onEvent, patchApiKey, setWebhook } = addon

const database = useDatabaseEach()

let receiver: Receiver
beforeEach(async () => {
  receiver = await startReceiver()
})
afterEach(async () => {
  await receiver.close()
})

const loopback = ['127.0.0.0/8', '::1']
const configure = (options: Parameters<typeof addon.configure>[0] = {}): void =>
  addon.configure({
    databaseUrl: database.url,
    ...cheapHashing,
    webhookAllowedNetworks: loopback,
    ...options,
  })

const sql: typeof database.sql = (text, params) => database.sql(text, params)

/** The events of a type that this process emits from now on. */
function eventsOf(type: string): Record<string, unknown>[] {
  const seen: Record<string, unknown>[] = []
  onEvent((event) => {
    if (event.type === type) seen.push(event as never)
  })
  return seen
}

test('a private address is refused, in whatever form, unless it is allowed', async () => {
  configure({ webhookAllowedNetworks: null })
  const refused = [
    ...[
      'http://127.0.0.1/',
      'http://2130706433/',
      'http://0x7f.1/',
      'http://[::1]:8080/',
      'http://0/',
    ],
    ...['https://10.0.0.1/', 'https://169.254.169.254/latest', 'https://[::ffff:192.168.1.1]/'],
    ...[
      'https://[fd00::1]/',
      'https://[fe80::1]/',
      'https://100.64.0.1',
      'https://[64:ff9b::7f00:1]/',
    ],
    ...[
      'ftp://example.com/',
      'file:///etc/passwd',
      '/hook',
      'example.com',
      '',
      'http://',
      'https://a b/',
    ],
    ...['https://user:secret@example.com/', 'https://example.com/#fragment'],
    `https://example.com/${'a'.repeat(2_048)}`,
  ]
  for (const url of refused)
    await expect(setWebhook({ url }), url).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      issues: [{ path: 'url' }],
    })
  expect(await setWebhook({ url: 'HTTPS://Example.com:443/a?b' })).toMatchObject({
    url: 'https://example.com/a?b',
  })
})

test('a name that resolves to a private address is not connected to', async () => {
  configure({ webhookAllowedNetworks: null })
  const failing = eventsOf('webhook.failing')
  const { id } = await setWebhook({ url: receiver.url.replace('127.0.0.1', 'localhost') })
  await createApiKey({ name: 'n', clientId: 'c' })
  await eventually(() => expect(failing).toHaveLength(1))
  expect(failing[0]).toMatchObject({ webhookId: id, severity: 'warning' })
  expect(failing[0]?.['problem']).toMatch(/private/)
  expect(receiver.arrived).toEqual([])
  // What was stored before it was forbidden is not connected to either.
  await sql(`UPDATE sophra_api_keys.webhooks SET url = $1`, [receiver.url])
  await eventually(async () => {
    const { deliveries } = await listDeliveries()
    expect(deliveries[0]?.attempts).toBeGreaterThan(1)
  }, 20_000)
  expect(receiver.arrived).toEqual([])
})

test('a redirect is not followed, and an answer that never ends does no harm', async () => {
  configure({ webhookTimeoutMs: 300 })
  const failing = eventsOf('webhook.failing')
  const elsewhere = await startReceiver()
  receiver.answers.push((response) => response.writeHead(307, { location: elsewhere.url }).end())
  // The head says that it was accepted. The rest never comes.
  receiver.answers.push((response) => void response.writeHead(200).write('x'))
  await setWebhook({ url: receiver.url })
  await createApiKey({ name: 'n', clientId: 'c' })
  await eventually(async () =>
    expect((await listDeliveries({ state: 'delivered' })).deliveries).toHaveLength(1),
  )
  expect(failing).toMatchObject([{ problem: 'HTTP 307' }])
  expect(elsewhere.arrived).toEqual([])
  expect(receiver.arrived).toHaveLength(2)
  await elsewhere.close()
})

test('a receiver that hangs holds up no other', async () => {
  configure({ webhookTimeoutMs: 60_000 })
  const hanging: Server = createServer(() => {}).listen(0, '127.0.0.1')
  await once(hanging, 'listening')
  await setWebhook({ url: `http://127.0.0.1:${(hanging.address() as AddressInfo).port}/` })
  await setWebhook({ url: receiver.url })
  for (let i = 0; i < 30; i++) await createApiKey({ name: `n${i}`, clientId: 'c' })
  await eventually(() => expect(receiver.arrived).toHaveLength(30))
  hanging.closeAllConnections()
  hanging.close()
})

test('a notice that cannot be written does not stop its writer, and is reported', async () => {
  configure()
  const lost = eventsOf('notices.lost')
  await setWebhook({ url: receiver.url })
  const { id } = await createApiKey({ name: 'n', clientId: 'c' })
  await eventually(() => expect(receiver.arrived).toHaveLength(1))
  await sql(
    `ALTER TABLE sophra_api_keys.notices ADD CONSTRAINT broken CHECK (type <> 'key.changed')`,
  )
  expect(await patchApiKey({ id, name: 'm' })).toMatchObject({ name: 'm' })
  await sql(`UPDATE "ApiKey" SET "name" = 'o' WHERE "id" = $1`, [id])
  await eventually(() => expect(lost.map(({ sqlstate }) => sqlstate)).toContain('23514'))
  await eventually(() => expect(lost.reduce((sum, { count }) => sum + Number(count), 0)).toBe(2))
  await sql(`ALTER TABLE sophra_api_keys.notices DROP CONSTRAINT broken`)
  await patchApiKey({ id, name: 'p' })
  await eventually(() => expect(receiver.of('key.changed')).toHaveLength(1))
})

test('nobody who locks the tables holds up a writer', async () => {
  configure()
  await setWebhook({ url: receiver.url })
  const { id } = await createApiKey({ name: 'n', clientId: 'c' })
  const { default: pg } = await import('pg')
  const other = new pg.Client({ connectionString: database.url })
  await other.connect()
  await other.query('BEGIN; LOCK TABLE sophra_api_keys.notices IN ACCESS EXCLUSIVE MODE')
  expect(await patchApiKey({ id, name: 'm' })).toMatchObject({ name: 'm' })
  await other.query('ROLLBACK')
  await other.end()
})

test('serializable transactions of the app do not fail because of notices', async () => {
  configure({ webhooks: 'off' })
  await setWebhook({ url: receiver.url })
  const made = [
    await createApiKey({ name: 'a', clientId: 'c' }),
    await createApiKey({ name: 'b', clientId: 'c' }),
  ]
  const { default: pg } = await import('pg')
  const clients = made.map(() => new pg.Client({ connectionString: database.url }))
  await Promise.all(clients.map((client) => client.connect()))
  for (let round = 0; round < 10; round++) {
    for (const client of clients) await client.query('BEGIN ISOLATION LEVEL SERIALIZABLE')
    for (const [i, client] of clients.entries())
      await client.query(`UPDATE "ApiKey" SET "name" = $1 WHERE "id" = $2`, [
        `${round}`,
        made[i]!.id,
      ])
    for (const client of clients) await client.query('COMMIT')
  }
  await Promise.all(clients.map((client) => client.end()))
  const { deliveries } = await listDeliveries()
  expect(deliveries.filter(({ type }) => type === 'key.changed')).toHaveLength(20)
})

test('a secret is sealed under a secret of the environment, for its webhook alone', async () => {
  configure({ jwtSecret: 'j'.repeat(32) })
  const { id, secret } = await setWebhook({ url: receiver.url })
  const raw = Buffer.from(String(secret).slice('whsec_'.length), 'base64')
  expect(raw).toHaveLength(32)
  const [row] = await sql(`SELECT secret FROM sophra_api_keys.webhooks WHERE id = $1`, [id])
  const stored = row?.['secret'] as Buffer
  expect(stored[0]).toBe(1)
  expect(stored.includes(raw)).toBe(false)
  await createApiKey({ name: 'n', clientId: 'c' })
  await eventually(() => expect(receiver.arrived).toHaveLength(1))
  expectSigned(receiver.arrived[0]!, String(secret))
  // Another process whose environment has another secret can send nothing, and says so.
  await addon.close()
  const peer = await startPeer({
    databaseUrl: database.url,
    ...cheapHashing,
    webhookAllowedNetworks: loopback,
    jwtSecret: 'k'.repeat(32),
  })
  const problem = await peer.run(
    ({ api }) =>
      new Promise<string>((resolve) => {
        api.onEvent((event) => {
          if (event.type === 'webhook.failing') resolve(event.problem)
        })
        void api.createApiKey({ name: 'unsent', clientId: 'c' })
      }),
  )
  expect(problem).toMatch(/secret cannot be read/)
  expect(receiver.arrived).toHaveLength(1)
  await peer.stop()
})

test('a secret that was sealed before there were signing keys can still be opened', async () => {
  configure({ jwtSecret: 'j'.repeat(32) })
  const { secret } = await setWebhook({ url: receiver.url })
  await addon.close()
  const signingKeys = [Buffer.alloc(32, 7).toString('base64')]
  configure({ jwtSecret: 'j'.repeat(32), signingKeys })
  await createApiKey({ name: 'n', clientId: 'c' })
  await eventually(() => expect(receiver.arrived).toHaveLength(1))
  expectSigned(receiver.arrived[0]!, String(secret))
})

test('without a secret in the environment it is stored as it is', async () => {
  configure({ jwtSecret: null })
  const { secret } = await setWebhook({ url: receiver.url })
  const [row] = await sql(`SELECT secret FROM sophra_api_keys.webhooks`)
  expect((row?.['secret'] as Buffer).subarray(1).toString('base64')).toBe(
    String(secret).slice('whsec_'.length),
  )
})

test('a process that is switched off writes notices, and another one delivers them', async () => {
  configure({ webhooks: 'off' })
  await setWebhook({ url: receiver.url })
  await createApiKey({ name: 'n', clientId: 'c' })
  const peer = await startPeer({
    databaseUrl: database.url,
    ...cheapHashing,
    webhookAllowedNetworks: loopback,
  })
  await peer.run(({ api }) => api.listWebhooks())
  await eventually(() => expect(receiver.arrived).toHaveLength(1), 30_000)
  // It ends, and says so: the next one need not wait.
  await peer.stop()
  expect(await sql(`SELECT process FROM sophra_api_keys.deliverer`)).toEqual([{ process: '' }])
})

test('there are at most 50 webhooks, also when they are made at the same time', async () => {
  configure()
  const make = (): Promise<string> =>
    setWebhook({ url: receiver.url, types: ['key.unused'] }).then(
      () => 'made',
      ({ code }) => String(code),
    )
  const made: string[] = []
  for (let i = 0; i < 6; i++) made.push(...(await Promise.all(Array.from({ length: 10 }, make))))
  expect(made.filter((one) => one === 'made')).toHaveLength(50)
  expect(new Set(made)).toEqual(new Set(['made', 'CONFLICT']))
})

test('the time limit of three days is a number of attempts', async () => {
  configure()
  const { id } = await setWebhook({ url: receiver.url })
  receiver.answers.push(500, 500)
  await sql(`INSERT INTO sophra_api_keys.notices (type, data) VALUES ('key.issued', '{}')`)
  await sql(
    `INSERT INTO sophra_api_keys.deliveries (webhook_id, notice, type, subject, attempts, due_at)
     SELECT $1, id, type, 1, 83, now() FROM sophra_api_keys.notices`,
    [id],
  )
  await eventually(async () =>
    expect((await listDeliveries({ state: 'dead' })).deliveries).toMatchObject([{ attempts: 84 }]),
  )
  const pauses = await sql(
    `SELECT sum(least(2 ^ least(attempt, 20), 3600))::integer AS seconds FROM generate_series(0, 82) AS attempt`,
  )
  expect(Number(pauses[0]?.['seconds'])).toBeGreaterThanOrEqual(3 * 86_400)
  expect(addon.metrics).toBeDefined()
  expect(await addon.metrics()).toMatch(/webhook_attempts_total\{result="given_up"\} [1-9]/)
  // It no longer holds back the next one of its subject.
  await addon.redeliver((await listDeliveries()).deliveries[0]!.id)
  await eventually(async () =>
    expect((await listDeliveries()).deliveries).toMatchObject([{ state: 'pending', attempts: 1 }]),
  )
})
