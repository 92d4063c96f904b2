import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { Webhook } from 'standardwebhooks'
import { addon } from '../support/addon.js'
import { neutralEnvironment, root } from '../support/child.js'
import { eventually } from '../support/eventually.js'
import { useAddon } from '../support/use-addon.js'
import { compile } from './example.js'
import { blocksOf } from './markdown.js'

// The receivers of the page about webhooks, with what is really delivered, and with what others send.

const database = useAddon({ webhookAllowedNetworks: ['127.0.0.0/8'] })

const blocks = blocksOf('docs/guides/webhooks.md')
const receivers = blocks.filter(({ file }) => file === 'app/api/hooks/route.ts')
const table = blocks.find(({ language }) => language === 'sql')!

/** Serves `POST` of the page, as a framework would. */
const SERVER = `
import { once } from 'node:events'
import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'

createServer(async (incoming, outgoing) => {
  const { method } = incoming
  const headers = incoming.headers as Record<string, string>
  const request = new Request('http://localhost', { method, headers, body: await buffer(incoming) })
  outgoing.writeHead((await POST(request)).status).end()
}).listen(Number(process.env.PORT), '127.0.0.1')
`

let app: ChildProcess | undefined
afterEach(async () => {
  for (const { id } of await addon.listWebhooks()) await addon.deleteWebhook(id)
  app?.kill('SIGKILL')
})

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}

const stored = (): Promise<Record<string, any>[]> =>
  database.sql('SELECT id, type, data FROM key_notices')

test('the page has a receiver by hand, and one with the package', () => {
  expect(receivers.map(({ text }) => text.includes("from 'standardwebhooks'"))).toEqual([
    false,
    true,
  ])
})

test.each(receivers.map((block) => [block.line, block] as const))(
  'the receiver of line %i accepts what is delivered, once, and nothing else',
  async (_line, { text }) => {
    const { problems, code } = compile(`${text}${SERVER}`)
    expect(problems).toEqual([])
    await database.sql(`DROP TABLE IF EXISTS key_notices; ${table.text}`)
    const port = await freePort()
    const url = `http://127.0.0.1:${port}/api/hooks`
    const { secret } = await addon.setWebhook({ url })
    app = spawn(process.execPath, ['--input-type=module', '--eval', code], {
      cwd: root,
      env: {
        ...neutralEnvironment(),
        DATABASE_URL: database.url(),
        WEBHOOK_SECRET: secret,
        PORT: String(port),
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const { id } = await addon.createApiKey({ name: 'n', clientId: 'c' })
    await addon.patchApiKey({ id, name: 'm' })
    await eventually(async () => expect(await stored()).toHaveLength(2), 30_000)
    const [issued] = await stored()
    expect(issued).toMatchObject({ type: 'key.issued', data: { keyId: id, name: 'n' } })

    // The same notice once more, as it comes when an answer was lost.
    const { deliveries } = await addon.listDeliveries({ state: 'delivered' })
    const again = deliveries.find(({ noticeId }) => noticeId === issued!['id'])!
    await addon.redeliver(again.id)
    await eventually(async () =>
      expect((await addon.listDeliveries({ state: 'delivered' })).deliveries).toHaveLength(2),
    )
    expect(await stored()).toHaveLength(2)

    const body = JSON.stringify({ type: 'key.deleted', timestamp: '', data: {} })
    const send = async (
      { secondsAgo = 0, key = String(secret), id = 'msg_other', change = {} } = {},
      sent = body,
    ): Promise<number> => {
      const at = new Date(Date.now() - secondsAgo * 1_000)
      const headers = {
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
        'webhook-signature': new Webhook(key).sign(id, at, body),
        ...change,
      }
      return (await fetch(url, { method: 'POST', headers, body: sent })).status
    }
    const forged = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
    expect(await send({ key: forged })).toBe(401)
    expect(await send({}, body.replace('deleted', 'issued'))).toBe(401)
    expect(await send({ change: { 'webhook-id': 'msg_third' } })).toBe(401)
    expect(await send({ change: { 'webhook-signature': 'v1,' } })).toBe(401)
    expect(await send({ change: { 'webhook-signature': '' } })).toBe(401)
    for (const wrong of ['', 'now', '0', 'Infinity'])
      expect(await send({ change: { 'webhook-timestamp': wrong } }), wrong).toBe(401)
    for (const secondsAgo of [600, -600]) expect(await send({ secondsAgo })).toBe(401)
    expect(await stored()).toHaveLength(2)

    // Signed as it should be, also beside a signature by another secret.
    expect(await send()).toBe(204)
    expect(await send()).toBe(204)
    expect(await stored()).toHaveLength(3)
    const at = new Date()
    const both = [forged, String(secret)].map((key) => new Webhook(key).sign('msg_4', at, body))
    const change = {
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': both.join(' '),
    }
    expect(await send({ id: 'msg_4', change })).toBe(204)
    expect(await stored()).toHaveLength(4)
  },
  60_000,
)
