import { execFileSync } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { startPostgres } from '../../scripts/postgres.mjs'

type Postgres = Awaited<ReturnType<typeof startPostgres>>

/** A Postgres of the test's own, that stops and starts under one address, and whose data can be copied. */
export class Server {
  private constructor(
    private readonly folder: string,
    private postgres: Postgres,
  ) {}

  static async start(): Promise<Server> {
    const folder = await mkdtemp(join(tmpdir(), 'server-'))
    // The server's account has to pass through it.
    await chmod(folder, 0o755)
    const dataDir = join(folder, 'data')
    return new Server(folder, await startPostgres({ dataDir, durable: false }))
  }

  /** A standby of this server, which is stopped for a moment to be copied. */
  async standby(): Promise<Server> {
    const folder = await mkdtemp(join(tmpdir(), 'standby-'))
    await chmod(folder, 0o755)
    const dataDir = join(folder, 'data')
    const { port, password } = new URL(this.url)
    await this.stop()
    execFileSync('cp', ['-a', this.path(''), dataDir])
    const primary = `host=127.0.0.1 port=${port} user=postgres password=${decodeURIComponent(password)}`
    // The files exist already, or are written over, so that they keep their owner.
    appendFileSync(join(dataDir, 'postgresql.auto.conf'), `primary_conninfo = '${primary}'\n`)
    execFileSync('cp', ['-a', join(dataDir, 'PG_VERSION'), join(dataDir, 'standby.signal')])
    await this.restart()
    return new Server(folder, await startPostgres({ dataDir, durable: false }))
  }

  get url(): string {
    return this.postgres.url
  }

  async sql(text: string, params: unknown[] = []): Promise<Record<string, any>[]> {
    const client = new Client({ connectionString: this.url })
    client.on('error', () => {})
    await client.connect()
    try {
      return (await client.query(text, params)).rows as Record<string, any>[]
    } finally {
      await client.end()
    }
  }

  stop(): Promise<void> {
    return this.postgres.stop()
  }

  async restart(): Promise<void> {
    const { dataDir, port } = this.postgres
    this.postgres = await startPostgres({ dataDir, port, durable: false })
  }

  /** Copies the data of the stopped server aside. */
  save(): void {
    this.copy('data', 'saved')
  }

  /** Puts what was saved in the place of the stopped server's data. */
  async restore(): Promise<void> {
    await rm(join(this.folder, 'data'), { recursive: true })
    this.copy('saved', 'data')
  }

  /** A file in the data folder, as the server's account owns them. */
  path(name: string): string {
    return join(this.folder, 'data', name)
  }

  /** No process of the server does anything until `thaw()`. */
  async freeze(): Promise<{ thaw(): void }> {
    const rows = await this.sql('SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()')
    const pids = [this.postgres.pid, ...rows.map(({ pid }) => pid as number)]
    for (const pid of pids) process.kill(pid, 'SIGSTOP')
    return {
      thaw: () => {
        for (const pid of pids) process.kill(pid, 'SIGCONT')
      },
    }
  }

  async remove(): Promise<void> {
    await this.stop()
    await rm(this.folder, { recursive: true, force: true })
  }

  /** With their owners: Postgres serves nobody else's files. */
  private copy(from: string, to: string): void {
    execFileSync('cp', ['-a', join(this.folder, from), join(this.folder, to)])
  }
}
