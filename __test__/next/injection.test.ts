import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { fieldsOf } from '../support/declared.js'
import { auditLog, expectHarmless, hostile, named, wellFormed } from '../support/hostile-texts.js'
import { useAddon } from '../support/use-addon.js'
import { hello, HOST, next, read, type Answer } from '../support/next.js'

// Every text at every place of a request.

useAddon({ jwtSecret: 'the secret of the routes, of 32 bytes or more', throttle: 0 })
const routes = next.apiKeyRoutes()
const clientRoutes = next.clientRoutes()
const quotaRoutes = next.quotaRoutes()
const usageRoutes = next.usageRoutes()
const usageExportRoutes = next.usageExportRoutes()
const guarded = next.withApiKey(hello, { scopes: ['a'] })

const told: unknown[] = []
afterAll(addon.onEvent((event) => void told.push(event)))

let token: string
let key: string
beforeAll(async () => {
  token = (await addon.createAdminToken({ name: 'All', permissions: ['*'] })).token
  const made = await addon.createApiKey({ name: 'n', clientId: 'c', scopes: ['b'] })
  key = made.key
})

/** The text as a header carries it, one byte a character. Some texts cannot be sent by any client. */
const asHeader = (text: string): string => Buffer.from(text).toString('latin1')
const canBeSent = (text: string): boolean => {
  try {
    return new Headers({ x: asHeader(text) }).has('x')
  } catch {
    return false
  }
}
const sendable = named.filter(([, text]) => canBeSent(text))

test('most texts can be sent in headers', () => {
  expect(Object.keys(hostile)).toHaveLength(15)
  expect(sendable.length).toBeGreaterThanOrEqual(11)
})

/** No fault of ours, and nothing of the request that could be acted upon. */
function expectSound({ status, headers, body }: Answer, what: string): void {
  expect(status, what).toBeLessThan(500)
  for (const [name, value] of Object.entries(headers)) {
    expect(value, `${what}: ${name}`).toMatch(/^[ -~]*$/)
    expect(value.length, `${what}: ${name}`).toBeLessThan(4_096)
  }
  if (status >= 400) expectHarmless(body, what)
}

describe('withApiKey', () => {
  test.each(['x-api-key', 'authorization', 'x-forwarded-for', 'x-real-ip', 'cookie'])(
    'header %s',
    async (name) => {
      for (const [, text] of sendable) {
        for (const value of [text, `Bearer ${text}`, `10.0.0.1, ${text}`, `${text}, 10.0.0.1`]) {
          const headers = { 'x-api-key': key, [name]: asHeader(value) }
          const answer = await read(await guarded(new Request(`${HOST}/a`, { headers }), {}))
          expectSound(answer, name)
          expect([401, 403]).toContain(answer.status)
        }
      }
    },
  )

  test('path and query', async () => {
    for (const [, text] of named) {
      const encoded = encodeURIComponent(wellFormed(text))
      const { key } = await addon.createApiKey({ name: 'n', clientId: 'c' })
      // The text as it is typed, as it is encoded, and as a server passes it on that does not parse it.
      const urls = [`/${text}`, `/${encoded}`, `/?q=${text}`, `/a?${encoded}=${encoded}`]
      for (const url of urls) {
        const headers = new Headers({ 'x-api-key': key })
        const unparsed = { url: HOST + url, headers, method: 'GET' } as Request
        for (const request of [unparsed, new Request(HOST + url, { headers })])
          expectSound(await read(await guarded(request, {})), 'path')
      }
    }
  })
})

