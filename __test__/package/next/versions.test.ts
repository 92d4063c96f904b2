import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { serve, type Server } from '../../http/server.js'
import { freshDatabase, type Database } from '../../support/database.js'
import { eventually } from '../../support/eventually.js'
import { useConsumers, type Consumer } from '../support/consumer.js'
import { build, configOf, serveStandalone } from '../support/next-app.js'

const consumer = useConsumers()
const MINUTES = 60_000

/** An app as the README tells to write it. */
function write(app: Consumer, major: number): void {
  const dependencies = {
    '@sophra/api-keys': '*',
    next: String(major),
    react: '*',
    'react-dom': '*',
  }
  app.write('package.json', JSON.stringify({ private: true, dependencies }))
  app.write('next.config.mjs', configOf(major))
  app.write(
    'app/layout.js',
    'export default ({ children }) => <html><body>{children}</body></html>',
  )
  app.write('app/page.js', 'export default () => <p>hello</p>')
  app.write('app/api/issue/route.js', ISSUE)
  app.write('app/api/search/route.js', searchSaying('hello'))
}

const ISSUE = `
  import { createApiKey } from '@sophra/api-keys'
  export const runtime = 'nodejs'
  export const dynamic = 'force-dynamic'
  export const POST = async () => Response.json(await createApiKey({ name: 'Next', clientId: 'acme' }))`

const searchSaying = (word: string): string => `
  import { withApiKey } from '@sophra/api-keys/next'
  export const runtime = 'nodejs'
  export const dynamic = 'force-dynamic'
  export const GET = withApiKey((_request, { apiKey }) =>
    Response.json({ clientId: apiKey.clientId, says: '${word}' }))`

describe.each([15, 16])('Next.js %i', (major) => {
  let app: Consumer
  let database: Database
  let server: Server | undefined

  beforeAll(async () => {
    database = await freshDatabase()
    app = consumer()
    write(app, major)
    await app.install()
  })
  afterAll(async () => {
    await server?.stop()
    await database.drop()
  })

  const ask = async (route: string, init: RequestInit) => {
    const response = await fetch(`${server!.url}/api/${route}`, init)
    return { status: response.status, body: (await response.json()) as Record<string, string> }
  }
  const search = (key: string) => ask('search', { headers: { 'x-api-key': key } })
  const issue = async () => (await ask('issue', { method: 'POST' })).body.key!
  const next =
    (...args: string[]) =>
    (port: string) => [
      `${app.folder}/node_modules/next/dist/bin/next`,
      ...args,
      '-H',
      '127.0.0.1',
      '-p',
      port,
    ]

  test('in development, also after a route has changed', async () => {
    server = await serve(next('dev'), app.folder, {
      DATABASE_URL: database.url,
      NODE_ENV: 'development',
    })
    const key = await issue()
    expect(await search(key)).toMatchObject({ status: 200, body: { says: 'hello' } })
    app.write('app/api/search/route.js', searchSaying('welcome'))
    await eventually(
      async () =>
        expect(await search(key)).toMatchObject({ status: 200, body: { says: 'welcome' } }),
      2 * MINUTES,
    )
    expect((await search('no key')).status).toBe(401)
    await server.stop()
  })

  test('built, by its standalone output', async () => {
    await build(app)
    server = await serveStandalone(app, { DATABASE_URL: database.url })
    expect(await search(await issue())).toMatchObject({ status: 200, body: { clientId: 'acme' } })
    expect((await search('no key')).status).toBe(401)
  })
})
