import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

export interface Finished {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface ChildOptions {
  env?: Record<string, string>
  /** By default the root of the repository. */
  cwd?: string
  /** A child that runs longer is killed, and says so by its signal. */
  timeoutMs?: number
}

/** How a process ended, and what it handed over. */
export type Ended = Finished & { reports: unknown[] }

/** A process that runs. */
export interface Running {
  signal(signal: NodeJS.Signals): void
  /** The next value that it hands over; fails if it ends before. */
  next(): Promise<unknown>
  ended: Promise<Ended>
}

/**
 * Runs JavaScript in a Node process of its own. There `api` is the package, and `report(value)`
 * hands a value to the test by a way that is not part of what the process prints.
 */
export async function runScript(source: string, options?: ChildOptions): Promise<Ended> {
  return startScript(source, options).ended
}

/** The same, to be talked to while it runs. */
export function startScript(source: string, options?: ChildOptions): Running {
  // Async: a rejection that the script does not catch ends the process with code 1.
  const program = `'use strict'
    const api = require('@sophra/api-keys')
    const report = (value) => require('node:fs').writeFileSync(3, JSON.stringify(value) + '\\n')
    ;(async () => { ${source} })()`
  return start([process.execPath, '-e', program], options)
}

/** Runs a program to its end. Of our own environment it sees nothing that would configure it. */
export async function run(command: string[], options?: ChildOptions): Promise<Ended> {
  return start(command, options).ended
}

function start(command: string[], options: ChildOptions = {}): Running {
  const [file, ...args] = command
  const child = spawn(file!, args, {
    cwd: options.cwd ?? root,
    env: { ...neutralEnvironment(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  const killer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 60_000)
  const closed = new Promise<Pick<Finished, 'code' | 'signal'>>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  const [, out, err, handed] = child.stdio as Readable[]
  const reports: unknown[] = []
  const lines = createInterface(handed!)
  lines.on('line', (line) => reports.push(JSON.parse(line)))
  let taken = 0
  const end = async (): Promise<Ended> => {
    const [stdout, stderr, how] = await Promise.all([textOf(out!), textOf(err!), closed])
    return { ...how, stdout, stderr, reports }
  }
  const ended = end().finally(() => clearTimeout(killer))
  // Ignored here: a caller that waits for a report gets the failure.
  ended.catch(() => {})
  return {
    signal: (signal) => void child.kill(signal),
    next: async () => {
      const at = taken++
      while (reports.length <= at) {
        const more = once(lines, 'line').then(() => true)
        const none = ended.then(() => false)
        if (!(await Promise.race([more, none])) && reports.length <= at)
          throw new Error(`Ended without a report: ${(await ended).stderr}`)
      }
      return reports[at]
    },
    ended,
  }
}

async function textOf(stream: Readable): Promise<string> {
  let text = ''
  for await (const chunk of stream.setEncoding('utf8')) text += chunk as string
  return text
}

const CONFIGURES =
  /^(API_KEYS_|VITEST|JEST|NODE_ENV$|NODE_OPTIONS$|DIRECT_DATABASE_URL$|DATABASE_URL$|POSTGRESQL_URL$|JWT_SECRET$)/

export function neutralEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !CONFIGURES.test(name)))
}
