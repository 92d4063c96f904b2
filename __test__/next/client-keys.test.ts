import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { ClientKeyOwner } from '../../next.js'
import { addon } from '../support/addon.js'
import { throwingProxy } from '../support/bad-values.js'
import { eventually } from '../support/eventually.js'
import { expectFailure, namesakes, next, read, untyped, type Answer } from '../support/next.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, createAdminToken, deriveToken, flush, getApiKey } = addon
const { listAuditEvents, setClient, setRole, updateApiKey, verifyApiKey } = addon

const kinds = {
  secret: { prefix: 'ak' },
  publishable: { prefix: 'pk', allowedScopes: ['docs:read'], maxRateLimit: 1_000 },
}
const { sql } = useAddon({ kinds, jwtSecret: 'the secret of the admins, of 32 bytes', throttle: 0 })

const HOST = 'https://app.example.com'
const MOUNT = '/api/account/keys'
const DAY = 86_400_000
const all = ['list', 'create', 'rename', 'rotate', 'revoke', 'usage'] as const
type Owner = Record<string, unknown> & Partial<ClientKeyOwner>
const acme = (more: Owner = {}): ClientKeyOwner => ({
  clientId: 'acme',
  userId: 'ann@acme.example',
  grantable: ['docs:*', 'search'],
  ceilings: { maxKeys: 1_000, maxTtlDays: 90, maxRateLimit: 100 },
  permissions: [...all],
  ...more,
})

interface Asked {
  owner?: unknown
  headers?: Record<string, string | undefined>
  body?: unknown
  /** Sent as it is. */
  text?: string
  origins?: string[]
  context?: unknown
  url?: string
}
/** Asks as a page of the app does. */
async function ask(method: string, path: string, asked: Asked = {}): Promise<Answer> {
  const { owner = acme(), body, text, origins, context, url } = asked
  const handlers = untyped.clientKeyRoutes!({
    owner: typeof owner === 'function' ? owner : () => owner,
    ...(origins && { origins }),
  })
  const sent = text ?? (body === undefined ? undefined : JSON.stringify(body))
  const given = {
    host: 'app.example.com',
    ...(method !== 'GET' && { origin: HOST }),
    ...(sent !== undefined && { 'content-type': 'application/json' }),
    ...asked.headers,
  }
  const headers = Object.entries(given).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  const init = { method, headers, ...(sent !== undefined && { body: sent }) }
  return read(await handlers[method](new Request(url ?? HOST + MOUNT + path, init), context))
}
const create = (body: unknown = { name: 'n' }, asked: Asked = {}) =>
  ask('POST', '', { body, ...asked })
const made = async (body?: unknown, asked?: Asked) => {
  const answer = await create(body, asked)
  expect(answer).toMatchObject({ status: 201 })
  return answer.body
}
const idsOf = async (clientId: string) =>
  (await addon.listApiKeys({ clientId, limit: 1_000 })).keys.map(({ id }) => id)
/** The paths of a key with what each of them needs: the method, and a body that it would take. */
const ofKey = (id: string): [string, string, unknown?][] => [
  ['GET', `/${id}`],
  ['PATCH', `/${id}`, { name: 'taken' }],
  ['DELETE', `/${id}`],
  ['POST', `/${id}/rotate`, {}],
  ['POST', `/${id}/revoke`, {}],
  ['GET', `/${id}/limits`],
  ['GET', `/${id}/usage?from=2026-01-01&to=2026-01-02&bucket=day`],
]
const errors = vi.spyOn(console, 'error').mockImplementation(() => {})
beforeEach(() => void errors.mockClear())
afterAll(() => errors.mockRestore())

