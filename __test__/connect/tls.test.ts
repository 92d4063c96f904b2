import { execFileSync } from 'node:child_process'
import { copyFileSync, statSync, chmodSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { Authority, type Certificate } from '../support/certificates.js'
import { faultOf } from '../support/faults.js'
import { Server } from '../support/postgres-server.js'
import { json } from '../cli/cli.js'

// A real server with TLS, whose certificate is for `localhost` and from an authority that nobody knows, and one without.

let authority: Authority
let secure: Server
let plain: Server

beforeAll(async () => {
  authority = new Authority()
  ;[secure, plain] = await Promise.all([Server.start(), Server.start()])
  await present(authority.issue('DNS:localhost'))
  await secure.sql('ALTER SYSTEM SET ssl = on')
  await secure.sql('SELECT pg_reload_conf()')
})
afterEach(() => addon.close())
afterAll(async () => {
  await secure?.remove()
  await plain?.remove()
  await authority?.remove()
})

/** Makes the server present this certificate. */
async function present({ cert, key }: Certificate): Promise<void> {
  const { uid, gid } = statSync(secure.path('postgresql.conf'))
  for (const [from, to] of [
    [cert, 'server.crt'],
    [key, 'server.key'],
  ] as const) {
    copyFileSync(from, secure.path(to))
    chmodSync(secure.path(to), 0o600)
    if (process.getuid?.() === 0) execFileSync('chown', [`${uid}:${gid}`, secure.path(to)])
  }
  await secure.sql('SELECT pg_reload_conf()')
}

const at = (server: Server, query: string, host = 'localhost'): string => {
  const url = new URL(server.url)
  url.hostname = host
  url.search = query
  return url.href
}

/** Whether a session is encrypted; fails where there is none. */
async function encrypted(url: string): Promise<boolean> {
  addon.configure({ databaseUrl: url, ...cheapHashing })
  try {
    await addon.createApiKey({ name: 'n', clientId: 'c' })
    const [row] = await secure.sql(
      `SELECT bool_and(ssl) AS ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
       WHERE application_name = 'sophra-api-keys'`,
    )
    return row!.ssl as boolean
  } finally {
    await addon.close()
  }
}

async function fault(url: string): Promise<{ code: string; message: string }> {
  addon.configure({ databaseUrl: url, ...cheapHashing })
  try {
    const { code, message } = await faultOf(() => addon.listApiKeys())
    for (const secret of [new URL(url).password, 'postgres:', 'postgres@'])
      expect(message).not.toContain(secret)
    return { code, message }
  } finally {
    await addon.close()
  }
}

interface Finding {
  check: string
  status: string
  message: string
  remedy?: string
}

async function connection(url: string): Promise<Finding> {
  const findings: Finding[] = await json(['doctor'], { env: { DATABASE_URL: url } })
  return findings.find(({ check }) => check === 'connection')!
}

const root = (): string => `sslrootcert=${encodeURIComponent(authority.cert)}`

describe('a session is encrypted', () => {
  test.each([
    ['by default, where the server offers it', () => ''],
    ['with sslmode=require', () => 'sslmode=require'],
    ['with sslmode=no-verify', () => 'sslmode=no-verify'],
    ['with ssl=true and sslmode=require', () => 'ssl=true&sslmode=require'],
    ['as Prisma says it', () => 'sslmode=require&sslaccept=accept_invalid_certs'],
    ['with sslmode=verify-full and the authority', () => `sslmode=verify-full&${root()}`],
    ['with sslaccept=strict and the authority', () => `sslaccept=strict&${root()}`],
    ['with ssl=true and the authority', () => `ssl=true&${root()}`],
  ])('%s', async (_how, query) => {
    expect(await encrypted(at(secure, query()))).toBe(true)
  })
})

describe('a demand for TLS is met or refused, and never dropped', () => {
  const strict = [
    'ssl=true',
    'ssl=1',
    'sslmode=verify-full',
    'sslmode=verify-ca',
    'sslmode=require&sslaccept=strict',
    'sslaccept=strict',
    'sslrootcert=system',
  ]
  test.each([...strict, 'sslmode=require', 'sslmode=no-verify', 'ssl=no-verify'])(
    '%s: a server without TLS is not used',
    async (query) => {
      const { code, message } = await fault(at(plain, query))
      expect(code).toBe('CONFIGURATION')
      expect(message).toContain(`localhost:${new URL(plain.url).port}: the server offers no TLS`)
    },
  )

  test.each(strict)('%s: a certificate of an unknown authority is not accepted', async (query) => {
    const { code, message } = await fault(at(secure, query))
    expect(code).toBe('CONFIGURATION')
    expect(message).toContain('from an unknown authority')
    expect(message).toContain('sslrootcert')
  })

  test.each(['sslmode=verify-full', 'sslmode=verify-ca', 'sslmode=require', 'ssl=true'])(
    '%s with an authority: a certificate for another host name is not accepted',
    async (query) => {
      const { code, message } = await fault(at(secure, `${query}&${root()}`, '127.0.0.1'))
      expect(code).toBe('CONFIGURATION')
      expect(message).toContain('for another host name')
    },
  )

  test.each([
    'channel_binding=require',
    'require_auth=scram-sha-256',
    'gssencmode=require',
    'sslcrl=/crl.pem',
    'sslnegotiation=direct',
    'sslidentity=/client.p12',
    'sslMode=require',
  ])('%s is refused by its name', async (query) => {
    const databaseUrl = at(secure, query)
    expect(() => addon.configure({ databaseUrl })).toThrow(
      expect.objectContaining({
        code: 'CONFIGURATION',
        message: expect.stringContaining(query.split('=')[0]!),
      }),
    )
  })
})

describe('doctor names what is wrong with TLS', () => {
  test('another host name', async () => {
    const url = at(secure, `sslmode=verify-full&${root()}`, '127.0.0.1')
    expect((await connection(url)).message).toContain('for another host name')
  })
  test('a file that is missing', async () => {
    const finding = await connection(at(secure, 'sslmode=verify-full&sslrootcert=/absent.pem'))
    expect(finding.message).toContain('a file with a certificate or its key is missing')
    expect(finding.remedy).toContain('sslrootcert')
  })
  test('a file that is no certificate', async () => {
    const url = at(
      secure,
      `sslmode=verify-full&sslrootcert=${encodeURIComponent(import.meta.filename)}`,
    )
    expect((await connection(url)).message).toMatch(/certificate/)
  })
  test('a server without TLS', async () => {
    const finding = await connection(at(plain, 'sslmode=require'))
    expect(finding.message).toContain('offers no TLS')
  })
  test('an unknown authority', async () => {
    const finding = await connection(at(secure, 'sslmode=verify-full'))
    expect(finding.message).toContain('from an unknown authority')
  })
  test('a certificate that has expired', async () => {
    await present(authority.issue('DNS:localhost', '-1'))
    try {
      const finding = await connection(at(secure, `sslmode=verify-full&${root()}`))
      expect(finding.message).toContain('not valid at this time')
    } finally {
      await present(authority.issue('DNS:localhost'))
    }
  })
  test('parameters that are ignored', async () => {
    const url = at(secure, 'connect_timeout=5&currentSchema=x')
    const findings: Finding[] = await json(['doctor'], { env: { DATABASE_URL: url } })
    expect(findings.find(({ check }) => check === 'parameters')).toMatchObject({
      status: 'warning',
      message: expect.stringContaining('currentSchema'),
    })
    const known = at(secure, 'connect_timeout=5&pool_timeout=10')
    const others: Finding[] = await json(['doctor'], { env: { DATABASE_URL: known } })
    expect(others.find(({ check }) => check === 'parameters')).toMatchObject({
      status: 'ok',
      message: expect.stringContaining('connect_timeout, pool_timeout'),
    })
  })
})
