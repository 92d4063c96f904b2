import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { jwt } from '../support/jwt.js'
import { startPeer, type Peer } from '../support/peer.js'
import { useAddon } from '../support/use-addon.js'
import { browser, consoleRoutes, COOKIE, JWT_SECRET } from './support.js'

const { createAdminToken, flush, listAdminTokens, listAuditEvents, revokeAdminToken } = addon

const database = useAddon({ jwtSecret: JWT_SECRET })

let token: string
let id: string
beforeEach(async () => {
  const made = await createAdminToken({ name: 'Ops', permissions: ['keys:read'] })
  token = made.token
  id = made.id
})

const signedIn = async () => {
  const page = browser()
  expect(await page.signIn({ token })).toMatchObject({ status: 200, body: { signedIn: true } })
  return page
}
const rows = () => database.sql('SELECT * FROM sophra_api_keys.console_sessions')

test('nobody is signed in at first, which is an answer and no error', async () => {
  const page = browser()
  expect(await page.get('/api/session')).toMatchObject({ status: 200, body: { signedIn: false } })
  const refused = await page.get('/api/keys')
  expect(refused).toMatchObject({ status: 401, body: { error: 'Sign in to the console' } })
})

test('an admin token opens a session, of which the browser gets one cookie and the database a digest', async () => {
  const page = browser()
  const { headers, body } = await page.signIn({ token: ` ${token}\n` })
  const [pair, ...attributes] = headers['set-cookie']!.split('; ')
  const [name, value] = pair!.split('=') as [string, string]
  expect(name).toBe(COOKIE)
  const age = attributes.find((text) => text.startsWith('Max-Age='))!
  expect(attributes.filter((text) => text !== age).sort()).toEqual([
    'HttpOnly',
    'Path=/',
    'SameSite=Strict',
    'Secure',
  ])
  expect(Number(age.slice('Max-Age='.length))).toBeGreaterThan(43_000)
  expect(Number(age.slice('Max-Age='.length))).toBeLessThanOrEqual(43_200)
  expect(body).toMatchObject({ by: 'session', name: 'Ops', permissions: ['keys:read'] })
  expect(new Date(body.expiresAt).getTime()).toBeLessThanOrEqual(Date.now() + 43_200_000)
  expect(token).not.toContain(value)
  const stored = (await rows()).filter((row) => row.token_id === id)
  expect(stored).toMatchObject([
    { digest: `sha256:${createHash('sha256').update(value).digest('hex')}` },
  ])
  expect(JSON.stringify(stored)).not.toContain(value.split('.')[0])
  expect((await page.get('/api/keys')).status).toBe(200)
  expect(await page.get('/api/session')).toMatchObject({
    body: { signedIn: true, expiresAt: body.expiresAt, kinds: { secret: { prefix: 'sophra' } } },
  })
})

test('a session ends when it is signed out, and no other does', async () => {
  const [one, other] = [await signedIn(), await signedIn()]
  const { cookie } = one.own
  expect((await one.signOut()).body).toEqual({ signedIn: false })
  expect(one.own.cookie).toBeUndefined()
  expect((await browser().get('/api/keys', { cookie: cookie! })).status).toBe(401)
  expect((await other.get('/api/keys')).status).toBe(200)
  await flush()
  const { events } = await listAuditEvents({ limit: 10 })
  expect(events.filter((event) => 'tokenId' in event && event.tokenId === id)).toMatchObject([
    { type: 'admin.signed_out', actor: id },
    { type: 'admin.signed_in', actor: id, name: 'Ops' },
    { type: 'admin.signed_in', actor: id, name: 'Ops' },
    { type: 'admin.issued' },
  ])
})

test('signing in anew ends the session before', async () => {
  const page = await signedIn()
  const cookie = page.own.cookie!
  await page.signIn({ token })
  expect((await page.get('/api/keys')).status).toBe(200)
  expect((await browser().get('/api/keys', { cookie })).status).toBe(401)
})