describe('a client with its own keys', () => {
  test('creates, lists, renames, rotates and revokes them, and each change names who made it', async () => {
    const answer = await create({ name: 'CI', description: 'Builds', scopes: ['docs:read'] })
    expect(answer).toMatchObject({ status: 201, headers: { 'cache-control': 'no-store' } })
    const { id, key, ...shown } = answer.body
    expect(shown).toMatchObject({ name: 'CI', clientId: 'acme', scopes: ['docs:read'] })
    expect(await verifyApiKey(key, { scopes: ['docs:read'] })).toMatchObject({ clientId: 'acme' })

    const listed = await ask('GET', '')
    expect(listed).toMatchObject({ status: 200 })
    expect(listed.body.find((one: { id: string }) => one.id === id)).toEqual({ id, ...shown })
    expect(await ask('GET', `/${id}`)).toMatchObject({ status: 200, body: { id, ...shown } })

    const renamed = await ask('PATCH', `/${id}`, { body: { name: 'Builds', description: null } })
    expect(renamed).toMatchObject({ status: 200, body: { id, name: 'Builds', description: null } })
    expect(renamed.body).not.toHaveProperty('key')

    const rotated = await ask('POST', `/${id}/rotate`, { body: { gracePeriodSeconds: 600 } })
    expect(rotated).toMatchObject({ status: 200, body: { id, name: 'Builds' } })
    expect(await verifyApiKey(rotated.body.key)).toMatchObject({ valid: true })
    expect(await verifyApiKey(key)).toMatchObject({ valid: true })
    // Without a body, the replaced key is refused at once.
    const again = await ask('POST', `/${id}/rotate`)
    expect(await verifyApiKey(rotated.body.key)).toMatchObject({ code: 'INVALID_KEY' })

    const revoked = await ask('POST', `/${id}/revoke`, { body: { reason: 'superseded' } })
    expect(revoked.body).toMatchObject({ status: 'revoked', revokedReason: 'superseded' })
    expect(await verifyApiKey(again.body.key)).toMatchObject({ code: 'REVOKED' })
    expectFailure(await ask('POST', `/${id}/rotate`), 409, 'CONFLICT')

    await flush()
    const { events } = await listAuditEvents({ keyId: id })
    const changes = events.filter(({ type }) => type !== 'key.refused')
    expect(changes.map(({ type, actor }) => [type, actor])).toEqual(
      ['revoked', 'changed', 'changed', 'changed', 'issued'].map((what) => [
        `key.${what}`,
        'ann@acme.example',
      ]),
    )
    expect(await getApiKey(id)).toMatchObject({ createdBy: 'ann@acme.example' })
  })

  test('where the app names no user, the client is named', async () => {
    const { userId: _, ...owner } = acme()
    const { id } = await made({ name: 'n' }, { owner })
    expect(await getApiKey(id)).toMatchObject({ createdBy: 'client:acme' })
    const clientId = '🔑'.repeat(255)
    const long = await made({ name: 'n' }, { owner: { ...owner, clientId } })
    expect(await getApiKey(long.id)).toMatchObject({ createdBy: `client:${'🔑'.repeat(248)}` })
  })

  test('is shown neither what the app keeps of a key nor who else has dealt with it', async () => {
    const { id } = await createApiKey(
      { name: 'By an admin', clientId: 'acme', metadata: { plan: 'pro' }, roles: [] },
      { actor: 'root' },
    )
    const { body } = await ask('GET', `/${id}`)
    expect(Object.keys(body)).toEqual([
      ...['id', 'name', 'clientId', 'description', 'status', 'kind', 'environment', 'start'],
      ...['scopes', 'allowedIps', 'rateLimit', 'rateLimitWindowSeconds'],
      ...['usageCount', 'lastUsedAt', 'createdAt', 'updatedAt', 'expiresAt', 'suspendedUntil'],
      ...['previousKeyExpiresAt', 'revokedAt', 'revokedReason'],
    ])
    expect(JSON.stringify(body)).not.toMatch(/argon2|root|pro/)
  })

  test('lists in pages, and finds by status and text', async () => {
    const owner = acme({ clientId: 'paged' })
    for (const name of ['one', 'two', 'three']) await made({ name }, { owner })
    const page = await ask('GET', '?limit=2', { owner })
    expect(page.body.map(({ name }: { name: string }) => name)).toEqual(['three', 'two'])
    const [, rest] = /^<(.*)>; rel="next"$/.exec(page.headers.link!)!
    const last = await ask('GET', rest!.replace(MOUNT, ''), { owner })
    expect(last.body.map(({ name }: { name: string }) => name)).toEqual(['one'])
    expect((await ask('GET', '?search=thr&status=active', { owner })).body).toHaveLength(1)
    expectFailure(await ask('GET', '?status=good', { owner }), 400, 'INVALID_INPUT')
  })

  test('reads its usage, its limits and its quotas, of a key and of all', async () => {
    const owner = acme({ clientId: 'metered' })
    const quotas = [{ name: 'requests', amount: 100, period: 'month' as const }]
    const limits = [{ name: 'burst', limit: 10, windowSeconds: 1 }]
    await setClient({ clientId: 'metered', limits, quotas, maxKeys: 7 })
    const { id, key } = await createApiKey({ name: 'n', clientId: 'metered', quotas })
    await made({ name: 'other' }, { owner })
    await verifyApiKey(key)
    await flush()
    const now = new Date().toISOString()
    const range = `from=${now}&to=${new Date(Date.now() + 1_000).toISOString()}&bucket=month`
    for (const path of ['', `/${id}`]) {
      const { status, body } = await ask('GET', `${path}/usage?${range}&groupBy=outcome,keyId`, {
        owner,
      })
      expect(status).toBe(200)
      expect(body).toMatchObject([{ outcome: 'VALID', keyId: id, count: 1 }])
    }
    const spent = { name: 'requests', amount: 100, used: 1, remaining: 99 }
    const ofKey = await ask('GET', `/${id}/limits`, { owner })
    expect(ofKey).toMatchObject({ status: 200, body: { limits: [], quotas: [spent] } })
    const ofAll = await ask('GET', '/limits', { owner })
    const ceilings = { maxKeys: 7, maxTtlDays: 90, maxRateLimit: 100 }
    expect(ofAll).toMatchObject({ status: 200, body: { ...ceilings, limits, quotas: [spent] } })
    const without = await ask('GET', '/limits', {
      owner: { ...acme({ clientId: 'nobody' }), ceilings: undefined },
    })
    expect(without.body).toEqual({
      ...{ maxKeys: null, maxTtlDays: null, maxRateLimit: null },
      ...{ limits: [], quotas: [] },
    })
  })

  test('a creation is repeated by its idempotency key', async () => {
    const headers = { 'idempotency-key': '"once"' }
    const first = await made({ name: 'once' }, { headers })
    expect(await made({ name: 'once' }, { headers })).toEqual(first)
    expectFailure(await create({ name: 'twice' }, { headers }), 422, 'IDEMPOTENCY_KEY_REUSED')
    const other = await made({ name: 'once' }, { headers, owner: acme({ userId: 'bob' }) })
    expect(other.id).not.toBe(first.id)
  })
})

