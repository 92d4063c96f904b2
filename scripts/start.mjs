/**
 * Serves the example with everything that it needs: `npm start`. The database, the secret that signs admin tokens, an admin token
 * and a demo key are kept in `.data/` for the next start. A database that is made here gets a week of demo traffic.
 * Only this machine reaches the app, since anybody may sign in to its demo account: `npm start -- --host 0.0.0.0` opens it to others.
 */
import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { canEnter, serverAccount } from './account.mjs'
import { Failure, exitCode, launch, main, step } from './processes.mjs'
import { example, prepare, root } from './project.mjs'

const data = path.join(root, '.data')
const files = {
  databaseUrl: path.join(data, 'database-url'),
  jwtSecret: path.join(data, 'jwt-secret'),
  accountSecret: path.join(data, 'account-secret'),
  adminToken: path.join(data, 'admin-token'),
  demoKey: path.join(data, 'demo-key'),
}

main(start, { interrupted: 0 })

async function start(defer) {
  const { host } = parseArgs({
    options: { host: { type: 'string', default: '127.0.0.1' } },
  }).values
  await prepare()
  mkdirSync(data, { recursive: true })
  // Other accounts may pass through to the folder of the database. The secrets are readable only by their owner.
  chmodSync(data, 0o711)
  const given = process.env.DATABASE_URL ?? process.env.POSTGRESQL_URL
  const env = {
    ...process.env,
    DATABASE_URL: given ?? (await database(defer)),
    JWT_SECRET: process.env.JWT_SECRET ?? keptSecret(files.jwtSecret),
    // Switches on the page of a client, with a sign-in for demonstrations.
    DEMO_ACCOUNT_SECRET: keptSecret(files.accountSecret),
  }
  const demoKey = await step('Migrating the database', () =>
    seed(env, given === undefined).catch(explain('The database could not be prepared')),
  )
  const port = await freePort(Number(process.env.PORT ?? 3000))
  const app = await step('Starting the app', () => serve(port, host, env))
  const url = `http://localhost:${port}`
  console.log(tour(url, await consoleLink(`${url}/admin`, env), demoKey))
  await exitCode(app)
  throw new Failure('The app ended unexpectedly')
}

async function database(defer) {
  // Loaded late, since no package is installed yet when this file is loaded.
  const { startPostgres } = await import('./postgres.mjs')
  const postgres = await step('Starting Postgres', () =>
    startPostgres({ dataDir: databaseFolder() }).catch(explain('Postgres could not be started')),
  )
  defer(() => postgres.stop())
  keep(files.databaseUrl, postgres.url)
  return postgres.url
}

/** The folder of the database. Postgres does not run as root, so it cannot enter every folder that root works in. */
function databaseFolder() {
  const folder = path.join(data, 'postgres')
  if (canEnter(serverAccount(folder), data)) return folder
  const name = createHash('sha256').update(root).digest('hex').slice(0, 16)
  const elsewhere = path.join('/var/lib/sophra-api-keys', name, 'postgres')
  console.log(`  Postgres cannot enter ${data}, so the database is in ${elsewhere}`)
  return elsewhere
}

/**
 * Migrates the database, and makes the admin token and the demo key if they are missing. Returns the demo key. A database that is
 * ours and had no keys gets demo traffic, too.
 */
async function seed(env, isOurs) {
  return withAddon(env, async (addon) => {
    await addon.migrate()
    await ensureAdminToken(addon)
    const wasEmpty = (await addon.listApiKeys({ limit: 1 })).keys.length === 0
    const demoKey = await ensureDemoKey(addon)
    // Loaded late, since no package is installed yet when this file is loaded.
    if (isOurs && wasEmpty) await (await import('./demo.mjs')).seedDemo(addon, env.DATABASE_URL)
    return demoKey
  })
}

async function withAddon({ DATABASE_URL, JWT_SECRET }, work) {
  const { default: addon } = await import('../index.js')
  addon.configure({ databaseUrl: DATABASE_URL, jwtSecret: JWT_SECRET })
  try {
    return await work(addon)
  } finally {
    await addon.close()
  }
}

/** A link that signs in to the console as the admin token that is kept. It is made last, since it ends after five minutes. */
async function consoleLink(url, env) {
  const { default: links } = await import('../lib/console/link.js')
  return withAddon(env, async (addon) => {
    const { tokenId } = await addon.verifyAdminToken(readFileSync(files.adminToken, 'utf8'))
    return (await links.createConsoleLink({ url, tokenId, actor: 'npm start' })).url
  })
}

