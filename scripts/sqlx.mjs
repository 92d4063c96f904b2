/**
 * Updates (`prepare`) or compares (`check`) what is generated from a migrated database: the data in `.sqlx`, with which
 * the macro-checked queries are built without a database, and the manifest of the schema (`manifest.mjs`).
 */
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { writeManifest } from './manifest.mjs'
import { startPostgres } from './postgres.mjs'
import { Failure, main, run } from './processes.mjs'
import { cargoEnv, root } from './project.mjs'

const queries = path.join(root, '.sqlx')
const manifest = path.join(root, 'src/store/schema/manifest.rs')
const crate = path.join(root, 'src/lib.rs')
const migrations = path.join(root, 'src/migrations')

main(async (defer) => {
  const command = { prepare, check }[process.argv[2]]
  if (!command) throw new Failure('Usage: node scripts/sqlx.mjs prepare | check')
  const fresh = fs.mkdtempSync(path.join(tmpdir(), 'sqlx-'))
  defer(() => fs.rmSync(fresh, { recursive: true }))
  const postgres = await startPostgres()
  defer(() => postgres.stop())
  const text = await migrate(postgres.url)
  const described = path.join(fresh, 'queries')
  await describeQueries(postgres.url, described)
  command(described, text)
})

/**
 * Applies the migrations and returns the manifest. A plain client does it, because the migrator of the crate cannot be
 * built without the data that is being generated.
 */
async function migrate(url) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('CREATE SCHEMA sophra_api_keys')
  // The migrator makes its table itself.
  await client.query(
    `CREATE TABLE sophra_api_keys.migrations (
       version BIGINT PRIMARY KEY, success BOOLEAN NOT NULL, checksum BYTEA NOT NULL
     )`,
  )
  const files = fs.readdirSync(migrations).sort()
  const steps = files.map(
    (name) => () => client.query(fs.readFileSync(path.join(migrations, name), 'utf8')),
  )
  const text = await writeManifest(client, steps)
  await client.end()
  return text
}

/** The macros ask the database and write its answers to `folder`. */
async function describeQueries(url, folder) {
  fs.mkdirSync(folder)
  // cargo expands the macros only where something has changed. Afterwards the crate looks unchanged again.
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

function prepare(described, text) {
  fs.rmSync(queries, { recursive: true, force: true })
  fs.cpSync(described, queries, { recursive: true })
  fs.writeFileSync(manifest, text)
  console.log(`${fs.readdirSync(queries).length} queries are in .sqlx`)
}

function check(described, text) {
  const names = new Set([...list(described), ...list(queries)])
  const stale = [...names]
    .filter((name) => read(path.join(described, name)) !== read(path.join(queries, name)))
    .map((name) => path.join('.sqlx', name))
  if (read(manifest) !== text) stale.push(path.relative(root, manifest))
  if (stale.length > 0) {
    throw new Failure(`These are out of date (npm run sqlx:prepare):\n${stale.join('\n')}`)
  }
  console.log(`.sqlx and the manifest are up to date: ${names.size} queries`)
}

function list(folder) {
  return fs.existsSync(folder) ? fs.readdirSync(folder) : []
}

function read(file) {
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined
}
