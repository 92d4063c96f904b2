import { createServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { derived, jwks, jwtSecret, revokedKeys } from '../../derived-tokens/support.js'
import { fileOf } from '../../docs/markdown.js'
import { addon } from '../../support/addon.js'
import { eventually } from '../../support/eventually.js'
import { serve, type Server } from '../../support/example-server.js'
import { useAddon } from '../../support/use-addon.js'
import { useConsumers, type Consumer } from '../support/consumer.js'
import { build } from '../support/next-app.js'

// The middleware of the documentation, in the edge runtime of a served app, and a Worker. They have neither a database nor a secret.

useAddon({ jwtSecret })

const consumer = useConsumers()
const ROUTE = `
  export const dynamic = 'force-dynamic'
  export const GET = () => Response.json({ hello: 'you' })`

const EDGE_ROUTE = `
  import { createTokenVerifier } from '@sophra/api-keys/edge'
  export const runtime = 'edge'
  export const dynamic = 'force-dynamic'
  const { verify } = createTokenVerifier({ jwks: process.env.JWKS_URL })
  export async function GET(request) {
    const { valid, code, keyId } = await verify(request.headers.get('x-api-key'))
    return Response.json({ valid, code, keyId, runtime: typeof EdgeRuntime })
  }`

let key: string
let id: string
let issuer: HttpServer
let env: Record<string, string>
beforeAll(async () => {
  ;({ id, key } = await addon.createApiKey({ name: 'Key', clientId: 'c', scopes: ['docs:*'] }))
  issuer = createServer(async (request, response) => {
    const body = request.url === '/jwks' ? await jwks() : { revoked: await revokedKeys() }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`
  env = { JWKS_URL: `${url}/jwks`, REVOKED_URL: `${url}/revoked` }
})
afterAll(() => void issuer.close())

function write(app: Consumer, major: number): void {
  const react = major === 14 ? '18' : '19'
  const dependencies = {
    '@sophra/api-keys': '*',
    next: String(major),
    react,
    'react-dom': react,
  }
  app.write('package.json', JSON.stringify({ private: true, dependencies }))
  app.write(
    'app/layout.js',
    'export default ({ children }) => <html><body>{children}</body></html>',
  )
  app.write('app/page.js', 'export default () => <p>hello</p>')
  app.write('app/api/docs/hello/route.js', ROUTE)
  const middleware = fileOf('docs/guides/derived-tokens.md', 'middleware.ts')
  app.write('app/api/edge/route.js', EDGE_ROUTE)
  // Without the types, for which a build would install TypeScript.
  app.write('middleware.js', middleware.replace(/request: Request\): Promise<[^>]+>/, 'request)'))
}

describe.each([14, 15, 16])('Next.js %i', (major) => {
  let server: Server
  beforeAll(async () => {
    const app = consumer()
    write(app, major)
    await app.install()
    // The addresses are those of the build: the edge runtime has its environment compiled in.
    app.write(
      '.env.production',
      Object.entries(env)
        .map((pair) => pair.join('='))
        .join('\n'),
    )
    await build(app)
    const manifest = readFileSync(
      path.join(app.folder, '.next/server/middleware-manifest.json'),
      'utf8',
    )
    // What runs in the edge runtime.
    expect(Object.keys(JSON.parse(manifest).middleware)).toEqual(['/'])
    server = await serve(
      (port) => ['node_modules/next/dist/bin/next', 'start', '-H', '127.0.0.1', '-p', port],
      app.folder,
      env,
      app.executable,
    )
  })
  afterAll(() => server?.stop())

  const ask = async (token?: string) => {
    const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {}
    const response = await fetch(`${server.url}/api/docs/hello`, { headers })
    return { status: response.status, body: await response.json() }
  }

  test('lets tokens through at the edge, and refuses others', async () => {
    const token = await derived(key)
    expect(await ask(token)).toEqual({ status: 200, body: { hello: 'you' } })
    expect(await ask()).toMatchObject({ status: 401, body: { code: 'MISSING_KEY' } })
    expect(await ask(`${token.slice(0, -8)}AAAAAAAA`)).toMatchObject({
      status: 401,
      body: { code: 'INVALID_KEY' },
    })
    expect(await ask(await derived(key, { scopes: [] }))).toMatchObject({
      status: 403,
      body: { code: 'INSUFFICIENT_SCOPE' },
    })
    const route = `${server.url}/api/edge`
    const there = await fetch(route, { headers: { 'x-api-key': token } })
    expect(await there.json()).toEqual({ valid: true, code: 'VALID', keyId: id, runtime: 'string' })
    await addon.revokeApiKey({ id })
    await eventually(async () =>
      expect(await ask(token)).toMatchObject({ status: 401, body: { code: 'REVOKED' } }),
    )
    await addon.restoreApiKey(id)
    await eventually(async () => expect((await ask(token)).status).toBe(200))
  })
})

/** A Worker of Cloudflare, in their runtime. */
const WORKER = `
  import edge from './edge.js'
  let verifier
  export default {
    async fetch(request, { JWKS_URL, REVOKED_URL }) {
      verifier ??= edge.createTokenVerifier({ jwks: JWKS_URL, revoked: REVOKED_URL })
      const token = request.headers.get('x-api-key')
      const { valid, code, keyId } = await verifier.verify(token, { scopes: ['docs:read'] })
      return Response.json({ valid, code, keyId, runtime: navigator.userAgent })
    },
  }`

/** Asks the Worker with each of the tokens. */
const PROGRAM = `
  import { readFileSync } from 'node:fs'
  import { createRequire } from 'node:module'
  import { Miniflare } from 'miniflare'

  const edge = createRequire(import.meta.url).resolve('@sophra/api-keys/edge')
  const { JWKS_URL, REVOKED_URL, TOKENS } = process.env
  const miniflare = new Miniflare({
    compatibilityDate: '2025-01-01',
    bindings: { JWKS_URL, REVOKED_URL },
    modules: [
      { type: 'ESModule', path: 'worker.mjs', contents: readFileSync('worker.mjs', 'utf8') },
      { type: 'CommonJS', path: 'edge.js', contents: readFileSync(edge, 'utf8') },
    ],
  })
  const answers = []
  for (const token of JSON.parse(TOKENS)) {
    const headers = { 'x-api-key': token }
    answers.push(await (await miniflare.dispatchFetch('http://localhost/', { headers })).json())
  }
  console.log(JSON.stringify(answers))
  await miniflare.dispose()`

test('a Worker verifies tokens, in workerd', async () => {
  const app = consumer()
  app.write('package.json', '{ "private": true }')
  app.write('worker.mjs', WORKER)
  app.write('program.mjs', PROGRAM)
  await app.install('@sophra/api-keys', 'miniflare')
  const other = await addon.createApiKey({ name: 'Key', clientId: 'c', scopes: ['docs:*'] })
  const [token, revoked] = [await derived(key), await derived(other.key)]
  await addon.revokeApiKey({ id: other.id })
  await eventually(async () => expect(await revokedKeys()).toContain(other.id))
  const tokens = [
    token,
    `${token.slice(0, -8)}AAAAAAAA`,
    await derived(key, { scopes: [] }),
    revoked,
  ]
  const ended = await app.node(['program.mjs'], { ...env, TOKENS: JSON.stringify(tokens) })
  expect(ended.code, ended.stderr).toBe(0)
  const runtime = 'Cloudflare-Workers'
  expect(JSON.parse(ended.stdout)).toEqual([
    { valid: true, code: 'VALID', keyId: id, runtime },
    { valid: false, code: 'INVALID_KEY', runtime },
    { valid: false, code: 'INSUFFICIENT_SCOPE', keyId: id, runtime },
    { valid: false, code: 'REVOKED', keyId: other.id, runtime },
  ])
})