describe('the routes', () => {
  type Method = keyof typeof routes
  const ask = async (method: Method, query: string, body?: string): Promise<Answer> => {
    const init = { method, body, headers: { 'x-admin-token': token } }
    const request = new Request(`${HOST}/api/keys${query}`, init)
    return read(await routes[method](request))
  }

  test('header x-admin-token', async () => {
    for (const [, text] of sendable) {
      const headers = { 'x-admin-token': asHeader(text) }
      for (const method of Object.keys(routes) as Method[]) {
        const answer = await read(await routes[method](new Request(HOST, { method, headers })))
        expect(answer.status).toBe(401)
        expectSound(answer, method)
      }
    }
  })

  const parameters = [...Object.keys(fieldsOf('ListApiKeysQuery')), 'id', 'unknown']
  test.each(parameters)('query ?%s=', async (name) => {
    for (const [, text] of named) {
      const encoded = encodeURIComponent(wellFormed(text))
      for (const query of [`?${name}=${encoded}`, `?${name}=${text}`, `?${encoded}=${name}`]) {
        expectSound(await ask('GET', query), `GET ${name}`)
        expectSound(await ask('DELETE', query), `DELETE ${name}`)
      }
    }
  })

  const fields = Object.keys({
    ...fieldsOf('CreateApiKeyInput'),
    ...fieldsOf('UpdateApiKeyInput'),
    ...fieldsOf('PatchApiKeyInput'),
    ...fieldsOf('ApiKey'),
  })
  test.each(fields)('body {"%s": …}', async (field) => {
    const { id } = await addon.createApiKey({ name: 'n', clientId: 'c' })
    for (const [, text] of named) {
      for (const value of [text, [text], { [text]: text }]) {
        const body = JSON.stringify({ id, name: 'n', clientId: 'c', [field]: value })
        for (const method of ['POST', 'PUT', 'PATCH'] as const)
          expectSound(await ask(method, '', body), `${method} ${field}`)
      }
    }
  })

  test('unknown fields, and what is no JSON', async () => {
    for (const [, text] of named) {
      for (const method of ['POST', 'PUT', 'PATCH'] as const) {
        expectSound(await ask(method, '', text), `${method} text`)
        expectSound(await ask(method, '', JSON.stringify({ id: 'x', [text]: 1 })), method)
      }
    }
    expect((await ask('POST', '', hostile['1 MiB'])).status).toBe(413)
  })

  test('the link to the next page leads to no other host', async () => {
    for (let more = 0; more < 2; more++) await addon.createApiKey({ name: 'n', clientId: 'c' })
    for (const path of [
      '//evil.example/api',
      '///evil.example',
      '/\\evil.example',
      '/a"b>c\u202e',
    ]) {
      for (const query of ['limit=1', 'limit=1&clientId=c']) {
        const request = new Request(`${HOST}${path}?${query}`, {
          headers: { 'x-admin-token': token },
        })
        const answer = await read(await routes.GET(request))
        expectSound(answer, path)
        const [, link] = /^<([^<>]*)>; rel="next"$/.exec(answer.headers.link!) ?? []
        expect(new URL(link!, HOST).origin).toBe(HOST)
      }
    }
  })
})

describe('the routes of clients', () => {
  type Method = keyof typeof clientRoutes
  const ask = async (method: Method, query: string, body?: string): Promise<Answer> => {
    const init = { method, body, headers: { 'x-admin-token': token } }
    const request = new Request(`${HOST}/api/clients${query}`, init)
    return read(await clientRoutes[method](request))
  }

  const parameters = [...Object.keys(fieldsOf('ListClientsQuery')), 'clientId', 'unknown']
  test.each(parameters)('query ?%s=', async (name) => {
    for (const [, text] of named) {
      const encoded = encodeURIComponent(wellFormed(text))
      for (const query of [`?${name}=${encoded}`, `?${name}=${text}`, `?${encoded}=${name}`]) {
        expectSound(await ask('GET', query), `GET ${name}`)
        expectSound(await ask('GET', `${query}&clientId=c`), `GET ${name} of one`)
        expectSound(await ask('DELETE', query), `DELETE ${name}`)
      }
    }
  })

  const fields = Object.keys({ ...fieldsOf('SetClientInput'), ...fieldsOf('Client') })
  test.each(fields)('body {"%s": …}', async (field) => {
    for (const [, text] of named) {
      for (const value of [text, [text], { [text]: text }]) {
        const body = JSON.stringify({ clientId: 'of the bodies', [field]: value })
        expectSound(await ask('PUT', '', body), `PUT ${field}`)
      }
    }
  })

  test('unknown fields, and what is no JSON', async () => {
    for (const [, text] of named) {
      expectSound(await ask('PUT', '', text), 'PUT text')
      expectSound(await ask('PUT', '', JSON.stringify({ clientId: 'x', [text]: 1 })), 'PUT')
    }
    expect((await ask('PUT', '', hostile['1 MiB'])).status).toBe(413)
  })

  test('the link to the next page leads to no other host', async () => {
    for (let n = 0; n < 2; n++) await addon.setClient({ clientId: `of the link ${n}` })
    for (const path of ['//evil.example/api', '/\\evil.example', '/a"b>c\u202e']) {
      const headers = { 'x-admin-token': token }
      const answer = await read(
        await clientRoutes.GET(new Request(`${HOST}${path}?limit=1`, { headers })),
      )
      expectSound(answer, path)
      const [, link] = /^<([^<>]*)>; rel="next"$/.exec(answer.headers.link!) ?? []
      expect(new URL(link!, HOST).origin).toBe(HOST)
    }
  })
})