test('a session ends with its token: revoked, switched off by another program, or deleted', async () => {
  const page = await signedIn()
  await revokeAdminToken(id)
  expect((await page.get('/api/keys')).status).toBe(401)
  expect(await page.get('/api/session')).toMatchObject({ status: 200, body: { signedIn: false } })
  for (const sql of [
    'UPDATE "AdminToken" SET "isActive" = false WHERE "id" = $1',
    'DELETE FROM "AdminToken" WHERE "id" = $1',
  ]) {
    const made = await createAdminToken({ name: 'Ops', permissions: ['keys:read'] })
    const page = browser()
    await page.signIn(made)
    expect((await page.get('/api/keys')).status).toBe(200)
    await database.sql(sql, [made.id])
    expect((await page.get('/api/keys')).status).toBe(401)
  }
})

test('a session lasts no longer than its token', async () => {
  const made = await createAdminToken({
    name: 'Short',
    permissions: ['keys:read'],
    expiresInSeconds: 3,
  })
  const page = browser()
  const { body } = await page.signIn(made)
  expect(new Date(body.expiresAt).getTime()).toBe(made.expiresAt!.getTime())
  expect((await page.get('/api/keys')).status).toBe(200)
  await eventually(async () => expect((await page.get('/api/keys')).status).toBe(401))
  expect(Date.now()).toBeGreaterThanOrEqual(made.expiresAt!.getTime() - 50)
})

test('a rotation ends the sessions of the replaced token with its grace period', async () => {
  const page = await signedIn()
  await addon.rotateAdminToken({ id, gracePeriodSeconds: 3 })
  expect((await page.get('/api/keys')).status).toBe(200)
  await eventually(async () => expect((await page.get('/api/keys')).status).toBe(401))
  const rotated = await addon.rotateAdminToken({ id })
  await page.signIn(rotated)
  expect((await page.get('/api/keys')).status).toBe(200)
  await addon.rotateAdminToken({ id })
  expect((await page.get('/api/keys')).status).toBe(401)
})

test('what a token may do a session may do, from one request to the next', async () => {
  const page = await signedIn()
  expect((await page.get('/api/roles')).status).toBe(403)
  await database.sql(`UPDATE "AdminToken" SET "permissions" = '{*}' WHERE "id" = $1`, [id])
  expect((await page.get('/api/roles')).status).toBe(200)
  await database.sql(`UPDATE "AdminToken" SET "permissions" = NULL WHERE "id" = $1`, [id])
  expect((await page.get('/api/keys')).status).toBe(403)
})

test('a session counts as a use of its token', async () => {
  const page = await signedIn()
  await page.get('/api/keys')
  await flush()
  expect((await listAdminTokens()).find((one) => one.id === id)?.lastUsedAt).toBeInstanceOf(Date)
})

test('a token has a hundred sessions at most, and those that ended are deleted', async () => {
  const first = await signedIn()
  await database.sql(
    `INSERT INTO sophra_api_keys.console_sessions SELECT 'd' || n, $1, 'x', now() + interval '13 hours' FROM generate_series(1, 150) AS n`,
    [id],
  )
  await database.sql(
    `INSERT INTO sophra_api_keys.console_sessions SELECT 'old' || n, 'x', 'x', now() - interval '1 s' FROM generate_series(1, 20) AS n`,
  )
  const last = await signedIn()
  expect((await rows()).filter((row) => row.token_id === id)).toHaveLength(100)
  expect((await rows()).filter((row) => row.token_id === 'x')).toHaveLength(0)
  expect((await first.get('/api/keys')).status).toBe(401)
  expect((await last.get('/api/keys')).status).toBe(200)
})

test('legacy tokens sign in too, for as long as they are valid', async () => {
  const exp = Math.floor(Date.now() / 1000) + 600
  const legacy = jwt(
    { alg: 'HS256', typ: 'JWT' },
    { type: 'admin', name: 'super-admin', iat: exp - 900, exp },
    JWT_SECRET,
  )
  await database.sql(
    `INSERT INTO "AdminToken" ("id", "token", "name", "updatedAt") VALUES ('legacy', $1, 'super-admin', now())`,
    [legacy],
  )
  const page = browser()
  const { body } = await page.signIn({ token: legacy })
  expect(body).toMatchObject({ signedIn: true, name: 'super-admin' })
  expect(new Date(body.expiresAt).getTime()).toBe(exp * 1000)
  expect((await page.get('/api/session')).body).toMatchObject({ signedIn: true })
})

test.each(['', 'x', '.', 'a.b', 'x'.repeat(5_000), '"; DROP TABLE x', '\u00ff.\u00ff'])(
  'what is no session is none: %j',
  async (value) => {
    const { status } = await browser().get('/api/keys', { cookie: `${COOKIE}=${value}` })
    expect(status).toBe(401)
  },
)

