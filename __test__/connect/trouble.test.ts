import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { ApiKeyEvent } from '../../index.js'
import { json } from '../cli/cli.js'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { faultOf, thrownBy } from '../support/faults.js'
import { ask, hello, next } from '../support/next.js'
import { startProxy } from '../support/proxy.js'

let database: Database
beforeAll(async () => {
  database = await freshDatabase()
  addon.configure({ databaseUrl: database.url, ...cheapHashing })
  await addon.migrate()
  await addon.close()
})
afterEach(() => addon.close())
afterAll(() => database.drop())

const withUrl = (parts: Partial<URL>): string => Object.assign(new URL(database.url), parts).href
const closedPort = async (): Promise<string> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return String(port)
}

/** A server that sends this and hangs up. */
async function speaker(text: string): Promise<{ port: string; close(): void }> {
  const server = createServer((socket) => {
    socket.on('error', () => {}).once('data', () => socket.end(text))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return { port: String(port), close: () => void server.close() }
}

const password = (): string => new URL(database.url).password

const troubles: [string, () => string | Promise<string>, string, RegExp][] = [
  [
    'a host that does not exist',
    () => withUrl({ hostname: 'no-such-host.invalid' }),
    'DATABASE_UNAVAILABLE',
    /^The database is unavailable: no-such-host\.invalid:\d+: the host is unknown$/,
  ],
  [
    'a port where nobody listens',
    async () => withUrl({ port: await closedPort() }),
    'DATABASE_UNAVAILABLE',
    /^The database is unavailable: 127\.0\.0\.1:\d+: the connection was refused$/,
  ],
  [
    'a socket that is not there',
    () => `postgres://u:${password()}@/app?host=/absent`,
    'DATABASE_UNAVAILABLE',
    /^The database is unavailable: \/absent:5432: the socket does not exist$/,
  ],
  [
    'a server without TLS',
    () => withUrl({ search: 'sslmode=require' }),
    'CONFIGURATION',
    /127\.0\.0\.1:\d+: the server offers no TLS encryption, which sslmode demands\. Turn TLS on/,
  ],
  [
    'a wrong password',
    () => withUrl({ password: 'hush-hush' }),
    'CONFIGURATION',
    /127\.0\.0\.1:\d+: the server rejected the user or the password\. Check/,
  ],
  [
    'a database that does not exist',
    () => withUrl({ pathname: '/absent' }),
    'CONFIGURATION',
    /127\.0\.0\.1:\d+: the database does not exist\. Create/,
  ],
]

describe.each(['auto', 'manual'] as const)('with migrate: %s', (migrate) => {
  test.each(troubles)('%s is named with its place', async (_what, url, code, message) => {
    const databaseUrl = await url()
    addon.configure({ databaseUrl, migrate, ...cheapHashing })
    const fault = await faultOf(() => addon.listApiKeys())
    expect(fault.code).toBe(code)
    expect(fault.message).toMatch(message)
    for (const secret of ['hush', password(), 'postgres:', 'postgres@'])
      expect(fault.message).not.toContain(secret)
    // The next call says the same.
    expect((await faultOf(() => addon.listApiKeys())).message).toBe(fault.message)
    const health = await addon.health()
    expect(health).toMatchObject({ status: 'down', problems: [fault.message] })
  })
})

test.each(troubles)('doctor names it too: %s', async (_what, url, _code, message) => {
  const [, reason] = /: (the [^$.\\]+)/.exec(message.source)!
  const findings: { check: string; status: string; message: string }[] = await json(['doctor'], {
    env: { DATABASE_URL: await url() },
  })
  const finding = findings.find(({ check }) => check === 'connection')!
  expect(finding.status).toBe('problem')
  expect(finding.message).toContain(reason)
})

test.each([
  ['HTTP/1.1 400 Bad Request\r\n\r\n', 'the response does not follow the Postgres protocol'],
  ['', 'the connection was closed by the other side'],
])('something else that answers %j is named', async (text, reason) => {
  const server = await speaker(text)
  addon.configure({ databaseUrl: withUrl({ port: server.port }), ...cheapHashing })
  const fault = await faultOf(() => addon.listApiKeys())
  server.close()
  expect(fault).toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
  expect(fault.message).toContain(`127.0.0.1:${server.port}: ${reason}`)
})

test.each(['p/ss', 'p#ss', '12/34', '12?34'])(
  'a password that is not encoded is named, and not repeated: %s',
  (secret) => {
    const databaseUrl = database.url.replace(password(), secret)
    const fault = thrownBy(() => addon.configure({ databaseUrl }))
    expect(fault).toMatchObject({ code: 'CONFIGURATION' })
    expect(fault.message).toContain('percent-encode')
    expect(fault.message).not.toContain(secret.slice(0, 2))
  },
)

test('an outage is told by its kind in the event and in every call, but not to clients', async () => {
  const proxy = await startProxy(database.url)
  const jwtSecret = 'the secret of the troubles, of 32 bytes'
  addon.configure({ databaseUrl: proxy.url, jwtSecret, ...cheapHashing })
  await addon.listApiKeys()
  const alerts: ApiKeyEvent[] = []
  const stop = addon.onEvent((event) => alerts.push(event))
  await proxy.close()
  const place = `127.0.0.1:${new URL(proxy.url).port}`
  try {
    await eventually(async () => {
      const fault = await faultOf(() => addon.listApiKeys())
      expect(fault.message).toBe(
        `The database is unavailable: ${place}: the connection was refused`,
      )
      expect(alerts.map(({ type }) => type)).toContain('database.unavailable')
    })
    const alert = alerts.find(({ type }) => type === 'database.unavailable')
    expect(alert).toMatchObject({ message: expect.stringContaining(`${place}: the connection`) })
    const answer = await ask(next.withApiKey(hello), { 'x-api-key': 'x'.repeat(43) })
    expect(answer.status).toBe(503)
    expect(JSON.stringify(answer)).not.toContain(place)
  } finally {
    stop()
  }
})
