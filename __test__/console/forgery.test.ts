import { beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'
import {
  browser,
  consoleRoutes,
  JWT_SECRET,
  ORIGIN,
  OWN,
  requestOf,
  type Method,
} from './support.js'

const database = useAddon({ jwtSecret: JWT_SECRET })

let token: string
let cookie: string
const routes = consoleRoutes()
beforeAll(async () => {
  token = (await addon.createAdminToken({ name: 'Ops', permissions: ['*'] })).token
  const page = browser()
  await page.signIn({ token })
  cookie = page.own.cookie!
})

/** The status of a change that would be made, if it were not refused. */
async function statusOf(headers: Record<string, string>, method: Method = 'POST', made = routes) {
  const given = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== ''))
  const key = { name: 'n', clientId: 'c' }
  return (await made[method](requestOf(method, '/api/keys', { cookie, ...given }, key))).status
}

test.each<[string, Record<string, string>, number]>([
  ['all is right', {}, 201],
  ['no origin', { origin: '' }, 403],
  ['the origin null', { origin: 'null' }, 403],
  ['another origin', { origin: 'https://evil.example' }, 403],
  ['a subdomain', { origin: 'https://a.console.example' }, 403],
  ['a parent domain', { origin: 'https://example' }, 403],
  ['another port', { origin: 'https://console.example:444' }, 403],
  ['a suffix', { origin: 'https://console.example.evil.example' }, 403],
  ['a path', { origin: `${ORIGIN}/` }, 403],
  ['two origins', { origin: `${ORIGIN} https://evil.example` }, 403],
  ['a user', { origin: 'https://console.example@evil.example' }, 403],
  ['no scheme', { origin: 'console.example' }, 403],
  ['capitals', { origin: 'https://CONSOLE.example' }, 403],
  ['no header', { 'x-api-keys-console': '' }, 403],
  ['another value of the header', { 'x-api-keys-console': 'true' }, 403],
  ['the usual port in Host', { host: 'console.example:443' }, 201],
  ['a host in capitals', { host: 'Console.Example' }, 201],
  ['another host', { host: 'evil.example' }, 403],
  ['a hostile host', { host: 'evil.example/@console.example' }, 403],
  [
    'a forwarded host that nobody vouches for',
    { host: 'inner', 'x-forwarded-host': 'console.example' },
    403,
  ],
  [
    'a forwarded host that nobody vouches for, of an attacker',
    { origin: 'https://evil.example', 'x-forwarded-host': 'evil.example' },
    403,
  ],
  ['a page of the same host, as the browser says', { 'sec-fetch-site': 'same-origin' }, 201],
  ['a page of the same host by http, as the browser says', { 'sec-fetch-site': 'cross-site' }, 403],
  ['the referrer alone', { origin: '', referer: `${ORIGIN}/admin` }, 403],
])('%s', async (_, headers, status) => {
  expect(await statusOf({ ...OWN, ...headers })).toBe(status)
})

test.each<Method>(['POST', 'PUT', 'PATCH', 'DELETE'])('%s is a change', async (method) => {
  expect(await statusOf({ ...OWN, origin: 'https://evil.example' }, method)).toBe(403)
  expect(await statusOf({ ...OWN, 'x-api-keys-console': '' }, method)).toBe(403)
})

test('signing in and out are changes too, whatever the address', async () => {
  const evil = { origin: 'https://evil.example' }
  const page = browser()
  for (const path of ['/api/session', '/api/nothing', '/keys', '', '/assets/x.js'])
    expect((await page.send('POST', path, { token }, evil)).status).toBe(403)
  expect((await page.send('DELETE', '/api/session', undefined, { ...evil, cookie })).status).toBe(
    403,
  )
  expect((await browser().get('/api/keys', { cookie })).status).toBe(200)
})

test('a change without a session is 401, and 403 from elsewhere', async () => {
  const page = browser()
  expect((await page.send('POST', '/api/keys', {})).status).toBe(401)
  expect((await page.send('POST', '/api/keys', {}, { origin: 'null' })).status).toBe(403)
})

test('reads need neither', async () => {
  expect(
    (await browser().get('/api/keys', { cookie, origin: 'https://evil.example' })).status,
  ).toBe(200)
})

test('further origins are let in, which must be such', async () => {
  const origins = ['https://other.example', 'http://localhost:3000']
  const made = consoleRoutes({ origins })
  for (const origin of [...origins, ORIGIN])
    expect(await statusOf({ ...OWN, origin }, 'POST', made)).toBe(201)
  expect(await statusOf({ ...OWN, origin: 'https://evil.example' }, 'POST', made)).toBe(403)
  origins.push('https://evil.example')
  expect(await statusOf({ ...OWN, origin: 'https://evil.example' }, 'POST', made)).toBe(403)
  for (const wrong of [
    'https://other.example',
    ['https://other.example/'],
    ['*'],
    ['null'],
    [5],
    null,
  ])
    expect(() => consoleRoutes({ origins: wrong as never })).toThrow(
      "consoleRoutes: 'origins' has a wrong value: it must be an array of at most 100 origins",
    )
  expect(() => consoleRoutes({ origin: [] } as never)).toThrow("'origin' is not a known option")
})

test('a pre-flight is answered with nothing', () => {
  expect(Object.keys(routes).sort()).toEqual(['DELETE', 'GET', 'PATCH', 'POST', 'PUT'])
})

describe('behind declared proxies', () => {
  beforeAll(async () => {
    await addon.close()
    addon.configure({
      databaseUrl: database.url(),
      jwtSecret: JWT_SECRET,
      trustedHops: 1,
      log: 'off',
    })
  })

  test.each<[string, Record<string, string>, number]>([
    ['the forwarded host', { host: 'inner:3000', 'x-forwarded-host': 'console.example' }, 201],
    ['no forwarded host', {}, 201],
    ['another forwarded host', { host: 'inner', 'x-forwarded-host': 'evil.example' }, 403],
    [
      'a list of hosts',
      { host: 'inner', 'x-forwarded-host': 'console.example, evil.example' },
      403,
    ],
    [
      'an origin that is neither host',
      { origin: 'https://evil.example', 'x-forwarded-host': 'inner' },
      403,
    ],
  ])('%s', async (_, headers, status) => {
    expect(await statusOf({ ...OWN, ...headers })).toBe(status)
  })
})