describe('where the routes are mounted', () => {
  const params = (path?: string[]) => ({ params: path ? { path } : {} })
  test.each([
    ['Next.js 14', params],
    ['Next.js 15', (path?: string[]) => ({ params: Promise.resolve(params(path).params) })],
  ])('%s passes what a catch-all has caught', async (_, context) => {
    const { id } = await made()
    const url = `${HOST}/en/tokens`
    expect((await ask('GET', '', { url, context: context() })).body).toBeInstanceOf(Array)
    const one = await ask('GET', '', { url: `${url}/${id}`, context: context([id]) })
    expect(one.body).toMatchObject({ id })
    const gone = await ask('POST', '', {
      ...{ url: `${url}/${id}/revoke`, context: context([id, 'revoke']) },
    })
    expect(gone.body).toMatchObject({ id, status: 'revoked' })
  })

  test('paths and methods that there are not', async () => {
    const { id } = await made()
    for (const path of [
      '/a/b/c',
      `/${id}/else`,
      `/${id}/rotate/again`,
      '/{id}',
      '/%7Bid%7D/limits',
    ])
      expectFailure(await ask('GET', path), 404, 'NOT_FOUND')
    const caught = { context: params(['{id}/limits']) }
    expectFailure(await ask('GET', '', caught), 404, 'NOT_FOUND')
    for (const [method, path, allow] of [
      ['PATCH', '', 'GET, POST'],
      ['POST', `/${id}`, 'GET, PATCH, DELETE'],
      ['GET', `/${id}/rotate`, 'POST'],
      ['DELETE', '/limits', 'GET'],
    ] as const) {
      const answer = await ask(method, path)
      expectFailure(answer, 405, 'METHOD_NOT_ALLOWED')
      expect(answer.headers.allow).toBe(allow)
    }
  })
})

describe('nobody is signed in', () => {
  test('nothing is shown and nothing is done, whatever a request claims', async () => {
    const { id } = await made()
    const owner = () => null
    const token = (await createAdminToken({ name: 'root', permissions: ['*'] })).token
    for (const headers of [
      {},
      { origin: undefined },
      { 'x-client-id': 'acme', clientId: 'acme' },
      { 'x-admin-token': token },
      { 'x-api-key': (await made()).key },
      { authorization: `Bearer ${(await made()).key}` },
    ]) {
      const before = await idsOf('acme')
      for (const [method, path, body] of [
        ['GET', ''] as const,
        ['POST', '?clientId=acme', { name: 'n', clientId: 'acme' }] as const,
        ...ofKey(id),
      ])
        expectFailure(await ask(method, path, { owner, headers, body }), 401, 'NOT_SIGNED_IN')
      expect(await idsOf('acme')).toEqual(before)
    }
    expect(await getApiKey(id)).toMatchObject({ name: 'n', status: 'active' })
  })
})

