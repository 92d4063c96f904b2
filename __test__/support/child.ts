import { spawn } from 'node:child_process'
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
  /** A child that runs longer is killed, and says so by its signal. */
  timeoutMs?: number
}

/**
 * Runs JavaScript in a Node process of its own. There `api` is the package, and `report(value)`
 * hands a value to the test by a way that is not part of what the process prints.
 */
export async function runScript(
  source: string,
  options: ChildOptions = {},
): Promise<Finished & { reports: unknown[] }> {
  // Async: a rejection that the script does not catch ends the process with code 1.
  const program = `'use strict'
    const api = require('@sophra/api-keys')
    const report = (value) => require('node:fs').writeFileSync(3, JSON.stringify(value) + '\\n')
    ;(async () => { ${source} })()`
  const { reported, ...finished } = await run([process.execPath, '-e', program], options)
  const reports = reported.split('\n').filter(Boolean)
  return { ...finished, reports: reports.map((line) => JSON.parse(line) as unknown) }
}

/** Runs a program to its end. Of our own environment it sees nothing that would configure it. */
export async function run(
  command: string[],
  options: ChildOptions = {},
): Promise<Finished & { reported: string }> {
  const [file, ...args] = command
  const child = spawn(file!, args, {
    cwd: root,
    env: { ...neutralEnvironment(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  const killer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 60_000)
  const closed = new Promise<Pick<Finished, 'code' | 'signal'>>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  const [, ...outputs] = child.stdio
  const [[stdout, stderr, reported], end] = await Promise.all([
    Promise.all(outputs.map((output) => textOf(output as Readable))),
    closed.finally(() => clearTimeout(killer)),
  ])
  return { ...end, stdout: stdout!, stderr: stderr!, reported: reported! }
}

async function textOf(stream: Readable): Promise<string> {
  let text = ''
  for await (const chunk of stream.setEncoding('utf8')) text += chunk as string
  return text
}

const CONFIGURES =
  /^(API_KEYS_|VITEST|JEST|NODE_ENV$|NODE_OPTIONS$|DIRECT_DATABASE_URL$|DATABASE_URL$|POSTGRESQL_URL$|JWT_SECRET$)/

function neutralEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !CONFIGURES.test(name)))
}
