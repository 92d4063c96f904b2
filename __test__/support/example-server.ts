import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'

const example = fileURLToPath(new URL('../../examples/nextjs/', import.meta.url))

export interface Server {
  url: string
  /** Everything that the server has printed. */
  output(): string
  stop(): Promise<void>
}

/** The built example, served by `next start` on a free port. */
export function startServer(env: Record<string, string> = {}): Promise<Server> {
  requireBuild('.next/BUILD_ID')
  const next = `${example}node_modules/next/dist/bin/next`
  return serve((port) => [next, 'start', '-H', '127.0.0.1', '-p', port], example, env)
}

/** The built example, served by its `standalone` output: no Next, no `npm install` needed. */
export function startStandalone(env: Record<string, string> = {}): Promise<Server> {
  const server = requireBuild('.next/standalone/examples/nextjs/server.js')
  return serve((port) => [server, port], '/', env)
}

function requireBuild(file: string): string {
  if (existsSync(example + file)) return example + file
  throw new Error('The example is not built: run `npm test`, which builds it before the tests')
}

/** A program that serves on the port that it is given, once it says so. */
export async function serve(
  command: (port: string) => string[],
  cwd: string,
  env: Record<string, string>,
  executable = process.execPath,
): Promise<Server> {
  const port = String(await freePort())
  const child = spawn(executable, command(port), {
    cwd,
    env: { ...inherited(), PORT: port, HOSTNAME: '127.0.0.1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)

  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (printed += text))
  }
  const stop = async () => {
    process.off('exit', kill)
    await ended(child)
  }
  await ready(child, () => printed).catch(async (error: Error) => {
    await stop()
    throw error
  })
  return { url: `http://127.0.0.1:${port}`, output: () => printed, stop }
}

/** The part of our environment that any program needs, without the variables that configure the addon. */
function inherited(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR, SystemRoot } = process.env
  return { PATH, HOME, TMPDIR, SystemRoot, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' }
}

function ready(child: ChildProcess, printed: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`The server ${why}:\n${printed()}`))
    const timer = setTimeout(fail, 30_000, 'was not ready in 30 s')
    child.stdout?.on('data', () => {
      if (!printed().includes('Ready in')) return
      clearTimeout(timer)
      resolve()
    })
    child.once('exit', (code) => {
      clearTimeout(timer)
      fail(`ended with ${code}`)
    })
  })
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const hung = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await exited
  clearTimeout(hung)
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}