describe('another client', () => {
  test('cannot be named: not in the body, the query or a header', async () => {
    const before = await idsOf('globex')
    for (const body of [
      { name: 'n', clientId: 'globex' },
      { name: 'n', owner: { clientId: 'globex' } },
      JSON.parse('{"name":"n","__proto__":{"clientId":"globex"}}'),
    ])
      expectFailure(await create(body), 400, 'INVALID_INPUT')
    for (const query of ['?clientId=globex', '?clientId=acme'])
      for (const method of ['GET', 'POST'])
        expectFailure(
          await ask(method, query, method === 'POST' ? { body: { name: 'n' } } : {}),
          ...([400, 'INVALID_INPUT'] as const),
        )
    const headers = { 'x-client-id': 'globex', 'client-id': 'globex', clientid: 'globex' }
    expect(await made({ name: 'n' }, { headers })).toMatchObject({ clientId: 'acme' })
    expect(await idsOf('globex')).toEqual(before)
  })

  test('has keys that are not found on any path, of whatever kind they are', async () => {
    const foreign = await createApiKey({ name: 'theirs', clientId: 'globex' })
    const page = await createApiKey({
      ...{
        name: 'theirs',
        clientId: 'globex',
        kind: 'publishable',
        origins: ['https://a.example'],
      },
      ...{ rateLimit: 10, expiresAt: new Date(Date.now() + DAY) },
    })
    const unknown = [crypto.randomUUID(), 'x', ' ', '%00', '..', 'a'.repeat(300), foreign.key]
    const texts = [
      foreign.id,
      page.id,
      page.key,
      foreign.start!,
      ...unknown.map(encodeURIComponent),
    ]
    const rows = () => sql(`SELECT * FROM "ApiKey" WHERE "clientId" = 'globex' ORDER BY "id"`)
    const before = await rows()
    for (const text of texts)
      for (const [method, path, body] of ofKey(text).slice(text === '..' ? 7 : 0)) {
        const answer = await ask(method, path, { body })
        expectFailure(answer, 404, 'NOT_FOUND', 'API key not found')
      }
    expect(await rows()).toEqual(before)
    expect((await ask('GET', '')).body).not.toContainEqual(
      expect.objectContaining({ name: 'theirs' }),
    )
  })

  test('gets a key that is moved to it, with the usage of its own time', async () => {
    const owner = acme({ clientId: 'before' })
    const { id, key } = await made({ name: 'n' }, { owner })
    await verifyApiKey(key)
    await flush()
    await addon.patchApiKey({ id, clientId: 'after' })
    for (const [method, path, body] of ofKey(id))
      expectFailure(await ask(method, path, { body, owner }), 404, 'NOT_FOUND')
    await verifyApiKey(key)
    await verifyApiKey(key)
    await flush()
    const range = `from=${new Date().toISOString()}&to=${new Date(Date.now() + 1_000).toISOString()}`
    const usage = await ask('GET', `/${id}/usage?${range}&bucket=month&groupBy=clientId`, {
      owner: acme({ clientId: 'after' }),
    })
    expect(usage.body).toMatchObject([{ clientId: 'after', count: 2 }])
  })
})

