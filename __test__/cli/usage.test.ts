import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { read } from '../docs/markdown.js'
import { root } from '../support/child.js'
import { cli } from './cli.js'

interface Command {
  summary: string
  positionals?: string[]
  options?: Record<string, { help: string }>
  examples: [string, string][]
}
const { commands } = createRequire(import.meta.url)(join(root, 'lib/cli/commands.js')) as {
  commands: Record<string, [string, () => Command]>
}
const names = Object.keys(commands)

describe('help', () => {
  test.each([['--help'], ['-h'], ['help']])(
    '%s names every command and exit code',
    async (flag) => {
      const { code, stdout, stderr } = await cli([flag])
      expect([code, stderr]).toEqual([0, ''])
      for (const name of names) expect(stdout).toContain(`  ${name} `)
      for (const exit of [0, 1, 2, 3, 4]) expect(stdout).toMatch(new RegExp(`^  ${exit}  `, 'm'))
    },
  )

  test.each(names)('of %s lists its options, with examples', async (name) => {
    const command = commands[name]![1]()
    const { code, stdout, stderr } = await cli([...name.split(' '), '--help'])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain(command.summary)
    for (const option of Object.keys(command.options ?? {})) expect(stdout).toContain(`--${option}`)
    expect(command.examples.length).toBeGreaterThanOrEqual(2)
    for (const [line] of command.examples) {
      expect(line).toContain(`@sophra/api-keys ${name}`)
      expect(stdout).toContain(line.split('\n')[0])
    }
  })

  test('of a group names its commands', async () => {
    const { code, stdout } = await cli(['keys', '--help'])
    expect(code).toBe(0)
    expect(stdout).toContain('keys rotate')
    expect(stdout).not.toContain('doctor')
  })

  test('without a command is a usage error that still helps', async () => {
    expect(await cli([])).toMatchObject({ code: 2, stdout: expect.stringContaining('doctor') })
    expect(await cli(['keys'])).toMatchObject({
      code: 2,
      stdout: expect.stringContaining('rotate'),
    })
  })

  test('--version prints the version', async () => {
    const { version } = JSON.parse(read('package.json'))
    expect(await cli(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` })
  })
})

test.each([
  [['migrat'], 'did you mean "migrate"?'],
  [['key', 'list'], 'did you mean "keys"?'],
  [['keys', 'craete'], 'did you mean "create"?'],
  [['keys', 'frobnicate'], 'Choose from: create, list, find, show'],
  [['keys', 'list', '--clinet', 'a'], 'did you mean "--client"?'],
  [['keys', 'list', '--colour', 'red'], 'There is no option --colour. Choose from'],
  [['keys', 'list', '-x'], 'There is no option -x'],
  [['keys', 'list', '--limit'], '--limit needs a value'],
  [['keys', 'list', '--all=yes'], '--all takes no value'],
  [['keys', 'create', '--client', 'c'], '--name is missing'],
  [['keys', 'create'], '--name is missing, --client is missing'],
  [['keys', 'show'], '<id> is missing'],
  [['keys', 'show', 'a', 'b'], 'too many arguments: expected <id>'],
  [['migrate', '--after', '1'], '--after needs --sql'],
  [['keys', 'list', '--__proto__', 'x'], 'There is no such option'],
  [['constructor'], 'There is no such command'],
  [['__proto__'], 'There is no such command'],
])('%j is answered with what helps', async (args, message) => {
  const { code, stdout, stderr } = await cli(args)
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toContain(message)
})

describe('an error of the environment', () => {
  test('is a missing configuration', async () => {
    const { code, stdout, stderr } = await cli(['keys', 'list'])
    expect([code, stdout]).toEqual([3, ''])
    expect(stderr).toContain('DATABASE_URL')
    expect(stderr).toContain('doctor')
  })

  test('is a database that cannot be reached, without the secrets of its URL', async () => {
    const env = { DATABASE_URL: 'postgres://me:hush-hush@127.0.0.1:1/none' }
    const { code, stderr } = await cli(['keys', 'list', '--json'], { env })
    expect(code).toBe(3)
    expect(JSON.parse(stderr).error.code).toBe('DATABASE_UNAVAILABLE')
    expect(stderr).not.toContain('hush')
  })

  test('is an environment file that cannot be read', async () => {
    const { code, stderr } = await cli(['keys', 'list', '--env', '/nowhere/.env'])
    expect([code, stderr]).toEqual([2, expect.stringContaining('--env')])
  })
})

test('an environment file is read', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cli-'))
  try {
    writeFileSync(join(folder, '.env'), 'DATABASE_URL=postgres://127.0.0.1:1/from_a_file\n')
    const { stdout } = await cli(['doctor', '--env', join(folder, '.env')])
    expect(stdout).toContain('127.0.0.1:1/from_a_file')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
