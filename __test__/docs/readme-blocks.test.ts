import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { root, run } from '../support/child.js'
import { freshDatabase, type Database } from '../support/database.js'
import { samples } from '../support/prometheus.js'
import { blocks, chapter, read } from './markdown.js'

// What the README shows beside the API by example, the quick start, the tour and the Prisma model, which have tests of
// their own.

const readme = read('README.md')
const jwtSecret = 'the JWT secret of the README, of 32 bytes or more'

let database: Database
beforeEach(async () => {
  database = await freshDatabase()
  addon.configure({ databaseUrl: database.url, jwtSecret, ...cheapHashing })
  await addon.migrate()
})
afterEach(async () => {
  await addon.close()
  await database.drop()
})

/**
 * Where each is tried. Not run by any test: `npm start` itself, and `prisma migrate deploy`, which downloads an engine; of
 * that one the SQL is. What is added here needs a test as well.
 */
const OTHERS = [
  ['sh', 'npm start   # builds everything, starts a Postgres, serves the example app', undefined],
  ['sh', "curl 'http://localhost:3000/api/search?q=shoes'", '__test__/http/tour.test.ts'],
  ['sh', 'npm install @sophra/api-keys', '__test__/package/programs.test.ts'],
  ['js', 'export default {', '__test__/package/next-14.test.ts'],
  ['sh', 'npx sophra-api-keys migrate', '__test__/cli/installed.test.ts'],
  ['js', "import { createServer } from 'node:http'", '__test__/cli/installed.test.ts'],
  ['sh', 'curl -H "x-api-key: $(cat key.txt)"', '__test__/cli/installed.test.ts'],
  ['js', 'export const GET = withAdminAuth(', '__test__/docs/readme-blocks.test.ts'],
  ['', 'sophra_(live|test)_', '__test__/http/keys.test.ts'],
  ['sql', "SELECT encode(key, 'base64')", '__test__/docs/readme-blocks.test.ts'],
  ['sh', 'npx sophra-api-keys migrate', '__test__/cli/migrate.test.ts'],
  ['prisma', 'model ApiKey {', '__test__/prisma/prisma.test.ts'],
  ['sh', 'mkdir -p prisma/migrations', '__test__/cli/migrate.test.ts'],
  ['sql', 'SELECT "id", "name", "clientId"', '__test__/docs/readme-blocks.test.ts'],
] as const

test('no example is overlooked', () => {
  const all = [...readme.matchAll(/^```(\w*)\n(.*?)^```$/gms)]
  const others = all.filter(([, language]) => language !== 'ts')
  expect(others).toHaveLength(OTHERS.length)
  for (const [n, [language, beginning, file]] of OTHERS.entries()) {
    if (file) expect(existsSync(join(root, file)), file).toBe(true)
    expect(others[n]![1]).toBe(language)
    expect(others[n]![2]!.slice(0, beginning.length)).toBe(beginning)
  }
})

test('the route of the metrics answers who may read them', async () => {
  const [route] = blocks(chapter(readme, 'The API by example'), 'js')
  const source = `
    import { createAdminToken, close, metrics } from '@sophra/api-keys'
    import { withAdminAuth } from '@sophra/api-keys/next'
    import { writeSync } from 'node:fs'
    ${route}
    const { token } = await createAdminToken({ name: 'Prometheus', permissions: ['metrics:read'] })
    for (const headers of [{}, { 'x-admin-token': token }]) {
      const { status, headers: told, body } = await GET(new Request('http://localhost/', { headers }))
      const text = await new Response(body).text()
      writeSync(3, JSON.stringify({ status, type: told.get('content-type'), text }) + '\\n')
    }
    await close()`
  const child = await run([process.execPath, '--input-type=module', '--eval', source], {
    env: { DATABASE_URL: database.url, JWT_SECRET: jwtSecret },
  })
  expect(child.code, child.stderr).toBe(0)
  const [stranger, prometheus] = child.reports as { status: number; type: string; text: string }[]
  expect(stranger!.status).toBe(401)
  expect(prometheus).toMatchObject({
    status: 200,
    type: 'text/plain; version=0.0.4; charset=utf-8',
  })
  expect(samples(prometheus!.text).get('sophra_api_key_database_up')).toBe(1)
})

describe('the statements', () => {
  const statement = (about: string): string =>
    blocks(readme, 'sql').find((text) => text.includes(about))!

  test('are these', () => {
    expect(blocks(readme, 'sql')).toEqual([statement('signing_keys'), statement('IS NULL AND')])
  })

  test('move the signing key from the database to the environment', async () => {
    const { key } = await addon.createApiKey({ name: 'n', clientId: 'c' })
    const [row] = await database.sql(statement('signing_keys'))
    const [signingKey] = Object.values(row!) as string[]
    await database.sql('TRUNCATE sophra_api_keys.signing_keys')
    await addon.close()
    addon.configure({ databaseUrl: database.url, signingKeys: [signingKey!], ...cheapHashing })
    expect(await addon.verifyApiKey(key)).toMatchObject({ valid: true })
  })

  test('list the old keys that are not valid here', async () => {
    const keys = ['too short', 'k'.repeat(43), `${'k'.repeat(42)}é`, 'k'.repeat(256)]
    for (const [n, key] of keys.entries()) {
      await database.sql(
        `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "updatedAt") VALUES ($1, $2, 'c', 'n', now())`,
        [`old-${n}`, key],
      )
    }
    await addon.createApiKey({ name: 'ours', clientId: 'c' })
    const listed = (await database.sql(statement('IS NULL AND'))).map(({ id }) => id as string)
    expect(listed.sort()).toEqual(['old-0', 'old-2', 'old-3'])
    for (const [n, key] of keys.entries()) {
      expect((await addon.verifyApiKey(key)).valid).toBe(!listed.includes(`old-${n}`))
    }
  })
})
