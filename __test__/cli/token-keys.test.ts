import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshDatabase, type Database } from '../support/database.js'
import { cli, json } from './cli.js'

let database: Database
let env: Record<string, string>
const JWT_SECRET = 'a secret of this test, of 32 bytes or more'
beforeAll(async () => {
  database = await freshDatabase()
  env = { DATABASE_URL: database.url, API_KEYS_STATEMENT_TIMEOUT_MS: '10000', JWT_SECRET }
})
afterAll(() => database.drop())

const run = (...args: string[]) => cli(['token-keys', ...args], { env })

test('token keys are listed and rotated, by whoever is noted in the audit log', async () => {
  const nothing = await run('list')
  expect(nothing).toMatchObject({ code: 0 })
  expect(nothing.stdout + nothing.stderr).toContain('No token was derived from a key yet.')
  const made = await run('rotate')
  expect(made.code).toBe(0)
  const kid = /Signing from now on: (\S+)/.exec(made.stdout + made.stderr)?.[1] ?? ''
  expect(await json(['token-keys', 'list'], { env })).toEqual({
    keys: [expect.objectContaining({ kty: 'OKP', kid })],
  })
  expect((await run('list')).stdout).toMatch(new RegExp(`^${kid} *$`, 'm'))
  expect(await json(['token-keys', 'rotate'], { env })).toEqual({ kid: expect.any(String) })
  const { events } = await json(['audit', '--type', 'token_key.rotated'], { env })
  expect(events).toMatchObject(
    [{ reason: 'rotated', actor: /command line/ }, { kid }].map((it) =>
      'actor' in it ? { ...it, actor: expect.stringMatching(/^command line/) } : it,
    ),
  )
})

test('without a secret nothing is rotated, and doctor says what is wrong', async () => {
  const bare = { ...env, JWT_SECRET: '' }
  const refused = await cli(['token-keys', 'rotate'], { env: bare })
  expect(refused.code).not.toBe(0)
  expect(refused.stderr).toContain('Tokens cannot be derived without a secret')
  const finding = async (variables: Record<string, string>) => {
    const { stdout } = await cli(['doctor', '--json'], { env: variables })
    const findings = JSON.parse(stdout) as { check: string }[]
    return findings.find(({ check }) => check === 'token-keys')
  }
  expect(await finding(env)).toMatchObject({ status: 'ok' })
  expect(await finding(bare)).toMatchObject({
    status: 'problem',
    message: expect.stringContaining('there is no secret of the environment'),
  })
  expect(
    await finding({ ...env, JWT_SECRET: 'another secret, of 32 bytes or more, too' }),
  ).toMatchObject({
    status: 'warning',
    message: expect.stringContaining('the next token replaces it'),
  })
})