describe('a change from elsewhere', () => {
  const origins: [string, Record<string, string | undefined>][] = [
    ['no page', { origin: undefined }],
    ['a page in a sandbox', { origin: 'null' }],
    ['another site', { origin: 'https://evil.example' }],
    ['a site with a like name', { origin: 'https://app.example.com.evil.example' }],
    ['another port', { origin: 'https://app.example.com:8443' }],
    ['a page below', { origin: 'https://a.app.example.com' }],
    ['no origin', { origin: 'app.example.com' }],
    ['another scheme', { origin: 'ftp://app.example.com' }],
    ['an origin with a path', { origin: 'https://app.example.com/' }],
    ['an origin with a user', { origin: 'https://app.example.com@evil.example' }],
    ['several', { origin: 'https://app.example.com, https://evil.example' }],
    [
      'a host that a client claims',
      { origin: 'https://evil.example', 'x-forwarded-host': 'evil.example' },
    ],
  ]
  test.each(origins)('%s', async (_, headers) => {
    const { id } = await made()
    const before = await idsOf('acme')
    expectFailure(await create({ name: 'n' }, { headers }), 403, 'WRONG_ORIGIN')
    for (const [method, path, body] of ofKey(id).filter(([method]) => method !== 'GET'))
      expectFailure(await ask(method, path, { headers, body }), 403, 'WRONG_ORIGIN')
    expect(await idsOf('acme')).toEqual(before)
    expect(await getApiKey(id)).toMatchObject({ name: 'n', status: 'active' })
  })

  test.each([
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'text/plain',
    'Text/Plain;charset=UTF-8',
  ])('the type of a form: %s', async (type) => {
    const headers = { 'content-type': type }
    const { id } = await made()
    expectFailure(await create({ name: 'n' }, { headers }), 415, 'UNSUPPORTED_MEDIA_TYPE')
    for (const [method, path, body] of ofKey(id).filter(([method]) => method !== 'GET'))
      expectFailure(await ask(method, path, { headers, body }), 415, 'UNSUPPORTED_MEDIA_TYPE')
    expect(await getApiKey(id)).toMatchObject({ name: 'n', status: 'active' })
  })

  test('the host is compared as browsers write it, and other origins are declared', async () => {
    await made({ name: 'n' }, { headers: { host: 'APP.example.com:443' } })
    const local = { host: 'localhost:3000', origin: 'http://localhost:3000' }
    await made({ name: 'n' }, { headers: local })
    await made({ name: 'n' }, { headers: { host: '[::1]:3000', origin: 'http://[::1]:3000' } })
    // A server of the Web has it in the URL.
    await made({ name: 'n' }, { headers: { host: undefined } })
    const headers = { origin: 'https://pages.example' }
    await made({ name: 'n' }, { headers, origins: ['https://pages.example'] })
    for (const origins of [['https://pages.example:444'], ['http://pages.example']])
      expectFailure(await create({ name: 'n' }, { headers, origins }), 403, 'WRONG_ORIGIN')
  })
})

describe('a request that presents a key', () => {
  test('makes none, by creation or rotation, whatever the key is worth', async () => {
    const { id, key } = await made({ name: 'n', scopes: ['docs:*'] })
    const derived = await deriveToken(key, { ttlSeconds: 60 })
    const token = (derived as { token: string }).token
    const before = await idsOf('acme')
    for (const headers of [
      { 'x-api-key': key },
      { 'x-api-key': 'nonsense' },
      { 'x-api-key': '' },
      { authorization: `Bearer ${key}` },
      { authorization: `bearer  ${key}` },
      { authorization: `Bearer ${token}` },
      { authorization: 'Bearer' },
    ]) {
      expectFailure(await create({ name: 'n' }, { headers }), 403, 'KEY_NOT_ALLOWED')
      expectFailure(await ask('POST', `/${id}/rotate`, { headers }), 403, 'KEY_NOT_ALLOWED')
      expect((await ask('GET', `/${id}`, { headers })).status).toBe(200)
    }
    expect(await idsOf('acme')).toEqual(before)
    await made({ name: 'n' }, { headers: { authorization: 'Basic YTpi' } })
  })
})

describe('the permissions of the user', () => {
  const needed: [string, string, string, unknown?][] = [
    ['list', 'GET', ''],
    ['list', 'GET', '/{id}'],
    ['create', 'POST', '', { name: 'n' }],
    ['rename', 'PATCH', '/{id}', { name: 'm' }],
    ['rotate', 'POST', '/{id}/rotate'],
    ['usage', 'GET', '/usage?from=2026-01-01&to=2026-01-02&bucket=day'],
    ['usage', 'GET', '/limits'],
    ['usage', 'GET', '/{id}/limits'],
    ['usage', 'GET', '/{id}/usage?from=2026-01-01&to=2026-01-02&bucket=day'],
    ['revoke', 'POST', '/{id}/revoke'],
    ['revoke', 'DELETE', '/{id}'],
  ]
  test.each(needed)('%s for %s %s', async (permission, method, path, body) => {
    const { id } = await made()
    const place = path.replace('{id}', id)
    const others = all.filter((one) => one !== permission)
    const before = await idsOf('acme')
    const refused = await ask(method, place, { body, owner: acme({ permissions: others }) })
    expectFailure(refused, 403, 'INSUFFICIENT_PERMISSION')
    expect(await idsOf('acme')).toEqual(before)
    expect(await getApiKey(id)).toMatchObject({ name: 'n', status: 'active' })
    const owner = acme({ permissions: [permission] as never })
    expect((await ask(method, place, { body, owner })).status).toBeLessThan(300)
  })
})

