import { readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { ModuleKind, ScriptTarget, transpile } from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fileOf } from '../../docs/markdown.js'
import { serve, type Server } from '../../support/example-server.js'
import { useConsumers, type Consumer } from '../support/consumer.js'
import { build, configOf, expectConsole, serveStandalone } from '../support/next-app.js'
import { useNodes } from '../support/nodes.js'
import { freshDatabase, type Database } from '../../support/database.js'
import { eventually } from '../../support/eventually.js'

const consumer = useConsumers()
const nodeOf = useNodes('18', 'latest')
const MINUTES = 60_000

/** An app with the configuration of the quick start. */
function write(app: Consumer, major: number): void {
  const react = major === 14 ? '18' : '19'
  const dependencies = {
    '@sophra/api-keys': '*',
    next: String(major),
    react,
    'react-dom': react,
  }
  app.write('package.json', JSON.stringify({ private: true, dependencies }))
  app.write('next.config.mjs', configOf(major))
  app.write(
    'app/layout.js',
    'export default ({ children }) => <html><body>{children}</body></html>',
  )
  app.write('app/page.js', 'export default () => <p>hello</p>')
  app.write('app/api/issue/route.js', ISSUE)
  app.write('app/admin/[[...path]]/route.js', CONSOLE)
  writeAction(app)
  // Next.js 14 has no `after`.
  if (major > 14)
    app.write(
      'app/api/hello/route.js',
      fileOf('docs/deploy/serverless.md', 'app/api/hello/route.ts'),
    )
}

/** The Server Action of the documentation, and a page that uses it. */
function writeAction(app: Consumer): void {
  for (const file of ['lib/with-key.ts', 'app/press/actions.ts'])
    // Without the types, for which a build would install TypeScript.
    app.write(
      file.replace('.ts', '.js'),
      transpile(fileOf('docs/guides/servers.md', file), {
        target: ScriptTarget.ES2022,
        module: ModuleKind.ESNext,
      }),
    )
  app.write('app/press/page.js', PRESS)
}

const PRESS = `
  import { publish } from './actions'
  export default () => <form action={publish.bind(null, 'Page')}><button>Publish</button></form>`

const ISSUE = `
  import { createApiKey } from '@sophra/api-keys'
  export const runtime = 'nodejs'
  export const dynamic = 'force-dynamic'
  export const POST = async () =>
    Response.json(await createApiKey({ name: 'Next', clientId: 'acme', scopes: ['docs:write'] }))`

const CONSOLE = `
  import { consoleRoutes } from '@sophra/api-keys/console'
  export const runtime = 'nodejs'
  export const dynamic = 'force-dynamic'
  export const { GET, POST, PUT, PATCH, DELETE } = consoleRoutes()`

const searchSaying = (word: string): string => `
  import { withApiKey } from '@sophra/api-keys/next'
  export const runtime = 'nodejs'
  export const dynamic = 'force-dynamic'
  export const GET = withApiKey((_request, { apiKey }) =>
    Response.json({ clientId: apiKey.clientId, says: '${word}' }))`

/** Next.js 16 does not run on Node.js 18. */
const ALL = [
  { major: 14, nodes: ['this', '18', 'latest'] },
  { major: 15, nodes: ['this', '18', 'latest'] },
  { major: 16, nodes: ['this', 'latest'] },
]
/** Each version of either once; `npm run consumers -- --all` tests all combinations. */
const SHORT = [
  { major: 14, nodes: ['18'] },
  { major: 15, nodes: ['this'] },
  { major: 16, nodes: ['latest'] },
]
const VERSIONS = process.env.TEST_ALL_CONSUMERS ? ALL : SHORT