describe('the routes of quotas', () => {
  const ask = async (method: 'GET' | 'POST', query: string, body?: string): Promise<Answer> => {
    const init = { method, body, headers: { 'x-admin-token': token } }
    return read(await quotaRoutes[method](new Request(`${HOST}/api/quotas${query}`, init)))
  }
  beforeAll(async () => {
    const quotas = [{ name: 'a', amount: 1, period: 'day' as const }]
    await addon.setClient({ clientId: 'of the quotas', quotas })
  })

  test.each([...Object.keys(fieldsOf('GetQuotaInput')), 'unknown'])('query ?%s=', async (name) => {
    for (const [, text] of named) {
      const encoded = encodeURIComponent(wellFormed(text))
      for (const query of [`?${name}=${encoded}`, `?${name}=${text}`, `?${encoded}=${name}`]) {
        expectSound(await ask('GET', query), `GET ${name}`)
        expectSound(await ask('GET', `?clientId=of the quotas&name=a&${query.slice(1)}`), name)
      }
    }
  })

  test.each(Object.keys(fieldsOf('GrantQuotaInput')))('body {"%s": …}', async (field) => {
    for (const [, text] of named) {
      for (const value of [text, [text], { [text]: text }]) {
        const input = { clientId: 'of the quotas', name: 'a', amount: 1, [field]: value }
        expectSound(await ask('POST', '', JSON.stringify(input)), `POST ${field}`)
      }
    }
  })

  test('unknown fields, and what is no JSON', async () => {
    for (const [, text] of named) {
      expectSound(await ask('POST', '', text), 'POST text')
      expectSound(await ask('POST', '', JSON.stringify({ name: 'a', [text]: 1 })), 'POST')
    }
    expect((await ask('POST', '', hostile['1 MiB'])).status).toBe(413)
  })
})

describe('the routes of usage', () => {
  const least = 'from=2026-01-01&to=2026-01-02&bucket=day'
  const ask = async (routes: { GET(request: Request): Promise<Response> }, query: string) => {
    const request = new Request(`${HOST}/api/usage?${query}`, {
      headers: { 'x-admin-token': token },
    })
    expectSound(await read(await routes.GET(request)), query.slice(0, 100))
  }

  test.each([...Object.keys(fieldsOf('GetUsageQuery')), 'unknown'])('query ?%s=', async (name) => {
    for (const [, text] of named) {
      const encoded = encodeURIComponent(wellFormed(text))
      for (const query of [`${name}=${encoded}`, `${name}=${text}`, `${encoded}=${name}`]) {
        await ask(usageRoutes, query)
        await ask(usageRoutes, `${least}&${query}`)
      }
    }
  })

  test.each(Object.keys(fieldsOf('ExportUsageQuery')))('query of the export ?%s=', async (name) => {
    for (const [, text] of named)
      await ask(usageExportRoutes, `${name}=${encodeURIComponent(wellFormed(text))}`)
  })
})

test('events and audit entries are harmless', async () => {
  const kept = await auditLog()
  for (const event of [...told, ...kept]) expectHarmless(event, 'an event')
  expect(JSON.stringify(told)).toMatch(/"path":"\/a\\\\u\{202a\}/)
  const made = await addon.createApiKey({ name: 'n', clientId: 'c', scopes: ['a'] })
  const headers = { 'x-api-key': made.key }
  expect((await guarded(new Request(HOST, { headers }), {})).status).toBe(200)
})

describe("the routes of a client's own keys", () => {
  const { GET, POST, PATCH } = next.clientKeyRoutes({
    owner: () => ({
      ...{ clientId: 'c', grantable: ['a:*'], ceilings: { maxTtlDays: 90 } },
      permissions: ['list', 'create', 'rename', 'rotate', 'revoke', 'usage'],
    }),
  })
  const own = { origin: HOST, 'content-type': 'application/json' }
  const asked = (method: string, path: string, more: RequestInit = {}): Request =>
    new Request(`${HOST}/api/account/keys${path}`, { method, headers: own, ...more })

  test('paths and queries', async () => {
    for (const [, text] of named) {
      const encoded = encodeURIComponent(wellFormed(text))
      for (const path of [
        `/${encoded}`,
        `/${encoded}/usage`,
        `?search=${encoded}`,
        `?${encoded}=a`,
      ])
        expectSound(await read(await GET(asked('GET', path))), path)
      for (const path of [`/${encoded}/revoke`, `/${encoded}/rotate`, `/${encoded}`])
        expectSound(await read(await POST(asked('POST', path))), path)
    }
  })

  test('fields of bodies, and their names', async () => {
    const { id } = await addon.createApiKey({ name: 'n', clientId: 'c' })
    for (const [, text] of named) {
      const names = ['name', 'description', 'expiresAt', 'rateLimit', text]
      const values = [text, [text], { [text]: text }]
      for (const name of names)
        for (const value of values) {
          const body = JSON.stringify({ name: 'n', [name]: value, scopes: [text].slice(0, 0) })
          expectSound(await read(await POST(asked('POST', '', { body }))), name)
          expectSound(await read(await PATCH(asked('PATCH', `/${id}`, { body }))), name)
        }
    }
  })

  test('headers', async () => {
    for (const name of ['origin', 'host', 'x-forwarded-host', 'content-type', 'authorization'])
      for (const [, text] of sendable) {
        const headers = { ...own, [name]: asHeader(text) }
        const request = asked('POST', '', { headers, body: '{"name":"n"}' })
        expectSound(await read(await POST(request)), name)
      }
  })
})
