import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { neutralEnvironment, root, type Finished } from '../support/child.js'

export const bin = join(root, 'lib/cli/main.js')

export interface CliOptions {
  env?: Record<string, string>
  /** The standard input of the command. */
  input?: string | Buffer
  /** A command that runs longer is killed. */
  timeoutMs?: number
}

/** Runs the command line to its end, by its own file, as npm links it. */
export async function cli(
  args: string[],
  { env, input = '', timeoutMs = 120_000 }: CliOptions = {},
): Promise<Finished> {
  const child = spawn(process.execPath, [bin, ...args], {
    env: {
      ...neutralEnvironment(),
      API_KEYS_ARGON2_MEMORY_KIB: '8',
      API_KEYS_ARGON2_ITERATIONS: '1',
      ...env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const killer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  // A command that reads nothing may have closed it.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const closed = new Promise<Pick<Finished, 'code' | 'signal'>>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  const [stdout, stderr] = await Promise.all([textOf(child.stdout), textOf(child.stderr)])
  const end = await closed.finally(() => clearTimeout(killer))
  return { ...end, stdout, stderr }
}

/** Runs the command with `--json`, and parses its output. */
export async function json<T = any>(args: string[], options: CliOptions = {}): Promise<T> {
  const { code, stdout, stderr } = await cli([...args, '--json'], options)
  if (stdout === '') throw new Error(`nothing was printed; code ${code}: ${stderr}`)
  return JSON.parse(stdout) as T
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = ''
  for await (const chunk of stream.setEncoding('utf8')) text += chunk as string
  return text
}
