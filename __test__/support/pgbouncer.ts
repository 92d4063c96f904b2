import { execFileSync, spawn, spawnSync, type StdioOptions } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { serverAccount } from '../../scripts/account.mjs'
import { eventually } from './eventually.js'

/** The output of `pgbouncer --version`; undefined if it is not installed. */
export function pgbouncerVersion(): string | undefined {
  const { status, stdout } = spawnSync('pgbouncer', ['--version'], { encoding: 'utf8' })
  return status === 0 ? stdout.split('\n')[0] : undefined
}

export interface Pgbouncer {
  /** The database's URL by way of the pooler, with Prisma's parameter that says so. */
  url: string
  /** The rows that the pooler's console returns. */
  console(command: string): Promise<Record<string, any>[]>
  stop(): Promise<void>
}

/**
 * A real PgBouncer in transaction mode, with far fewer connections than it has clients. `more` are lines of its settings, for
 * its section `pgbouncer`.
 */
export async function startPgbouncer(
  databaseUrl: string,
  poolSize = 3,
  more = '',
): Promise<Pgbouncer> {
  const target = new URL(databaseUrl)
  const folder = await mkdtemp(join(tmpdir(), 'pgbouncer-'))
  const settings = join(folder, 'pgbouncer.ini')
  const port = await freePort()
  const server = `host=127.0.0.1 port=${target.port}`
  await writeFile(
    settings,
    `[databases]
* = ${server} user=${target.username} password=${decodeURIComponent(target.password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
admin_users = ${target.username}
pool_mode = transaction
default_pool_size = ${poolSize}
server_login_retry = 0.1
${more}
`,
  )
  // It refuses to run as root.
  const account = serverAccount(undefined)
  if (account) execFileSync('chown', ['-R', `${account.uid}:${account.gid}`, folder])
  await chmod(settings, 0o600)
  // Its input ends with this process, however that ends.
  const guard = 'pgbouncer "$1" & read -r end; kill -KILL $!'
  const stdio: StdioOptions = ['pipe', 'ignore', 'ignore']
  const child = spawn('sh', ['-c', guard, 'sh', settings], { ...account, cwd: '/', stdio })
  const exited = once(child, 'exit')

  const at = (database: string): string => {
    const url = new URL(databaseUrl)
    url.port = String(port)
    url.pathname = `/${database}`
    return url.href
  }
  const ask = async (url: string, command: string): Promise<Record<string, any>[]> => {
    const client = new Client({ connectionString: url })
    client.on('error', () => {})
    await client.connect()
    try {
      return (await client.query(command)).rows as Record<string, any>[]
    } finally {
      await client.end()
    }
  }
  if (!more.includes('auth_')) await eventually(() => ask(at('postgres'), 'SELECT 1'))
  else await eventually(() => reach(port))
  return {
    url: `${at(target.pathname.slice(1))}?pgbouncer=true`,
    console: (command) => ask(at('pgbouncer'), command),
    stop: async () => {
      child.stdin!.end()
      await exited
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function reach(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
  } finally {
    socket.destroy()
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}
