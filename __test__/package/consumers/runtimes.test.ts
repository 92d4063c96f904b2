import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshDatabase, type Database } from '../../support/database.js'
import { useConsumers, type Consumer } from '../support/consumer.js'
import { JWT_SECRET } from '../support/programs.js'

// The package in Bun and in Deno, which both load addons of Node-API.

const consumer = useConsumers()
let app: Consumer
let database: Database

const PROGRAM = `
  import { createServer } from 'node:http'
  import { close, createApiKey, deriveToken, verifyApiKey } from '@sophra/api-keys'
  import { createTokenVerifier } from '@sophra/api-keys/edge'
  import { jwksRoutes } from '@sophra/api-keys/next'
  import { withApiKey } from '@sophra/api-keys/node'

  const { key } = await createApiKey({ name: 'Program', clientId: 'acme', allowedIps: ['127.0.0.1'] })
  const verified = await verifyApiKey(key, { ip: '127.0.0.1' })
  console.log(verified.code)

  const { token } = await deriveToken(verified)
  const jwks = await (await jwksRoutes().GET(new Request('http://localhost/'))).json()
  const { verify } = createTokenVerifier({ jwks })
  const forged = token.slice(0, -8) + 'AAAAAAAA'
  console.log((await verify(token)).code, (await verify(forged)).code)

  const server = createServer(
    withApiKey((request, response) => response.end('Hello ' + request.apiKey.clientId)),
  )
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = 'http://127.0.0.1:' + server.address().port
  const found = await fetch(url, { headers: { 'x-api-key': key } })
  console.log(found.status, await found.text())
  const refused = await fetch(url)
  console.log(refused.status, (await refused.json()).code)
  server.close()
  await close()`

beforeAll(async () => {
  database = await freshDatabase()
  app = consumer()
  app.write('package.json', '{ "private": true }')
  app.write('program.mjs', PROGRAM)
  await app.install('@sophra/api-keys', 'bun', 'deno')
})
afterAll(() => database.drop())

test.each([
  ['bun', ['program.mjs']],
  ['deno', ['run', '--allow-all', 'program.mjs']],
])('%s loads the package, verifies, and guards a server', async (name, args) => {
  const runtime = app.with(path.join(app.folder, 'node_modules/.bin', name))
  const { stdout } = await runtime.node(['--version'])
  console.log(`${name}: ${stdout.trim()}`)
  const ended = await runtime.node(args, { DATABASE_URL: database.url, JWT_SECRET })
  expect(ended, ended.stderr).toMatchObject({
    code: 0,
    stdout: 'VALID\nVALID INVALID_KEY\n200 Hello acme\n401 MISSING_KEY\n',
  })
})