function explain(what) {
  return (error) => {
    throw new Failure(`${what}: ${error.message}`)
  }
}

async function ensureAdminToken(addon) {
  const known = existsSync(files.adminToken) && readFileSync(files.adminToken, 'utf8')
  if (known && (await addon.verifyAdminToken(known)).valid) return
  const { token } = await addon.createAdminToken({ name: 'npm start', permissions: ['*'] })
  keep(files.adminToken, token)
}

/** Returns the demo key if the database has it and its plaintext is still known. Otherwise makes one in an empty database. */
async function ensureDemoKey(addon) {
  const { keys } = await addon.listApiKeys({ clientId: 'demo' })
  const known = existsSync(files.demoKey) ? readFileSync(files.demoKey, 'utf8') : ''
  const demo = keys.find(({ start }) => start && known.startsWith(start))
  if (demo) return demo
  if ((await addon.listApiKeys({ limit: 1 })).keys.length > 0) return undefined
  const { key, ...issued } = await addon.createApiKey({ name: 'Demo', clientId: 'demo' })
  keep(files.demoKey, key)
  return issued
}

async function serve(port, host, env) {
  // If we are killed, the app must not go on without its database.
  const endWithParent =
    'data:text/javascript,process.on("disconnect",()=>process.kill(process.pid))'
  const next = ['node_modules/next/dist/bin/next', 'start', '-H', host, '-p', String(port)]
  const app = launch(process.execPath, ['--import', endWithParent, ...next], {
    cwd: example,
    env: { ...env, PORT: String(port), NEXT_TELEMETRY_DISABLED: '1' },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  while (!(await answers(`http://localhost:${port}/`))) {
    const ended = await Promise.race([exitCode(app), delay(100, 'not yet')])
    if (ended !== 'not yet') throw new Failure('The app did not start')
  }
  return app
}

async function answers(url) {
  return fetch(url).then(
    (response) => response.ok,
    () => false,
  )
}

/** The first free port from `first` on. */
async function freePort(first) {
  for (let port = first; port < first + 100; port += 1) if (await isFree(port)) return port
  throw new Failure(`The ports from ${first} to ${first + 99} are taken: set PORT to a free one`)
}

function isFree(port) {
  return new Promise((resolve) => {
    const probe = createServer().on('error', () => resolve(false))
    probe.listen(port, () => probe.close(() => resolve(true)))
  })
}

function keptSecret(file) {
  if (!existsSync(file)) keep(file, randomBytes(48).toString('base64url'))
  return readFileSync(file, 'utf8')
}

/** Replaces the file, so that only its owner can read it, whatever the permissions of an older file were. */
function keep(file, text) {
  rmSync(file, { force: true })
  writeFileSync(file, text, { mode: 0o600, flag: 'wx' })
}

function tour(url, link, demoKey) {
  const shown = (file) => path.relative(process.env.INIT_CWD ?? process.cwd(), file)
  const admin = `-H "x-admin-token: $(cat ${shown(files.adminToken)})"`
  const key = demoKey ? `$(cat ${shown(files.demoKey)})` : '<your key>'
  const json = `-H 'content-type: application/json'`
  const change = JSON.stringify({ id: demoKey?.id ?? '<an id>', rateLimit: 5 })
  const database = process.env.DATABASE_URL
    ? ''
    : `DATABASE_URL=$(cat ${shown(files.databaseUrl)}) `
  const cli = `${database}node ${shown(path.join(root, 'lib/cli/main.js'))}`
  return `
  ${link}

  This is the console. The link signs in once, within five minutes; for another one, run
  ${cli} console link --url ${url}/admin
  or sign in with the admin token at ${url}/admin

  The app is at ${url}

  ${url}/account is the page of a client, who manages their own keys.

  The admin token is in ${shown(files.adminToken)}${demoKey ? `, a key to try in ${shown(files.demoKey)}` : ''}.

  curl '${url}/api/search?q=shoes' -H "x-api-key: ${key}"
  curl '${url}/api/whoami' -H "Authorization: Bearer ${key}"
  curl '${url}/api/keys' ${admin}
  curl -X POST '${url}/api/keys' ${admin} ${json} -d '{"name":"Search","clientId":"acme"}'
  curl -X PATCH '${url}/api/keys' ${admin} ${json} -d '${change}'

  Press Ctrl-C to stop everything.
`
}
