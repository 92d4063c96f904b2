/**
 * Renews (`prepare`) or checks (`check`) the data in `.sqlx`. The compiler checks queries against it, so that a build needs no
 * database.
 */
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { startPostgres } from './postgres.mjs'
import { Failure, main, run } from './processes.mjs'
import { cargoEnv, root } from './project.mjs'

const kept = path.join(root, '.sqlx')
const crate = path.join(root, 'src/lib.rs')
const migrations = path.join(root, 'src/migrations')

main(async (defer) => {
  const command = { prepare, check }[process.argv[2]]
  if (!command) throw new Failure('Usage: node scripts/sqlx.mjs prepare | check')
  const fresh = fs.mkdtempSync(path.join(tmpdir(), 'sqlx-'))
  defer(() => fs.rmSync(fresh, { recursive: true }))
  const postgres = await startPostgres()
  defer(() => postgres.stop())
  await migrate(postgres.url)
  await describeQueries(postgres.url, fresh)
  command(fresh)
})

/** Migrates with a plain client: to build the migrator of the crate, the data in `.sqlx` would have to exist already. */
async function migrate(url) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('CREATE SCHEMA sophra_api_keys')
  for (const name of fs.readdirSync(migrations).sort()) {
    await client.query(fs.readFileSync(path.join(migrations, name), 'utf8'))
  }
  await client.end()
}

/** Compiles the queries: the macros of sqlx write the descriptions from the database to `folder`. */
async function describeQueries(url, folder) {
  // cargo compiles only what has changed, so the crate is marked as changed for the time of the build.
  const { atime, mtime } = fs.statSync(crate)
  const now = new Date()
  fs.utimesSync(crate, now, now)
  const env = { DATABASE_URL: url, SQLX_OFFLINE: 'false', SQLX_OFFLINE_DIR: folder }
  try {
    await run('cargo', ['check', '--all-targets'], { cwd: root, env: { ...cargoEnv(), ...env } })
  } finally {
    if (fs.statSync(crate).mtimeMs === now.getTime()) fs.utimesSync(crate, atime, mtime)
  }
}

function prepare(fresh) {
  fs.rmSync(kept, { recursive: true, force: true })
  fs.cpSync(fresh, kept, { recursive: true })
  console.log(`.sqlx now describes ${fs.readdirSync(kept).length} queries`)
}

function check(fresh) {
  const names = new Set([...list(fresh), ...list(kept)])
  const stale = [...names].filter((name) => read(fresh, name) !== read(kept, name))
  if (stale.length > 0) {
    throw new Failure(`.sqlx is out of date (npm run sqlx:prepare):\n${stale.join('\n')}`)
  }
  console.log(`.sqlx is up to date: ${names.size} queries`)
}

function list(folder) {
  return fs.existsSync(folder) ? fs.readdirSync(folder) : []
}

function read(folder, name) {
  const file = path.join(folder, name)
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined
}