describe('what a client may grant', () => {
  test.each([
    [['docs:read'], 201],
    [['docs:*'], 201],
    [['docs:read:all', 'search'], 201],
    [[], 201],
    [['*'], 400],
    [['docs'], 400],
    [['search:*'], 400],
    [['docs:read', 'billing:read'], 400],
    [['*:read'], 400],
  ])('%j: %s', async (scopes, status) => {
    const answer = await create({ name: 'n', scopes })
    expect(answer.status).toBe(status)
    if (status === 201) expect(answer.body.scopes).toEqual(scopes)
    else expect(answer.body.issues[0].path).toMatch(/^scopes\[\d\]$/)
  })

  test('nothing without a scope that covers it, and all with *', async () => {
    const scopes = ['docs:read']
    const none = acme({ grantable: [] })
    expect((await create({ name: 'n', scopes }, { owner: none })).status).toBe(400)
    expect(await made({ name: 'n' }, { owner: none })).toMatchObject({ scopes: [] })
    const owner = acme({ grantable: ['*'] })
    expect(await made({ name: 'n', scopes: ['a:b', '*'] }, { owner })).toMatchObject({
      scopes: ['a:b', '*'],
    })
  })

  test('a key of theirs that may do more cannot be rotated', async () => {
    await setRole({ name: 'accounting', scopes: ['billing:*'] })
    await setRole({ name: 'reading', scopes: ['docs:read'] })
    for (const [more, missingScopes] of [
      [{ scopes: ['docs:read', '*'] }, ['*']],
      [{ roles: ['reading', 'accounting'] }, ['billing:*']],
    ] as const) {
      const { id, key } = await createApiKey({
        ...{ name: 'n', clientId: 'acme' },
        ...(structuredClone(more) as object),
      })
      const refused = await ask('POST', `/${id}/rotate`)
      const body = { code: 'INSUFFICIENT_PERMISSION', missingScopes }
      expect(refused).toMatchObject({ status: 403, body })
      expect(await verifyApiKey(key)).toMatchObject({ valid: true })
    }
    const { id } = await createApiKey({ name: 'n', clientId: 'acme', roles: ['reading'] })
    expect((await ask('POST', `/${id}/rotate`)).status).toBe(200)
  })
})

