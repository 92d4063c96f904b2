import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { jwt } from '../support/jwt.js'
import { prismaTables } from '../support/prisma-tables.js'
import { environmentFor, jwtSecret, KEYS_ROUTE, send, type Answer } from '../support/example-app.js'
import { startServer, type Server } from '../support/example-server.js'

// What clients of the old app sent, against a database that it has left behind: they get the statuses and shapes that
// they got, and where they do not, the difference is one that the README lists.

const OLD_FIELDS = [
  'id',
  'name',
  'clientId',
  'description',
  'isActive',
  'expiresAt',
  'createdAt',
  'lastUsedAt',
  'allowedIps',
  'rateLimit',
  'usageCount',
]
const ROWS = 500
const iso = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)

/** The plaintext of an old row. */
const oldKey = (n: number): string => createHash('sha256').update(String(n)).digest('base64url')

/** An admin token as the old app issued it, signed by whoever. */
function oldToken(name: string, secret: string): string {
  const iat = Math.floor(Date.now() / 1_000) - 60
  const claims = { type: 'admin', name, iat, exp: iat + 86_400 }
  return jwt({ alg: 'HS256', typ: 'JWT' }, claims, secret)
}
const signed = oldToken('prod-api-7', jwtSecret)
const unsigned = oldToken('prod-api-8', 'another secret, of 32 bytes and more')

let database: Database
let server: Server
let token: string
beforeAll(async () => {
  database = await freshDatabase()
  await database.sql(prismaTables)
  await database.sql(
    `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "description", "isActive", "expiresAt",
       "createdAt", "updatedAt", "lastUsedAt", "allowedIps", "rateLimit", "usageCount")
     SELECT 'clq' || n, translate(encode(sha256(n::text::bytea), 'base64'), '+/=', '-_'), 'client-' || n % 7,
       'Old ' || n, CASE WHEN n % 2 = 0 THEN 'described' END, n % 5 <> 0,
       CASE WHEN n % 3 = 0 THEN timestamp '2094-01-02 03:04:05.678' END,
       timestamp '2023-01-01' + n * interval '1 s', now(), now(),
       CASE WHEN n % 4 = 0 THEN '{10.0.0.0/8}'::text[] ELSE '{}' END,
       CASE WHEN n % 2 = 0 THEN 100 END, n
     FROM generate_series(1, ${ROWS}) AS n`,
  )
  await database.sql(
    `INSERT INTO "AdminToken" ("id", "token", "name", "updatedAt")
     VALUES ('adm7', $1, 'prod-api-7', now()), ('adm8', $2, 'prod-api-8', now())`,
    [signed, unsigned],
  )
  addon.configure({ databaseUrl: database.url, jwtSecret, ...cheapHashing })
  token = (await addon.createAdminToken({ name: 'prod-api-1', permissions: ['*'] })).token
  server = await startServer(environmentFor(database.url))
})
afterAll(async () => {
  await addon.close()
  await server?.stop()
  await database.drop()
})

const ask = (path: string, method = 'GET', headers: object = {}, body?: string): Promise<Answer> =>
  send(server.url + path, {
    method,
    headers: { 'Content-Type': 'application/json', ...headers },
    body,
  })

/** An error as it was answered, with the code that is new. */
const expectError = ({ status, body }: Answer, was: number, error: string): void =>
  expect({ status, body }).toMatchObject({ status: was, body: { error, code: expect.any(String) } })

/** A key object has all that it had. */
function expectKey(body: Record<string, unknown>, fields: object): void {
  expect(Object.keys(body)).toEqual(expect.arrayContaining([...OLD_FIELDS, 'updatedAt']))
  expect(body).toMatchObject({ createdAt: iso, updatedAt: iso, ...fields })
}

