import { afterEach, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { runScript } from '../support/child.js'
import { thrownBy } from '../support/faults.js'
import { HOST, next } from '../support/next.js'

const { clientIp } = next
const { close, configure } = addon

afterEach(() => close())

function ip(...lines: string[]): string | null {
  const request = new Request(HOST)
  for (const line of lines) request.headers.append('x-forwarded-for', line)
  return clientIp(request)
}

test('nothing is declared: unknown, whatever the client claims', () => {
  configure({})
  for (const line of ['10.1.2.3', '203.0.113.7', '127.0.0.1', '::1', ''])
    expect(ip(line)).toBeNull()
  expect(ip()).toBeNull()
  const headers = { forwarded: 'for=10.1.2.3', 'x-real-ip': '10.1.2.3', 'cf-connecting-ip': '::1' }
  expect(clientIp(new Request(HOST, { headers }))).toBeNull()
})

test('proxies are declared by their addresses', () => {
  configure({ trustedProxies: ['10.0.0.0/8', 'fd00::/8'] })
  expect(ip('203.0.113.7')).toBe('203.0.113.7')
  expect(ip('10.9.9.9, 203.0.113.7, 10.0.0.1')).toBe('203.0.113.7')
  expect(ip('10.9.9.9', '203.0.113.7:4711, fd00::1', '[fd00::2]:80')).toBe('203.0.113.7')
  expect(ip('203.0.113.7, junk, 10.0.0.1')).toBeNull()
  expect(ip('10.0.0.1')).toBeNull()
  expect(ip()).toBeNull()
})

test('proxies are declared by their number', () => {
  configure({ trustedHops: 2 })
  expect(ip('6.6.6.6, 203.0.113.7, 198.51.100.1')).toBe('203.0.113.7')
  expect(ip('6.6.6.6', '2001:DB8::7', '198.51.100.1')).toBe('2001:db8::7')
  expect(ip('203.0.113.7')).toBeNull()
  for (const line of ['1.2.3.4, no address', '1.2.3.4,', '1.2.3.4, unknown', '1.2.3.4, 10.0.0.256'])
    expect(ip(line)).toBeNull()
  expect(ip('no address, 203.0.113.7, 198.51.100.1')).toBe('203.0.113.7')
})

test('another declaration counts from the next configure() on', async () => {
  configure({ trustedHops: 1 })
  expect(ip('203.0.113.7, 198.51.100.1')).toBe('198.51.100.1')
  await close()
  configure({ trustedHops: 2 })
  expect(ip('203.0.113.7, 198.51.100.1')).toBe('203.0.113.7')
})

test('headers of other kinds do, and what is no text is unknown', () => {
  configure({ trustedHops: 1 })
  const of = (value: unknown) => clientIp({ headers: { get: () => value } } as never)
  expect(of('203.0.113.7')).toBe('203.0.113.7')
  expect(of(['203.0.113.7', '198.51.100.1'])).toBe('198.51.100.1')
  for (const value of [undefined, null, 5, {}, [], ['203.0.113.7', 5], [null], '\ud800'])
    expect(of(value)).toBeNull()
  expect(of(`203.0.113.7, ${'1'.repeat(1_000_000)}`)).toBeNull()
})

describe('a wrong declaration', () => {
  test('is refused by configure(), with its name', () => {
    const table: [object, string][] = [
      [{ trustedProxies: ['nginx'] }, 'trustedProxies (API_KEYS_TRUSTED_PROXIES)'],
      [{ trustedProxies: ['::/0'] }, 'must not contain networks wider than'],
      [{ trustedProxies: '10.0.0.1' }, 'must be an array of strings'],
      [{ trustedHops: 0 }, 'trustedHops (API_KEYS_TRUSTED_HOPS)'],
      [{ trustedHops: '1' }, 'trustedHops (API_KEYS_TRUSTED_HOPS)'],
      [{ trustedHops: 1, trustedProxies: ['10.0.0.1'] }, 'must not be combined with trustedHops'],
    ]
    for (const [options, problem] of table) {
      const fault = thrownBy(() => configure(options as never))
      expect(fault).toMatchObject({ code: 'CONFIGURATION', status: 500 })
      expect(fault.message).toContain(problem)
    }
  })

  test('in the environment is a fault, of clientIp and of every call', async () => {
    const env = { API_KEYS_TRUSTED_PROXIES: '10.0.0.1', API_KEYS_TRUSTED_HOPS: '1' }
    const child = await runScript(
      `const { clientIp } = require('@sophra/api-keys/next')
       try { clientIp(new Request('http://localhost/')) } catch (fault) {
         report([fault instanceof Error, fault.name, fault.code, fault.status, fault.message])
       }
       await api.listApiKeys().catch(({ message }) => report(message))`,
      { env },
    )
    const problem = expect.stringContaining('trustedProxies (API_KEYS_TRUSTED_PROXIES) must not')
    expect(child).toMatchObject({
      code: 0,
      reports: [[true, 'ApiKeyError', 'CONFIGURATION', 500, problem], problem],
    })
  })
})

test('the environment is read before the service is started, and nothing is started', async () => {
  const child = await runScript(
    `const { clientIp } = require('@sophra/api-keys/next')
     const headers = { 'x-forwarded-for': '6.6.6.6, 203.0.113.7, 10.0.0.1' }
     report(clientIp(new Request('http://localhost/', { headers })))`,
    { env: { API_KEYS_TRUSTED_PROXIES: '10.0.0.0/8, ::1' } },
  )
  expect(child).toEqual({
    code: 0,
    signal: null,
    stdout: '',
    stderr: '',
    reports: ['203.0.113.7'],
  })
})

test('the subpath exports exactly what is documented, by require and by import', async () => {
  const forAdmins = [
    ...['apiKeyRoutes', 'revocationRoutes', 'clientRoutes', 'quotaRoutes'],
    ...['usageRoutes', 'usageExportRoutes', 'webhookRoutes', 'deliveryRoutes', 'adminTokenRoutes'],
  ]
  const names = [
    ...forAdmins,
    'presentedKeyRoutes',
    'clientKeyRoutes',
    'jwksRoutes',
    'revokedKeysRoutes',
    'roleRoutes',
    'leakRoutes',
    'clientIp',
    'withAdminAuth',
    'withApiKey',
  ].sort()
  expect(Object.keys(next).sort()).toEqual(names)
  const imported = (await import('@sophra/api-keys/next')) as object
  const named = Object.keys(imported).filter((name) => !/^(default|module\.exports)$/.test(name))
  expect(named.sort()).toEqual(names)
})
