import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { neutralEnvironment, root, run } from '../support/child.js'
import { newKey, useEndings, USES } from '../support/endings.js'
import { eventually } from '../support/eventually.js'

const { envFor, usesOf } = useEndings()
const tools = fileURLToPath(new URL('tools/', import.meta.url))
const home = mkdtempSync(path.join(tmpdir(), 'tools-'))
afterAll(() => rmSync(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }))

/** Hang guards: tools and apps take seconds to start on a busy machine. */
const HANGS_MS = 60_000

type Key = Awaited<ReturnType<typeof newKey>>
type Env = Record<string, string>

const bin = (name: string, ...args: string[]): string[] => [
  process.execPath,
  path.join(tools, 'node_modules', name),
  ...args,
]

const nodemon = (signal: string): string[] => bin('nodemon/bin/nodemon.js', '--signal', signal)

interface Tool {
  command: string[]
  /** Starts the app anew when its file changes. */
  watches?: boolean
  /** Kills an app that has not confirmed a signal within 60 ms, so only the app gets one. */
  hasty?: boolean
}

const TOOLS: Record<string, Tool> = {
  node: { command: [process.execPath] },
  'node --watch': { command: [process.execPath, '--watch'], watches: true },
  tsx: { command: bin('tsx/dist/cli.mjs'), hasty: true },
  'tsx watch': { command: bin('tsx/dist/cli.mjs', 'watch'), watches: true },
  'ts-node-dev': {
    command: bin('ts-node-dev/lib/bin.js', '--transpile-only', '--respawn'),
    watches: true,
  },
  'node-dev': { command: bin('node-dev/bin/node-dev', '--notify=false'), watches: true },
  nodemon: { command: bin('nodemon/bin/nodemon.js'), watches: true },
  'nodemon --signal SIGINT': { command: nodemon('SIGINT'), watches: true },
  'nodemon --signal SIGTERM': { command: nodemon('SIGTERM'), watches: true },
}

/** A copy of the app in a folder of its own. */
function place(name = 'app.cjs'): { file: string; env: Env; lines(what: string): string[] } {
  const folder = mkdtempSync(path.join(home, 'app-'))
  const [file, reports] = [path.join(folder, name), path.join(folder, 'reports')]
  copyFileSync(path.join(tools, 'app.cjs'), file)
  writeFileSync(reports, '')
  const compilerOptions = { module: 'commonjs', moduleResolution: 'node' }
  writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  return {
    file,
    env: { REPORTS: reports },
    lines: (what) =>
      readFileSync(reports, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith(what)),
  }
}

const using = (key: Key): Env => ({
  ...envFor(key),
  PACKAGE: root,
  USES: String(USES),
  // Several apps start at once.
  API_KEYS_STATEMENT_TIMEOUT_MS: '10000',
})

/** The app under a tool, which leads a process group of its own, as in a terminal. */
function start(tool: string, env: Env) {
  const app = place(tool.startsWith('ts') ? 'app.ts' : 'app.cjs')
  const [file, ...args] = [...TOOLS[tool]!.command, app.file]
  const child = spawn(file!, args, {
    cwd: path.dirname(app.file),
    detached: true,
    env: { ...neutralEnvironment(), ...env, ...app.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal })),
  )
  const group = (signal: NodeJS.Signals): void => {
    try {
      process.kill(-child.pid!, signal)
    } catch {
      // All of it has ended.
    }
  }
  return {
    ended: async () => {
      const guard = setTimeout(group, HANGS_MS, 'SIGKILL')
      const end = await ended
      clearTimeout(guard)
      return end
    },
    change: () => writeFileSync(app.file, `${readFileSync(app.file, 'utf8')}\n`),
    kill: () => group('SIGKILL'),
    output: () => output,
    starts: (count: number) =>
      eventually(() => expect(app.lines('ready'), output).toHaveLength(count), HANGS_MS),
    /** As a service manager does, which signals the tool, or as a terminal does, which signals the whole group. */
    signal: (signal: 'SIGTERM' | 'SIGINT') => {
      const [, pid] = app.lines('ready').at(-1)!.split(' ')
      if (TOOLS[tool]!.hasty) process.kill(Number(pid), signal)
      else if (signal === 'SIGTERM') child.kill(signal)
      else group(signal)
    },
  }
}

