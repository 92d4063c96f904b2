import { beforeAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'
import { browser, JWT_SECRET, type Method } from './support.js'

const { createAdminToken, createApiKey } = addon

const database = useAddon({ jwtSecret: JWT_SECRET, webhooks: 'off' })

/** What each route of the console asks for, a second permission after a comma. */
const WANTED: Record<string, string> = {
  'GET keys': 'keys:read',
  'GET keys/nobody': 'keys:read',
  'GET keys/export': 'keys:read',
  'POST keys/verify': 'keys:read',
  'POST keys': 'keys:write',
  'PUT keys': 'keys:write',
  'PATCH keys': 'keys:write',
  'DELETE keys': 'keys:write',
  'POST keys/revocation': 'keys:write',
  'DELETE keys/revocation': 'keys:write',
  'GET keys/audit': 'audit:read',
  'GET audit/export': 'audit:read',
  'GET clients': 'clients:read',
  'GET clients/ids': 'clients:read',
  'PUT clients': 'clients:write',
  'DELETE clients': 'clients:write',
  'GET roles': 'roles:read',
  'PUT roles': 'roles:write,keys:write',
  'DELETE roles': 'roles:write',
  'GET quotas': 'quotas:read',
  'POST quotas': 'quotas:write',
  'GET usage': 'usage:read',
  'GET webhooks': 'webhooks:read',
  'POST webhooks': 'webhooks:write',
  'PATCH webhooks': 'webhooks:write',
  'DELETE webhooks': 'webhooks:write',
  'GET webhooks/deliveries': 'webhooks:read',
  'POST webhooks/deliveries': 'webhooks:write',
  'GET admin-tokens': 'admin-tokens:read',
  'POST admin-tokens': 'admin-tokens:write',
  'PUT admin-tokens': 'admin-tokens:write',
  'DELETE admin-tokens': 'admin-tokens:write',
  'GET overview': 'metrics:read',
}
const READ =
  'keys:read usage:read audit:read metrics:read clients:read roles:read webhooks:read admin-tokens:read'.split(
    ' ',
  )

async function signedIn(permissions: string[]) {
  const page = browser()
  await page.signIn(await createAdminToken({ name: 'Some', permissions }))
  return page
}

/** The answer of a route to which nothing else is sent. */
function ask(page: Awaited<ReturnType<typeof signedIn>>, route: string) {
  const [method, path] = route.split(' ') as [Method, string]
  return page.send(method, `/api/${path}`, method === 'GET' ? undefined : {})
}

const refused = { status: 403, body: { code: 'INSUFFICIENT_PERMISSION' } }

test('each route is opened by its own permission, and by no other', async () => {
  const all = [...new Set(Object.values(WANTED).flatMap((wanted) => wanted.split(',')))]
  for (const [route, wanted] of Object.entries(WANTED)) {
    const own = wanted.split(',')
    const others = await signedIn(all.filter((permission) => !own.includes(permission)))
    expect(await ask(others, route), route).toMatchObject(refused)
    expect((await ask(await signedIn(own), route)).status, route).not.toBe(403)
  }
})

test('a reader changes nothing, whatever is sent', async () => {
  const page = await signedIn(READ)
  const { id, key } = await createApiKey({ name: 'Kept', clientId: 'c' })
  const before = await database.sql('SELECT * FROM "ApiKey"')
  for (const [route, wanted] of Object.entries(WANTED).filter(([, wanted]) =>
    /write/.test(wanted),
  )) {
    const [method, path] = route.split(' ') as [Method, string]
    const body = { id, name: 'Changed', clientId: 'c', scopes: [], reason: 'superseded' }
    const answer = await page.send(method, `/api/${path}?id=${id}&clientId=c&name=n`, body)
    expect(answer, `${route} ${wanted}`).toMatchObject(refused)
  }
  expect(await database.sql('SELECT * FROM "ApiKey"')).toEqual(before)
  for (const [route] of Object.entries(WANTED).filter(([route]) => route.startsWith('GET')))
    if (route !== 'GET quotas') expect((await ask(page, route)).status, route).not.toBe(403)
  expect(await page.send('POST', '/api/keys/verify', { key })).toMatchObject({
    status: 200,
    body: { valid: true, keyId: id },
  })
})

test('nobody gives a token more than they hold', async () => {
  const page = await signedIn(['admin-tokens:write', 'keys:read'])
  const token = (permissions: string[]) => ({ name: 'New', permissions })
  expect((await page.send('POST', '/api/admin-tokens', token(['keys:read']))).status).toBe(201)
  for (const more of ['keys:write', '*'])
    expect(await page.send('POST', '/api/admin-tokens', token([more]))).toMatchObject(refused)
})

test('nobody who may do nothing sees anything', async () => {
  const page = await signedIn([])
  expect((await page.get('/api/session')).body).toMatchObject({ signedIn: true, permissions: [] })
  for (const route of Object.keys(WANTED))
    expect(await ask(page, route), route).toMatchObject(refused)
})

let all: Awaited<ReturnType<typeof signedIn>>
beforeAll(async () => {
  all = await signedIn(['*'])
})

test('changes name the token as their actor', async () => {
  const made = await all.send('POST', '/api/keys', { name: 'n', clientId: 'c' })
  expect(made.status).toBe(201)
  expect((await all.get(`/api/keys/${made.body.id}`)).body).toMatchObject({ name: 'n' })
  await addon.flush()
  const { body } = await all.get(`/api/keys/audit?keyId=${made.body.id}&limit=1`)
  const tokens = await addon.listAdminTokens()
  expect(tokens.map(({ id }) => id)).toContain(body.events[0].actor)
  expect((await all.get('/api/keys/audit?limit=x')).status).toBe(400)
})

test('ids of keys may be any text', async () => {
  await database.sql(
    `INSERT INTO "ApiKey" ("id", "key", "name", "clientId", "updatedAt") VALUES ('a/b ?#é', 'k', 'Odd', 'c', now()), ('export2', 'k2', 'Odd', 'c', now())`,
  )
  const id = encodeURIComponent('a/b ?#é')
  expect((await all.get(`/api/keys/${id}`)).body).toMatchObject({ name: 'Odd' })
  expect((await all.get('/api/keys/nobody')).body).toEqual({
    error: 'API key not found',
    code: 'NOT_FOUND',
  })
})

test('the overview has the health, what doctor finds, and quotas of which most is used', async () => {
  const { key } = await createApiKey({
    name: 'Full',
    clientId: 'q',
    quotas: [{ name: 'calls', amount: 10, period: 'month' }],
  })
  await createApiKey({
    name: 'Empty',
    clientId: 'q',
    quotas: [{ name: 'calls', amount: 10, period: 'month' }],
  })
  expect((await addon.verifyApiKey(key, { cost: 9 })).valid).toBe(true)
  await addon.flush()
  const { body } = await all.get('/api/overview')
  expect(body.health).toMatchObject({ status: expect.any(String), problems: expect.any(Array) })
  expect(body.findings).toContainEqual(
    expect.objectContaining({ check: 'migrations', status: 'ok' }),
  )
  expect(body.findingsAt).toMatch(/Z$/)
  expect(body.quotas).toMatchObject([
    {
      keyId: expect.any(String),
      name: 'calls',
      used: 9,
      amount: 10,
      remaining: 1,
      resetsAt: expect.stringMatching(/Z$/),
    },
  ])
  const reader = await signedIn(READ)
  expect((await reader.get('/api/overview')).body.quotas).toBeNull()
})

test('clients without settings are found by their keys', async () => {
  await database.sql('DELETE FROM "ApiKey"')
  await addon.setClient({ clientId: 'has-settings' })
  const ids = Array.from({ length: 230 }, (_, n) => `client-${String(n).padStart(3, '0')}`)
  await database.sql(
    `INSERT INTO "ApiKey" ("id", "key", "name", "clientId", "updatedAt")
     SELECT id || n, 'k' || id || n, 'n', id, now() FROM unnest($1::text[]) AS id, generate_series(1, 3) AS n`,
    [[...ids, 'has-settings', 'Ümlaut Inc']],
  )
  const found: string[] = []
  let cursor: string | null = null
  let pages = 0
  do {
    const query: string = cursor === null ? '' : `?cursor=${encodeURIComponent(cursor)}`
    const { body } = await all.get(`/api/clients/ids${query}`)
    expect(body.ids.length).toBeLessThanOrEqual(100)
    found.push(...body.ids)
    cursor = body.nextCursor
    pages += 1
  } while (cursor !== null)
  expect(found.sort()).toEqual([...ids, 'Ümlaut Inc'].sort())
  expect(pages).toBe(3)
  const search = async (text: string) =>
    (await all.get(`/api/clients/ids?search=${encodeURIComponent(text)}`)).body.ids
  expect(await search('CLIENT-22')).toEqual(ids.slice(220))
  expect(await search('ümlaut')).toEqual(['Ümlaut Inc'])
  expect(await search('settings')).toEqual([])
  expect(await search('%')).toEqual([])
  expect((await all.get('/api/clients/ids?other=1')).status).toBe(400)
})