describe('ceilings', () => {
  const inDays = (days: number) => new Date(Date.now() + days * DAY).toISOString()

  test('fill in what is absent or null', async () => {
    for (const body of [{ name: 'n' }, { name: 'n', rateLimit: null, expiresAt: null }]) {
      const before = Date.now()
      const { rateLimit, expiresAt } = await made(body)
      expect(rateLimit).toBe(100)
      const days = (new Date(expiresAt).getTime() - before) / DAY
      expect(days).toBeGreaterThanOrEqual(90)
      expect(days).toBeLessThan(90.01)
    }
    const body = { name: 'n', rateLimit: 7, expiresAt: inDays(2) }
    expect(await made(body)).toMatchObject(body)
    const free = await made({ name: 'n' }, { owner: acme({ ceilings: {} }) })
    expect(free).toMatchObject({ rateLimit: null, expiresAt: null })
  })

  test.each<[string, object]>([
    ['rateLimit', { rateLimit: 101 }],
    ['rateLimitWindowSeconds', { rateLimit: 100, rateLimitWindowSeconds: 1 }],
    ['expiresAt', { expiresAt: inDays(90.1) }],
    ['expiresAt', { expiresAt: '9999-01-01' }],
  ])('%s beyond is refused: %j', async (path, more) => {
    const answer = await create({ name: 'n', ...more })
    expectFailure(answer, 400, 'INVALID_INPUT')
    expect(answer.body.issues).toMatchObject([{ path }])
  })

  test('maxKeys counts what keyCount counts', async () => {
    const owner = acme({ clientId: 'few', ceilings: { maxKeys: 2 } })
    const first = await made({ name: 'n' }, { owner })
    const other = await made({ name: 'n' }, { owner })
    expectFailure(await create({ name: 'n' }, { owner }), 409, 'CONFLICT')
    await ask('PATCH', `/${first.id}`, { owner, body: { name: 'm' } })
    await addon.patchApiKey({ id: first.id, isActive: false })
    expectFailure(await create({ name: 'n' }, { owner }), 409, 'CONFLICT')
    await ask('DELETE', `/${other.id}`, { owner })
    await made({ name: 'n' }, { owner })
    expectFailure(await create({ name: 'n' }, { owner }), 409, 'CONFLICT')
    const none = acme({ clientId: 'none', ceilings: { maxKeys: 0 } })
    expectFailure(await create({ name: 'n' }, { owner: none }), 409, 'CONFLICT')
    // What was set for the client holds as well.
    await setClient({ clientId: 'few', maxKeys: 1 })
    const wide = acme({ clientId: 'few', ceilings: { maxKeys: 100 } })
    expectFailure(await create({ name: 'n' }, { owner: wide }), 409, 'CONFLICT')
  })

  test('other fields than those that a client may set are refused', async () => {
    const names = [
      ...['id', 'key', 'clientId', 'kind', 'environment', 'roles', 'metadata', 'limits', 'quotas'],
      ...['origins', 'isActive', 'maxIdleDays', 'createdBy', 'idempotencyKey', 'owner', 'actor'],
    ]
    for (const name of names)
      expectFailure(await create({ name: 'n', [name]: null }), 400, 'INVALID_INPUT')
    const { id } = await made()
    for (const name of ['scopes', 'rateLimit', 'expiresAt', 'clientId', 'isActive', 'id'])
      expectFailure(
        await ask('PATCH', `/${id}`, { body: { name: 'm', [name]: null } }),
        ...([400, 'INVALID_INPUT'] as const),
      )
    for (const path of ['rotate', 'revoke'])
      expectFailure(
        await ask('POST', `/${id}/${path}`, { body: { clientId: 'acme' } }),
        ...([400, 'INVALID_INPUT'] as const),
      )
    expect(await getApiKey(id)).toMatchObject({ name: 'n', status: 'active' })
  })

  test.each(['', '{', '[]', 'null', '"a"', '1'])('a body that is no object: %j', async (text) => {
    expectFailure(await ask('POST', '', { text }), 400, 'INVALID_INPUT')
  })
})