test('a forged session ends before the database is asked: by then any row would do', async () => {
  const page = await signedIn()
  const [random, mac] = page.own.cookie!.split('=')[1]!.split('.') as [string, string]
  for (const forged of [`${random}.${mac.slice(0, -2)}AA`, `A${random.slice(1)}.${mac}`, random])
    expect((await browser().get('/api/keys', { cookie: `${COOKIE}=${forged}` })).status).toBe(401)
  await database.sql(
    `INSERT INTO sophra_api_keys.console_sessions VALUES ($1, $2, 'x', now() + interval '1 hour')`,
    [`sha256:${createHash('sha256').update('made.up').digest('hex')}`, id],
  )
  expect((await browser().get('/api/keys', { cookie: `${COOKIE}=made.up` })).status).toBe(401)
})

test('the header of an admin token counts for nothing', async () => {
  const strong = await createAdminToken({ name: 'All', permissions: ['*'] })
  const header = { 'x-admin-token': strong.token }
  expect((await browser().get('/api/keys', header)).status).toBe(401)
  const page = await signedIn()
  expect((await page.get('/api/roles', header)).status).toBe(403)
  expect((await page.get('/api/keys', { 'x-admin-token': 'wrong' })).status).toBe(200)
})

let peer: Peer
beforeAll(async () => {
  peer = await startPeer({ databaseUrl: database.url(), jwtSecret: JWT_SECRET, log: 'off' })
})
afterAll(() => peer.stop())

const overThere = (cookie: string) =>
  peer.run(
    async ({ require }, headers) => {
      const routes = require('../../lib/console.js').consoleRoutes()
      const request = new Request('https://console.example/admin/api/keys', { headers })
      return (await routes.GET(request)).status as number
    },
    { cookie },
  )

test('a session is valid in every process, and ends in all of them', async () => {
  const page = await signedIn()
  const { cookie } = page.own
  expect(await overThere(cookie!)).toBe(200)
  await page.signOut()
  expect(await overThere(cookie!)).toBe(401)
  await page.signIn({ token })
  const again = page.own.cookie!
  expect(await overThere(again)).toBe(200)
  await revokeAdminToken(id)
  expect(await overThere(again)).toBe(401)
})

test('the app says who may use the console, and a session goes before it', async () => {
  const seen: string[] = []
  const routes = consoleRoutes({
    authorize: (request) => {
      seen.push(request.headers.get('x-user') ?? '')
      if (request.headers.get('x-user') === 'broken') throw new Error('no database of users')
      return request.headers.get('x-user') === 'ann'
        ? { name: 'ann', permissions: ['keys:read'] }
        : null
    },
  })
  const page = browser(routes)
  expect((await page.get('/api/session')).body).toEqual({ signedIn: false })
  expect((await page.get('/api/keys')).status).toBe(401)
  const ann = { 'x-user': 'ann' }
  expect((await page.get('/api/session', ann)).body).toMatchObject({
    signedIn: true,
    by: 'app',
    name: 'ann',
    expiresAt: null,
  })
  expect((await page.get('/api/keys', ann)).status).toBe(200)
  expect((await page.get('/api/roles', ann)).status).toBe(403)
  expect((await page.send('POST', '/api/keys', {}, ann)).status).toBe(403)
  const before = console.error
  console.error = () => {}
  expect((await page.get('/api/session', { 'x-user': 'broken' })).status).toBe(500)
  console.error = before
  await page.signIn({ token })
  const count = seen.length
  expect((await page.get('/api/session', ann)).body).toMatchObject({ by: 'session', name: 'Ops' })
  expect(seen).toHaveLength(count)
})

test('another secret ends all sessions', async () => {
  const page = await signedIn()
  await addon.close()
  addon.configure({ databaseUrl: database.url(), jwtSecret: `${JWT_SECRET}!`, log: 'off' })
  expect((await page.get('/api/keys')).status).toBe(401)
  await addon.close()
  addon.configure({ databaseUrl: database.url(), log: 'off' })
  expect((await page.get('/api/keys')).status).toBe(401)
  await addon.close()
  addon.configure({ databaseUrl: database.url(), jwtSecret: JWT_SECRET, log: 'off' })
  expect((await page.get('/api/keys')).status).toBe(200)
})
