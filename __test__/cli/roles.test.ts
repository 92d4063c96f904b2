import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshDatabase, type Database } from '../support/database.js'
import { cli, json } from './cli.js'

let database: Database
let env: Record<string, string>
beforeAll(async () => {
  database = await freshDatabase()
  env = { DATABASE_URL: database.url, API_KEYS_STATEMENT_TIMEOUT_MS: '10000' }
})
afterAll(() => database.drop())

const run = (...args: string[]) => cli(['roles', ...args], { env })
const program = (...args: string[]) => json(['roles', ...args], { env })

test('a role is set, given to a key, listed and deleted', async () => {
  const nothing = await run('list')
  expect(nothing.stdout + nothing.stderr).toContain('There are no roles.')
  const role = { name: 'editor', scopes: ['docs:read', 'docs:write'] }
  expect(await program('set', 'editor', '--scope', 'docs:read', '--scope', 'docs:write')).toEqual(
    role,
  )
  expect((await run('set', 'none', '--no-scopes')).stdout).toMatch(/^name +none$/m)
  expect((await run('list')).stdout).toMatch(/^editor +docs:read, docs:write$/m)
  expect(await program('list')).toEqual([role, { name: 'none', scopes: [] }])
  const key = ['keys', 'create', '--name', 'n', '--client', 'c', '--role', 'editor']
  const { id, roles } = await json(key, { env })
  expect(roles).toEqual(['editor'])
  const used = await run('delete', 'editor', '--yes')
  expect(used).toMatchObject({ code: 1 })
  expect(used.stderr).toContain('used by keys')
  expect((await json(['keys', 'update', id, '--clear', 'role'], { env })).roles).toEqual([])
  expect(await program('delete', 'editor', '--yes')).toEqual({ name: 'editor', deleted: true })
  expect(await run('delete', 'editor', '--yes')).toMatchObject({ code: 1 })
  const rows = await database.sql(
    `SELECT event ->> 'actor' AS actor FROM sophra_api_keys.audit WHERE type LIKE 'role.%'`,
  )
  expect(rows).toHaveLength(3)
  for (const { actor } of rows) expect(actor).toMatch(/^command line/)
})

test.each([[['set', 'x']], [['set', 'x', '--scope', 'a', '--no-scopes']]])(
  '%j says what is missing',
  async (args) => {
    const { code, stderr } = await run(...args)
    expect(code).toBe(2)
    expect(stderr).toContain('Give either --scope or --no-scopes')
  },
)

test('the command line knows the catalogue, and doctor finds what is not in it', async () => {
  await program('set', 'old', '--scope', 'gone:read')
  const withCatalogue = { ...env, API_KEYS_SCOPES: '{"docs:read": {}, "docs:write": {}}' }
  const key = ['keys', 'create', '--name', 'n', '--client', 'c', '--scope']
  const refused = await cli([...key, 'doc:read'], { env: withCatalogue })
  expect(refused).toMatchObject({ code: expect.any(Number), stdout: '' })
  expect(refused.stderr).toContain('must be in the catalogue of scopes')
  const finding = async () =>
    (await json(['doctor'], { env: withCatalogue })).find(
      ({ check }: { check: string }) => check === 'scopes',
    )
  expect(await finding()).toMatchObject({
    status: 'warning',
    message: expect.stringMatching(/gone:read/),
  })
  await program('set', 'old', '--scope', 'docs:*')
  expect(await finding()).toMatchObject({ status: 'ok' })
  const bad = await cli(['health'], { env: { ...env, API_KEYS_SCOPES: '{' } })
  expect(bad.stdout + bad.stderr).toContain('API_KEYS_SCOPES')
})