describe.each(VERSIONS)('Next.js $major', ({ major, nodes }) => {
  let installed: Consumer
  let database: Database

  beforeAll(async () => {
    database = await freshDatabase()
    installed = consumer()
    write(installed, major)
    await installed.install()
  })
  afterAll(() => database.drop())

  describe.each(nodes)('on Node.js %s', (version) => {
    let app: Consumer
    let server: Server | undefined

    beforeAll(() => {
      app = installed.with(version === 'this' ? process.execPath : nodeOf(version))
      rmSync(path.join(app.folder, '.next'), { recursive: true, force: true })
      app.write('app/api/search/route.js', searchSaying('hello'))
    })
    afterAll(() => server?.stop())

    const ask = async (route: string, init: RequestInit) => {
      const response = await fetch(`${server!.url}/api/${route}`, init)
      return { status: response.status, body: (await response.json()) as Record<string, string> }
    }
    const search = (key: string) => ask('search', { headers: { 'x-api-key': key } })
    const issue = async () => (await ask('issue', { method: 'POST' })).body.key!
    const next = (command: string, env: Record<string, string> = {}) => {
      const args = (port: string) => [command, '-H', '127.0.0.1', '-p', port]
      return serve(
        (port) => [`${app.folder}/node_modules/next/dist/bin/next`, ...args(port)],
        app.folder,
        { DATABASE_URL: database.url, ...env },
        app.executable,
      )
    }
    const expectService = async () => {
      expect(await search(await issue())).toMatchObject({
        status: 200,
        body: { clientId: 'acme', says: 'hello' },
      })
      expect((await search('no key')).status).toBe(401)
      await expectConsole(server!.url)
      await server!.stop()
    }

    test('in development, also after a route has changed', async () => {
      server = await next('dev', { NODE_ENV: 'development' })
      const key = await issue()
      expect(await search(key)).toMatchObject({ status: 200, body: { says: 'hello' } })
      app.write('app/api/search/route.js', searchSaying('welcome'))
      await eventually(
        async () =>
          expect(await search(key)).toMatchObject({ status: 200, body: { says: 'welcome' } }),
        2 * MINUTES,
      )
      app.write('app/api/search/route.js', searchSaying('hello'))
      await server.stop()
    })

    test('built and started', async () => {
      await build(app)
      server = await next('start')
      await expectService()
    })

    test('a Server Action verifies the key in the headers', async () => {
      server = await next('start')
      const file = path.join(app.folder, '.next/server/server-reference-manifest.json')
      const [action] = Object.keys(JSON.parse(readFileSync(file, 'utf8')).node)
      const publish = async (headers: Record<string, string>): Promise<unknown> => {
        const response = await fetch(`${server!.url}/press`, {
          method: 'POST',
          headers: { 'next-action': action!, accept: 'text/x-component', ...headers },
          body: JSON.stringify(['News']),
        })
        expect(response.status).toBe(200)
        // What the action has returned is a row of the answer.
        const [, answer] = /^1:({.*})$/m.exec(await response.text())!
        return JSON.parse(answer!)
      }
      const key = await issue()
      expect(await publish({ 'x-api-key': key })).toEqual({ title: 'News', publishedBy: 'acme' })
      expect(await publish({ 'x-api-key': 'no key' })).toMatchObject({ code: 'INVALID_KEY' })
      expect(await publish({})).toMatchObject({ code: 'MISSING_KEY' })
      await server.stop()
    })

    test.runIf(major > 14)('uses are stored after the response', async () => {
      // Nothing else stores them in time.
      server = await next('start', { API_KEYS_FLUSH_INTERVAL_MS: '3600000' })
      const key = await issue()
      const headers = { 'x-api-key': key }
      expect(await ask('hello', { headers })).toEqual({ status: 200, body: { hello: 'acme' } })
      await eventually(async () => {
        const [row] = await database.sql(
          `SELECT "usageCount"::int AS uses FROM "ApiKey" WHERE "lookup" = $1`,
          [key.split('_')[2]],
        )
        expect(row).toEqual({ uses: 1 })
      })
      await server.stop()
    })

    test('by its standalone output', async () => {
      server = await serveStandalone(app, { DATABASE_URL: database.url })
      await expectService()
    })
  })
})