describe.each(Object.keys(TOOLS))('under %s', (tool) => {
  /** What becomes of the app and its tool. */
  const outcome = async (signal: 'SIGTERM' | 'SIGINT', env: Env) => {
    const running = start(tool, env)
    try {
      await running.starts(1)
      running.signal(signal)
      const end = await running.ended()
      return { ...end, forced: /forc/i.test(running.output()) }
    } finally {
      running.kill()
    }
  }

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s ends an app as it does without the package, and its usage is stored',
    async (signal) => {
      const key = await newKey()
      const [with_, without] = await Promise.all([outcome(signal, using(key)), outcome(signal, {})])
      expect(with_).toEqual(without)
      expect(await usesOf(key)).toBe(USES)
    },
    3 * HANGS_MS,
  )

  test.runIf(TOOLS[tool]!.watches)(
    'a change of the app starts it anew, and its usage is stored',
    async () => {
      const key = await newKey()
      const running = start(tool, using(key))
      try {
        await running.starts(1)
        running.change()
        await running.starts(2)
        expect(await usesOf(key)).toBe(USES)
        expect(running.output()).not.toMatch(/forc|kill/i)
        running.signal('SIGTERM')
        await running.ended()
        expect(await usesOf(key)).toBe(2 * USES)
      } finally {
        running.kill()
      }
    },
    3 * HANGS_MS,
  )
})

const namespaces = ['--pid', '--fork', '--mount-proc']
const canUnshare = spawnSync('unshare', [...namespaces, 'true']).status === 0

describe('as the first process of a container', () => {
  /** The first process of the namespace that a program of ours has made. */
  const inside = (pid: number): number =>
    Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim())

  test.skipIf(!canUnshare).each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)(
    '%s ends an app with %i, and its usage is stored',
    async (signal, code) => {
      const key = await newKey()
      const app = place()
      const child = spawn('unshare', [...namespaces, process.execPath, app.file], {
        env: { ...neutralEnvironment(), ...using(key), ...app.env },
        stdio: 'ignore',
      })
      const ended = new Promise((resolve) =>
        child.once('exit', (code, signal) => resolve({ code, signal })),
      )
      const guard = setTimeout(() => process.kill(inside(child.pid!), 'SIGKILL'), HANGS_MS)
      await eventually(() => expect(app.lines('ready')).toEqual(['ready 1']), HANGS_MS)
      process.kill(inside(child.pid!), signal)
      expect(await ended).toEqual({ code, signal: null })
      clearTimeout(guard)
      expect(await usesOf(key)).toBe(USES)
    },
    2 * HANGS_MS,
  )
})

describe('under PM2', () => {
  // It lets the old process of a cluster finish its work before it ends it.
  const env: Env = { PM2_HOME: path.join(home, 'pm2'), HOME: home, PM2_GRACEFUL_TIMEOUT: '100' }
  const pm2 = async (args: string[], more: Env = {}): Promise<void> => {
    const ended = await run(bin('pm2/bin/pm2', ...args), {
      env: { ...env, ...more },
      timeoutMs: HANGS_MS,
    })
    expect(ended.code, ended.stdout + ended.stderr).toBe(0)
  }
  afterAll(() => pm2(['kill']))

  /** PM2 kills an app that has not ended after this time. */
  const patience = ['--kill-timeout', String(HANGS_MS), '--listen-timeout', String(HANGS_MS)]

  /** Starts an app; how its processes have ended is what PM2 has seen. */
  async function started(name: string, args: string[], more: Env) {
    const app = place()
    await pm2(['start', app.file, '--name', name, ...patience, ...args], { ...more, ...app.env })
    const starts = (count: number): Promise<void> =>
      eventually(() => expect(app.lines('ready')).toHaveLength(count), HANGS_MS)
    await starts(1)
    return {
      starts,
      ends: (): string[] => {
        const log = readFileSync(path.join(env.PM2_HOME!, 'pm2.log'), 'utf8')
        expect(log).not.toContain('SIGKILL')
        const ended = /App \[(.+):.+\] exited with code \[(.*)\] via signal \[(.*)\]/g
        return [...log.matchAll(ended)]
          .filter(([, app]) => app === name)
          .map(([, , code, signal]) => `${code} ${signal}`)
      },
    }
  }

  describe.each([
    ['fork', []],
    ['cluster', ['-i', '1']],
  ])('in %s mode', (mode, args) => {
    test.each(['reload', 'restart'])(
      '`pm2 %s` and `pm2 stop` end an app as they do without the package, and its usage is stored',
      async (change) => {
        const key = await newKey()
        const endings = async (name: string, more: Env, check: (uses: number) => Promise<void>) => {
          const app = await started(name, args, more)
          await pm2([change, name])
          await app.starts(2)
          await check(USES)
          await pm2(['stop', name])
          await check(2 * USES)
          return app.ends()
        }
        const name = `${mode}-${change}`
        const with_ = await endings(name, using(key), async (uses) =>
          expect(await usesOf(key)).toBe(uses),
        )
        const without = await endings(`${name}-without`, {}, async () => {})
        expect(with_).toEqual(without)
        expect(with_).toHaveLength(2)
      },
      6 * HANGS_MS,
    )
  })
})

test('the tools are installed', () => {
  expect(existsSync(path.join(tools, 'node_modules/tsx'))).toBe(true)
})
