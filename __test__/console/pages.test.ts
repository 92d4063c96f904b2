import { readdirSync } from 'node:fs'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'
import { browser, consoleRoutes, JWT_SECRET, requestOf } from './support.js'

useAddon({ jwtSecret: JWT_SECRET })

const routes = consoleRoutes()
const names = readdirSync(new URL('../../lib/console/files/assets', import.meta.url))
const script = names.find((name) => name.endsWith('.js'))!
const at = (path: string, headers: Record<string, string> = {}, context?: unknown) =>
  routes.GET(requestOf('GET', path, headers), context)
const textAt = async (path: string, context?: unknown) => (await at(path, {}, context)).text()

/** What every answer of the console tells a browser. */
function expectSecure(response: Response): void {
  const policy = new Map(
    response.headers
      .get('content-security-policy')!
      .split('; ')
      .map((directive) => {
        const [name, ...sources] = directive.split(' ')
        return [name, sources.join(' ')]
      }),
  )
  expect(Object.fromEntries(policy)).toEqual({
    'default-src': "'none'",
    'script-src': "'self'",
    'style-src': "'self'",
    'img-src': "'self' data:",
    'font-src': "'self'",
    'connect-src': "'self'",
    'base-uri': "'self'",
    'form-action': "'none'",
    'frame-ancestors': "'none'",
  })
  expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  expect(response.headers.get('referrer-policy')).toBe('no-referrer')
  expect(response.headers.get('x-frame-options')).toBe('DENY')
}

test.each([
  '',
  '/keys',
  '/keys/new',
  '/keys/an-id',
  '/clients/a%2Fb',
  '/audit-log',
  '/sign-in',
  '/no/such/page',
])('each address loads the page: %j', async (path) => {
  const response = await at(path)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(response.headers.get('cache-control')).toBe('no-store')
  expectSecure(response)
  expect(await response.text()).toMatch(/^<!doctype html>/i)
})