describe(KEYS_ROUTE, () => {
  const asAdmin = (method: string, body?: object, query = ''): Promise<Answer> =>
    ask(KEYS_ROUTE + query, method, { 'x-admin-token': token }, body && JSON.stringify(body))
  const post = async (fields: object = {}): Promise<any> =>
    (await asAdmin('POST', { name: 'Search', clientId: 'acme', ...fields })).body
  const search = (key: string): Promise<Answer> => ask('/api/search', 'GET', { 'x-api-key': key })

  test('GET lists every old row, with what it showed and no key', async () => {
    const { status, body } = await asAdmin('GET')
    expect(status).toBe(200)
    const old = body.filter(({ id }: { id: string }) => id.startsWith('clq'))
    expect(old.length).toBeGreaterThan(ROWS - 10)
    const stored = await database.sql(
      `SELECT "id", "key", "name", "clientId", "usageCount"::int FROM "ApiKey"`,
    )
    const names = new Map(stored.map((row) => [row.id, row]))
    const text = JSON.stringify(body)
    for (const shown of old) {
      expect(Object.keys(shown)).toEqual(expect.arrayContaining(OLD_FIELDS))
      expect(shown).not.toHaveProperty('key')
      const { key, ...row } = names.get(shown.id)!
      expect(shown).toMatchObject(row)
      expect(text).not.toContain(key)
    }
    expect(old.find(({ id }: { id: string }) => id === 'clq12')).toMatchObject({
      description: 'described',
      isActive: true,
      expiresAt: '2094-01-02T03:04:05.678Z',
      createdAt: '2023-01-01T00:00:12.000Z',
      allowedIps: ['10.0.0.0/8'],
      rateLimit: 100,
      usageCount: 12,
    })
  })

  test('POST answers 201 with the key object and the key', async () => {
    const least = await asAdmin('POST', { name: 'Search', clientId: 'acme' })
    expect(least.status).toBe(201)
    const absent = { description: null, rateLimit: null, expiresAt: null, lastUsedAt: null }
    expectKey(least.body, { ...absent, allowedIps: [], isActive: true, usageCount: 0 })
    expect(least.body.key).toEqual(expect.any(String))

    const fields = {
      name: 'Test Key',
      clientId: 'client1',
      description: 'Test description',
      rateLimit: 100,
      allowedIps: ['127.0.0.1'],
      expiresAt: '2094-01-02T03:04:05.678Z',
    }
    const full = await asAdmin('POST', { ...fields, usageCount: 5, colour: 'red' })
    expect(full.status).toBe(201)
    expectKey(full.body, { ...fields, usageCount: 0 })
  })

  test('PUT and PATCH answer 200 with the changed key object, of old rows too', async () => {
    for (const id of ['clq1', 'clq8', (await post()).id]) {
      for (const method of ['PUT', 'PATCH']) {
        const fields = { name: `By ${method}`, description: 'new', isActive: false, rateLimit: 7 }
        const { status, body } = await asAdmin(method, { id, ...fields })
        expect(status).toBe(200)
        expectKey(body, { id, ...fields })
        expect(body).not.toHaveProperty('key')
      }
      const [row] = await database.sql(`SELECT "name" FROM "ApiKey" WHERE "id" = $1`, [id])
      expect(row).toEqual({ name: 'By PATCH' })
    }
  })

  test('PUT with regenerateKey answers 200, and the key that was lost', async () => {
    for (const { id, key } of [await post(), { id: 'clq2', key: undefined }]) {
      const { status, body } = await asAdmin('PUT', { id, name: 'Updated', regenerateKey: true })
      expect(status).toBe(200)
      expectKey(body, { id, name: 'Updated' })
      expect((await search(body.key)).status).toBe(200)
      if (key) expect((await search(key)).status).toBe(401)
    }
  })

  test('DELETE answers success', async () => {
    for (const id of ['clq101', (await post()).id]) {
      const { status, body } = await asAdmin('DELETE', undefined, `?id=${id}`)
      expect({ status, body }).toEqual({ status: 200, body: { success: true } })
    }
  })

  test('an id is required, with the message of old', async () => {
    for (const answer of [
      await asAdmin('PUT', { name: 'Updated Key' }),
      await asAdmin('PUT', { id: '', name: 'Updated Key' }),
      await asAdmin('PUT', { id: 0 }),
      await asAdmin('PATCH', { isActive: false }),
      await asAdmin('DELETE'),
    ])
      expectError(answer, 400, 'API key ID is required')
  })

  test('the admin middleware: the same 401', async () => {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
      const body = method === 'GET' || method === 'DELETE' ? undefined : '{}'
      expectError(
        await ask(KEYS_ROUTE, method, {}, body),
        401,
        'Missing required header: x-admin-token',
      )
      const wrong = { 'x-admin-token': 'invalid-token' }
      expectError(await ask(KEYS_ROUTE, method, wrong, body), 401, 'Invalid admin token')
    }
  })

  test('what was 500: a missing id is 404, bad input 400', async () => {
    const unknown = [
      await asAdmin('PUT', { id: 'nonexistent', name: 'x' }),
      await asAdmin('PATCH', { id: 'nonexistent', name: 'x' }),
      await asAdmin('DELETE', undefined, '?id=nonexistent'),
    ]
    for (const answer of unknown) expectError(answer, 404, 'API key not found')
    const bad = [
      await asAdmin('POST', { name: 'Test Key' }),
      await asAdmin('POST', { name: 'n', clientId: 'c', rateLimit: 'many' }),
      await asAdmin('PATCH', { id: 'clq3', colour: 'red' }),
      await asAdmin('PUT', { id: 'clq3', key: 'my own' }),
      await ask(KEYS_ROUTE, 'POST', { 'x-admin-token': token }, '{"name":'),
    ]
    for (const { status, body } of bad)
      expect({ status, body }).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } })
  })

  test('the key middleware: the same 401, and the handler knows the client', async () => {
    const { id, key } = await post({ name: 'Named', clientId: 'shop' })
    const { status, body } = await search(key)
    expect(status).toBe(200)
    // The values that were in `x-authenticated-client` and `x-api-key-name`.
    expect(body).toMatchObject({ clientId: 'shop', keyName: 'Named' })

    expectError(await ask('/api/search'), 401, 'Missing required header: x-api-key')
    expectError(await search('invalid-key'), 401, 'Invalid API key')
    await asAdmin('PATCH', { id, isActive: false })
    expectError(await search(key), 401, 'Invalid API key')
    await asAdmin('PATCH', { id, isActive: true, expiresAt: '2020-01-01T00:00:00.000Z' })
    expectError(await search(key), 401, 'Invalid API key')
  })

  test('an old key opens the route, as whose it was', async () => {
    for (const n of [21, 22, 23]) {
      const { status, body } = await search(oldKey(n))
      expect(status).toBe(200)
      expect(body).toMatchObject({ clientId: `client-${n % 7}`, keyName: `Old ${n}` })
    }
    expectError(await search(oldKey(25)), 401, 'Invalid API key')
    expectError(await search(oldKey(ROWS + 1)), 401, 'Invalid API key')
    // The old app did not enforce the list of addresses.
    const { status, body } = await search(oldKey(24))
    expect({ status, body }).toMatchObject({ status: 403, body: { code: 'IP_NOT_ALLOWED' } })
  })

  test('an old admin token is one if its signature verifies', async () => {
    const asked = await ask(`${KEYS_ROUTE}?limit=1`, 'GET', { 'x-admin-token': signed })
    expect(asked).toMatchObject({ status: 200 })
    expectError(
      await ask(KEYS_ROUTE, 'GET', { 'x-admin-token': unsigned }),
      401,
      'Invalid admin token',
    )
  })

  test('a used key counts its uses', async () => {
    const { id, key } = await post()
    for (let time = 0; time < 3; time++) expect((await search(key)).status).toBe(200)
    await expect
      .poll(async () => (await addon.getApiKey(id))!.usageCount, { timeout: 20_000 })
      .toBe(3)
    expect((await addon.getApiKey(id))!.lastUsedAt).toBeInstanceOf(Date)
  })
})
