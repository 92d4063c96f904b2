import { readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { commandsOf } from '../docs/session.js'
import { blocks, blocksOf, read } from '../docs/markdown.js'
import { run } from '../support/child.js'
import { useAddon } from '../support/use-addon.js'
import { environmentFor, jwtSecret, send } from '../support/example-app.js'
import type { Server } from '../support/example-server.js'
import { useConsumers, type Consumer } from './support/consumer.js'
import { build, configOf, serveStandalone, writeRoute } from './support/next-app.js'

const MINUTES = 60_000
const DOCKER = 'docs/deploy/docker.md'
/** The setting that copies the command line, where Next.js 14 expects it. */
const TRACED = / outputFileTracingIncludes: .*\n/.exec(blocks(read(DOCKER), 'js')[0]!)![0]
const consumer = useConsumers()
const database = useAddon({ jwtSecret })
let app: Consumer
let server: Server | undefined

beforeAll(async () => {
  app = consumer('examples/nextjs')
  const manifest = readFileSync(path.join(app.folder, 'package.json'), 'utf8')
  app.write('package.json', manifest.replace('file:../..', '*'))
  app.write('next.config.mjs', configOf(14).replace('experimental: {', `experimental: {${TRACED}`))
  writeRoute(app, 14, 'app/api/hello/route.ts')
  await app.install()
  await build(app)
}, 10 * MINUTES)
afterAll(() => server?.stop())

test('the example, with the package from npm, is served by its standalone output', async () => {
  const { token } = await addon.createAdminToken({ name: 'Tests', permissions: ['*'] })
  server = await serveStandalone(app, environmentFor(database.url()))
  const headers = { 'x-admin-token': token }
  const body = JSON.stringify({ name: 'Search', clientId: 'acme' })
  const made = await send(`${server.url}/api/keys`, { method: 'POST', headers, body })
  expect(made.status).toBe(201)
  const used = await send(`${server.url}/api/search`, { headers: { 'x-api-key': made.body.key } })
  expect(used).toMatchObject({ status: 200, body: { clientId: 'acme', keyName: 'Search' } })
  const refused = await send(`${server.url}/api/search`, { headers: { 'x-api-key': 'no key' } })
  expect(refused.status).toBe(401)
})

test('the command line is in the standalone output', async () => {
  const commands = blocksOf(DOCKER)
    .filter(({ language }) => language === 'bash')
    .flatMap(commandsOf)
  expect(commands.length).toBeGreaterThan(1)
  const env = { DATABASE_URL: database.url(), JWT_SECRET: jwtSecret }
  for (const { text } of commands) {
    const done = await run([process.execPath, ...text.split(' ').slice(1)], {
      cwd: `${app.folder}-standalone`,
      env,
    })
    expect([text, done.code], done.stdout + done.stderr).toEqual([text, 0])
  }
})

test('the quick start does what it says', async () => {
  const { key } = await addon.createApiKey({
    name: 'Search',
    clientId: 'acme',
    scopes: ['docs:read'],
    rateLimit: 100,
  })
  const hello = `${server!.url}/api/hello`
  const said = await send(hello, { headers: { 'x-api-key': key } })
  expect(said).toMatchObject({ status: 200, body: { hello: 'acme' } })
  const { status, body } = await send(hello)
  expect(status).toBe(401)
  for (const answer of [said.body, body]) {
    expect(read('docs/quick-start/nextjs.md')).toContain(`# => ${JSON.stringify(answer)}\n`)
  }
})