describe('an app that answers wrongly', () => {
  const lying = () => {
    const told = ['acme', 'globex', 'globex', 'globex']
    const permissions = [['create'], [...all]]
    return Object.defineProperties(acme(), {
      clientId: { enumerable: true, get: () => told.shift() },
      permissions: { enumerable: true, get: () => permissions.shift() },
    })
  }
  const nonsense: [string, unknown][] = [
    ['nothing', undefined],
    ['false', false],
    ['zero', 0],
    ['a text', 'acme'],
    ['true', true],
    ['an array', [acme()]],
    ['an empty object', {}],
    ['an instance that inherits', Object.create(acme())],
    ['no clientId', { ...acme(), clientId: undefined }],
    ['an empty clientId', acme({ clientId: '' })],
    ['a clientId that is no text', { ...acme(), clientId: { toString: () => 'acme' } }],
    ['a clientId with a control character', acme({ clientId: 'a\n' })],
    ['a userId that is no text', { ...acme(), userId: 5 }],
    ['a userId that is null', { ...acme(), userId: null }],
    ['an empty userId', acme({ userId: '' })],
    ['no grantable', { ...acme(), grantable: undefined }],
    ['a grantable that is a text', { ...acme(), grantable: '*' }],
    ['a grantable with nonsense', acme({ grantable: ['docs read'] })],
    ['a grantable without end', acme({ grantable: Array(1_001).fill('a') as string[] })],
    ['no permissions', { ...acme(), permissions: undefined }],
    ['permissions that are a text', { ...acme(), permissions: 'list' }],
    ['an unknown permission', { ...acme(), permissions: ['list', '*'] }],
    ['a misspelt field', { ...acme(), ceiling: {} }],
    ['a misspelt ceiling', { ...acme(), ceilings: { maxkeys: 1 } }],
    ['a ceiling that is undefined', { ...acme(), ceilings: { maxKeys: undefined } }],
    ['ceilings that are null', { ...acme(), ceilings: null }],
    ['a ceiling that is null', { ...acme(), ceilings: { maxKeys: null } }],
    ['a ceiling that is NaN', acme({ ceilings: { maxKeys: NaN } })],
    ['a ceiling that is a text', { ...acme(), ceilings: { maxKeys: '5' } }],
    ['a ceiling below zero', acme({ ceilings: { maxKeys: -1 } })],
    ['a life of no days', acme({ ceilings: { maxTtlDays: 0 } })],
    ['a rate limit that is no whole number', acme({ ceilings: { maxRateLimit: 1.5 } })],
    ['a proxy that throws', throwingProxy],
  ]
  test.each(nonsense)('with %s: 500, and nothing is done', async (_, answer) => {
    const before = await idsOf('acme')
    for (const [method, body] of [['GET'], ['POST', { name: 'n' }]] as const)
      expectFailure(await ask(method, '', { owner: () => answer, body }), 500, 'INTERNAL')
    expect(errors).toHaveBeenCalledTimes(2)
    expect(await idsOf('acme')).toEqual(before)
  })

  test('what it throws is told to the operator alone', async () => {
    for (const error of [new Error('no session store'), 'a text', undefined, ...namesakes()]) {
      const owner = () => {
        throw error
      }
      const answer = await ask('GET', '', { owner })
      expectFailure(answer, 500, 'INTERNAL', 'Internal server error')
      expectFailure(await ask('GET', '', { owner: async () => owner() }), 500, 'INTERNAL')
    }
    expect(errors).toHaveBeenCalled()
    const signal = Object.assign(new Error('NEXT_REDIRECT'), { digest: 'NEXT_REDIRECT;/sign-in' })
    await expect(ask('GET', '', { owner: () => Promise.reject(signal) })).rejects.toBe(signal)
    const fault = await ask('GET', '', { owner: () => updateApiKey({ id: 'none' }) })
    expectFailure(fault, 404, 'NOT_FOUND')
  })

  test('with getters: each is read once, and what was read counts', async () => {
    const before = [await idsOf('acme'), await idsOf('globex')]
    const answer = await create({ name: 'n' }, { owner: lying })
    expect(answer).toMatchObject({ status: 201, body: { clientId: 'acme' } })
    expectFailure(await ask('GET', '', { owner: lying }), 403, 'INSUFFICIENT_PERMISSION')
    expect(await idsOf('acme')).toHaveLength(before[0]!.length + 1)
    expect(await idsOf('globex')).toEqual(before[1])
  })

  test('by changing what it has answered', async () => {
    const answer = acme()
    let asked = 0
    const owner = () => {
      asked += 1
      setImmediate(() => Object.assign(answer, { clientId: 'globex', grantable: ['*'] }))
      return answer
    }
    const scopes = ['billing:all']
    expectFailure(await create({ name: 'n', scopes }, { owner }), 400, 'INVALID_INPUT')
    await eventually(() => expect(answer.clientId).toBe('globex'))
    expect(asked).toBe(1)
  })
})

describe('the options', () => {
  const owner = () => null
  test.each<[string, unknown, string]>([
    ['none', undefined, 'the options must be an object'],
    ['no owner', {}, "'owner' is required"],
    ['an owner that is no function', { owner: acme() }, "'owner' has a wrong value"],
    ['an unknown one', { owner, authorize: owner }, "'authorize' is not a known option"],
    ['origins that are a text', { owner, origins: 'https://a.example' }, "'origins' has a wrong"],
    ['an origin with a path', { owner, origins: ['https://a.example/'] }, "'origins' has a wrong"],
    ['an origin for all', { owner, origins: ['*'] }, "'origins' has a wrong value"],
    ['the origin null', { owner, origins: ['null'] }, "'origins' has a wrong value"],
  ])('%s', (_, options, message) => {
    expect(() => untyped.clientKeyRoutes!(options)).toThrow(TypeError)
    expect(() => untyped.clientKeyRoutes!(options)).toThrow(`clientKeyRoutes: ${message}`)
  })

  test('stay as they were when the routes were made', async () => {
    const origins = ['https://pages.example']
    const { POST } = next.clientKeyRoutes({ owner: () => acme(), origins })
    origins.push('https://evil.example')
    const headers = { origin: 'https://evil.example', 'content-type': 'application/json' }
    const request = new Request(HOST + MOUNT, { method: 'POST', headers, body: '{"name":"n"}' })
    expectFailure(await read(await POST(request)), 403, 'WRONG_ORIGIN')
  })
})