test('a page has nothing inline, and nothing from elsewhere', async () => {
  const page = await textAt('')
  expect(page).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|https?:|\/\//i)
  for (const [, address] of page.matchAll(/(?:src|href)="([^"]*)"/g))
    expect(address).toMatch(/^(\.\.?\/[^"]*|assets\/[\w.-]+)$/)
})

test.each([
  ['/admin', [], './admin/'],
  ['/admin/', [], './'],
  ['/admin/keys', ['keys'], './'],
  ['/admin/keys/', ['keys'], '../'],
  ['/admin/keys/a%2Fb', ['keys', 'a/b'], '../'],
  ['/', [], './'],
  ['/keys', ['keys'], './'],
  ['/a/b/c', [], './c/'],
  ['/a/b/c/keys/new', ['keys', 'new'], '../'],
  ['/api/keys', [], './keys/'],
  ["/x'%22%3Cscript%3E&y", [], './x&#39;%22%3Cscript%3E&#38;y/'],
])('%s with the segments %j names its mount %s', async (path, segments, base) => {
  for (const params of [{ path: segments }, Promise.resolve({ path: segments, tenant: 'x' })]) {
    const response = await routes.GET(new Request(`https://console.example${path}`), { params })
    expect(await response.text()).toContain(`<base href="${base}"`)
  }
})

test.each([
  ['/admin', './admin/'],
  ['/admin/keys', './'],
  ['/admin/keys/an-id', '../'],
  ['/keys/new', '../'],
  ['/a/b/roles', './'],
  ['/', './'],
])('a server that says nothing of the route finds the mount of %s', async (path, base) => {
  const response = await routes.GET(new Request(`https://console.example${path}`))
  expect(await response.text()).toContain(`<base href="${base}"`)
})

test('Next.js says that no segment was matched', async () => {
  const request = () => new Request('https://console.example/keys')
  for (const params of [{}, Promise.resolve({})])
    expect(await (await routes.GET(request(), { params })).text()).toContain('<base href="./keys/"')
})

test('files never change, and have hashes in their names', async () => {
  for (const name of names) {
    expect(name).toMatch(/-[\w-]{8,}\.\w+$/)
    const response = await at(`/assets/${name}`)
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toMatch(/max-age=31536000, immutable/)
    expect(response.headers.get('content-type')).not.toBe('application/octet-stream')
    expectSecure(response)
  }
})

test.each([
  ['br, gzip', 'br'],
  ['gzip, deflate', 'gzip'],
  ['br;q=0, gzip;q=0.5', 'gzip'],
  ['identity', null],
  ['', null],
  ['brx', null],
])('a browser that accepts %j gets %s', async (accepted, encoding) => {
  const plain = Buffer.from(await (await at(`/assets/${script}`)).arrayBuffer())
  for (let n = 0; n < 2; n += 1) {
    const response = await at(`/assets/${script}`, { 'accept-encoding': accepted })
    expect(response.headers.get('content-encoding')).toBe(encoding)
    expect(response.headers.get('vary')).toBe('Accept-Encoding')
    const body = Buffer.from(await response.arrayBuffer())
    const read =
      { br: brotliDecompressSync, gzip: gunzipSync }[encoding ?? ''] ?? ((it: Buffer) => it)
    expect(read(body).equals(plain)).toBe(true)
  }
})

test('Next.js gets files as they are, since it drops the Content-Encoding of a response', async () => {
  const plain = Buffer.from(await (await at(`/assets/${script}`)).arrayBuffer())
  const request = requestOf('GET', `/assets/${script}`, { 'accept-encoding': 'br, gzip' })
  const nextUrl = new URL(request.url)
  const response = await routes.GET(Object.assign(request, { nextUrl }))
  expect(response.headers.get('content-encoding')).toBe(null)
  expect(Buffer.from(await response.arrayBuffer()).equals(plain)).toBe(true)
})

test.each([
  'assets/x.js',
  'assets/',
  'assets/..%2Findex.html',
  'assets/..%2F..%2Froutes.js',
  'assets/%2e%2e%2f%2e%2e%2froutes.js',
  'assets/..%5C..%5Croutes.js',
  'assets/%00',
  'assets/%E0%A4%A',
  'assets/__proto__',
  'assets/constructor',
  'assets//etc/passwd',
  'assets/%2Fetc%2Fpasswd',
])('nothing else is served: %s', async (path) => {
  const params = { path: path.split('/').filter(Boolean) }
  const response = await at(`/${path}`, {}, { params })
  expect(response.status).toBe(404)
  expect(await response.text()).not.toMatch(/use strict|root:/)
  expectSecure(response)
})

test('paths that leave the mount are none of ours', async () => {
  const response = await routes.GET(
    new Request('https://console.example/admin/assets/../../../package.json'),
  )
  expect(await response.text()).not.toContain('@sophra')
})

test('answers with data are not stored, whatever their status', async () => {
  const { token } = await addon.createAdminToken({ name: 'Ops', permissions: ['keys:read'] })
  const page = browser()
  for (const answer of [
    await page.get('/api/keys'),
    await page.signIn({ token: 'x' }),
    await page.signIn({ token }),
    await page.get('/api/session'),
    await page.get('/api/keys'),
    await page.get('/api/keys/nobody'),
    await page.get('/api/keys/export'),
    await page.get('/api/roles'),
    await page.get('/api/no/such'),
    await page.send('PUT', '/api/session', {}),
    await page.send('POST', '/keys', {}),
  ])
    expect(answer.headers['cache-control']).toBe('no-store')
})

test.each([
  ['/api/session', 'PATCH', 'GET, POST, DELETE'],
  ['/keys', 'POST', 'GET'],
  [`/assets/${script}`, 'DELETE', 'GET'],
] as const)('%s does not know %s', async (path, method, allowed) => {
  const answer = await browser().send(method, path)
  expect(answer).toMatchObject({ status: 405, body: { code: 'METHOD_NOT_ALLOWED' } })
  expect(answer.headers['allow']).toBe(allowed)
})

test('HEAD is answered as GET, without a body', async () => {
  for (const path of ['', `/assets/${script}`, '/api/session']) {
    const request = new Request(`https://console.example/admin${path}`, { method: 'HEAD' })
    const response = await routes.GET(request)
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('')
  }
})
