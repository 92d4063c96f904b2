/** Describes the machine, the time and the versions of a run. */
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem, type } from 'node:os'
import pg from 'pg'
import { KEYS } from './keys.mjs'

export async function machine(postgresUrl, rounds) {
  const client = new pg.Client({ connectionString: postgresUrl })
  await client.connect()
  const { rows } = await client.query(`SELECT current_setting('server_version') AS version`)
  await client.end()
  const processors = cpus()
  const gibibytes = Math.round(totalmem() / 2 ** 30)
  return `\
- Date: ${new Date().toISOString().slice(0, 10)}
- Machine: ${processors.length} × ${processors[0].model.trim()}, ${gibibytes} GiB, ${type()} ${release()}; load \
average before the run ${loadavg()[0].toFixed(1)}
- Software: Node.js ${process.versions.node}; PostgreSQL ${rows[0].version} on the same machine, as durable as by \
default (fsync, synchronous_commit); better-auth ${versionOf('better-auth')}, pg ${versionOf('pg')}
- Method: ${rounds} interleaved rounds in one run, medians; ${KEYS.toLocaleString('en')} keys in turn; each subject \
in a process of its own, pinned nowhere`
}

function versionOf(name) {
  const file = new URL(`node_modules/${name}/package.json`, import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')).version
}
