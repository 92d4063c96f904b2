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

const run = (...args: string[]) => cli(['webhooks', ...args], { env })
const program = (...args: string[]) => json(['webhooks', ...args], { env })
const url = 'https://example.com/hook'

test('a webhook is made, changed, listed and deleted', async () => {
  const nothing = await run('list')
  expect(nothing).toMatchObject({ code: 0 })
  expect(nothing.stdout + nothing.stderr).toContain('There are no webhooks.')
  const made = await run('set', '--url', url, '--type', 'key.revoked', '--type', 'key.suspended')
  expect(made.code).toBe(0)
  expect(made.stdout).toMatch(/^types +key\.revoked, key\.suspended$/m)
  expect(made.stdout).toMatch(/^secret +whsec_\S+$/m)
  expect(made.stdout + made.stderr).toContain('it is not shown again')
  const id = /^id +(\S+)$/m.exec(made.stdout)?.[1] ?? ''
  expect(await program('set', '--id', id, '--disable', '--all-types')).toMatchObject({
    id,
    isActive: false,
    types: null,
  })
  expect((await program('set', '--id', id, '--rotate-secret')).secret).toMatch(/^whsec_/)
  expect(await program('set', '--id', id, '--enable')).toMatchObject({ isActive: true, url })
  expect((await run('list')).stdout).toMatch(new RegExp(`^${id} +active +all +${url}$`, 'm'))
  expect(await program('list')).toHaveLength(1)
  expect(await program('delete', id, '--yes')).toEqual({ id, deleted: true })
  expect(await run('delete', id, '--yes')).toMatchObject({ code: 1 })
})

test('deliveries are listed and repeated', async () => {
  const { id } = await program('set', '--url', url)
  await json(['keys', 'create', '--name', 'Search', '--client', 'acme'], { env })
  const { deliveries, nextCursor } = await program('deliveries', '--webhook', id)
  expect(nextCursor).toBeNull()
  // Nothing is delivered by a command.
  expect(deliveries).toMatchObject([{ type: 'key.issued', state: 'pending', attempts: 0 }])
  expect((await run('deliveries')).stdout).toMatch(/^\d+ +pending +0 +key\.issued +\S+ +msg_\S+$/m)
  const none = await run('deliveries', '--state', 'dead')
  expect(none.stdout + none.stderr).toContain('There are no such deliveries.')
  expect(await program('redeliver', deliveries[0].id)).toMatchObject({ redelivered: true })
  expect(await run('redeliver', '999999')).toMatchObject({ code: 1 })
})

test('wrong options are named as they are on the command line', async () => {
  const both = await run('set', '--url', url, '--enable', '--disable')
  expect(both).toMatchObject({ code: 2 })
  expect(both.stderr).toContain('--enable and --disable')
  expect((await run('set', '--url', url, '--type', 'x', '--all-types')).stderr).toContain(
    '--all-types',
  )
  expect((await run('set')).stderr).toContain('--url')
  expect((await run('set', '--url', 'http://10.0.0.1/')).stderr).toContain('--url')
  expect((await run('set', '--url', url, '--rotate-secret')).stderr).toContain('--rotate-secret')
  expect((await run('deliveries', '--state', 'lost')).stderr).toContain('--state')
})
