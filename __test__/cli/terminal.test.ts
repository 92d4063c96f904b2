import { spawn, spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { neutralEnvironment } from '../support/child.js'
import { freshDatabase, type Database } from '../support/database.js'
import { bin, cli, json } from './cli.js'

/** util-linux's `script` gives a program a terminal. */
const hasScript = spawnSync('script', ['--version']).status === 0

let database: Database
let env: Record<string, string>
beforeAll(async () => {
  database = await freshDatabase()
  env = { DATABASE_URL: database.url }
})
afterAll(() => database.drop())

/** Runs the command line at a terminal; `typed` is typed when `prompt` is seen. */
async function atTerminal(
  args: string[],
  { prompt, typed, ...more }: { prompt?: string; typed?: string; NO_COLOR?: string } = {},
): Promise<{ code: number | null; screen: string }> {
  const command = [process.execPath, bin, ...args].map((part) => `'${part}'`).join(' ')
  const child = spawn('script', ['-qefc', command, '/dev/null'], {
    env: { ...neutralEnvironment(), TERM: 'xterm', NO_COLOR: '', ...env, ...more },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const killer = setTimeout(() => child.kill('SIGKILL'), 60_000)
  let screen = ''
  let answered = false
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    screen += chunk
    if (!prompt || answered || !screen.includes(prompt)) return
    answered = true
    child.stdin.write(typed!)
  })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  clearTimeout(killer)
  return { code, screen }
}

describe.skipIf(!hasScript)('at a terminal', () => {
  const issue = () => json(['keys', 'create', '--name', 'Search', '--client', 'acme'], { env })
  const isActive = async (id: string) => (await json(['keys', 'show', id], { env })).isActive

  test.each([
    ['n\r', 1, true],
    ['\r', 1, true],
    ['y\r', 0, false],
    ['yes\r', 0, false],
    ['\u0004', 1, true],
  ])('a revocation is asked about: %j', async (typed, code, active) => {
    const { id } = await issue()
    const answer = await atTerminal(['keys', 'revoke', id], { prompt: '[y/N]', typed })
    expect(answer.screen).toContain('Revoke "Search" of "acme"?')
    expect(answer.code).toBe(code)
    expect(await isActive(id)).toBe(active)
  })

  test.each([
    ['n\r', 1, true],
    ['y\r', 0, false],
  ])('a revocation of many keys is asked about: %j', async (typed, code, active) => {
    const { id } = await json(['keys', 'create', '--name', 'n', '--client', 'many'], { env })
    const args = ['keys', 'revoke', '--where', '{"clientId": "many", "isActive": true}']
    const answer = await atTerminal(args, { prompt: '[y/N]', typed })
    expect(answer.screen).toMatch(/Revoke \d keys?\?/)
    expect(answer.code).toBe(code)
    expect(await isActive(id)).toBe(active)
  })

  test('nothing in a name steers the terminal that is asked', async () => {
    const { id } = await issue()
    const evil = 'a\u009b31m\u202e\u2028\u0085\u007f\u001b]0;owned\u0007b'
    await database.sql(`UPDATE "ApiKey" SET "name" = $1, "clientId" = $1 WHERE "id" = $2`, [
      evil,
      id,
    ])
    const args = ['keys', 'revoke', id]
    const { code, screen } = await atTerminal(args, {
      prompt: '[y/N]',
      typed: 'y\r',
      NO_COLOR: '1',
    })
    expect(code).toBe(0)
    expect(screen).toContain('Revoke "a\\u009b31m\\u202e')
    expect(screen).not.toMatch(/[\u007f-\u009f\u2028\u202e]|\u001b\]/)
  })

  test.each([
    ['n\r', 1, true],
    ['y\r', 0, false],
  ])('the deletion of a disabled client is asked about: %j', async (typed, code, kept) => {
    await json(['clients', 'set', 'off', '--disable'], { env })
    const answer = await atTerminal(['clients', 'delete', 'off'], { prompt: '[y/N]', typed })
    expect(answer.screen).toContain('"off"? It or one of its parents is disabled')
    expect(answer.screen).toContain('its keys are accepted again')
    expect(answer.code).toBe(code)
    expect((await cli(['clients', 'get', 'off'], { env })).code).toBe(kept ? 0 : 1)
  })

  test('nothing is asked with --yes', async () => {
    const { id } = await issue()
    expect(await atTerminal(['keys', 'revoke', id, '--yes'])).toMatchObject({ code: 0 })
    expect(await isActive(id)).toBe(false)
  })

  test('a key is typed unseen', async () => {
    const { key } = await issue()
    const answer = await atTerminal(['check'], { prompt: 'key: ', typed: `${key}x\u007f\r` })
    expect(answer.code, answer.screen).toBe(0)
    expect(answer.screen).toMatch(/well-formed.*yes/)
    expect(answer.screen).not.toContain(key.slice(-40))
  })

  test('there are colours, unless they are not wanted', async () => {
    await issue()
    expect((await atTerminal(['keys', 'list'])).screen).toContain('\u001b[1mID')
    expect((await atTerminal(['keys', 'list'], { NO_COLOR: '1' })).screen).not.toContain('\u001b')
  })
})
