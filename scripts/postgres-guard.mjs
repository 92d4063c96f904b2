/**
 * The process between `startPostgres` and the server. It sets the server up, and stops it as soon as its own parent is gone,
 * whether the parent exited or was killed.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createWriteStream, existsSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import { createRequire } from 'node:module'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { canEnter, serverAccount } from './account.mjs'

const options = JSON.parse(process.argv[2])
/** An older major version, for `npm run majors`. By default the server is the one of the repository's own packages. */
const major = process.env.TEST_POSTGRES_MAJOR
const parentGone = new Promise((resolve) => process.once('disconnect', resolve))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, leaveParent)

let account
let scratch
try {
  account = serverAccount(options.dataDir)
  scratch = await makeScratch()
  const server = await start()
  if (process.connected) process.send(server.description)
  await Promise.race([parentGone, server.exited])
  await stop(server)
} catch (error) {
  // Without a parent there is no one to report the error to.
  if (process.connected) await new Promise((sent) => process.send({ error: error.message }, sent))
} finally {
  if (scratch) await fs.rm(scratch, { recursive: true, force: true })
  leaveParent()
}

function leaveParent() {
  if (process.connected) process.disconnect()
}

async function start() {
  const dataDir = path.resolve(options.dataDir ?? path.join(scratch, 'data'))
  await checkFolder(dataDir)
  const binaries = await findBinaries()
  await waitForPredecessor(dataDir)
  if (!existsSync(path.join(dataDir, 'PG_VERSION'))) await initialise(dataDir, binaries)
  const password = await fs.readFile(path.join(dataDir, 'password'), 'utf8')
  const { port, pid, ...server } = await serve(dataDir, binaries)
  return { ...server, description: { port, pid, dataDir, password } }
}

/** Makes a temporary folder that the server's account can enter too. */
async function makeScratch() {
  for (const base of [tmpdir(), '/tmp', '/var/tmp']) {
    if (!canEnter(account, base)) continue
    const folder = await fs.mkdtemp(path.join(base, 'embedded-postgres-'))
    await fs.chmod(folder, 0o711)
    return folder
  }
  throw new Error('There is no temporary folder that an unprivileged account can enter')
}

async function checkFolder(dataDir) {
  const parent = path.dirname(dataDir)
  await fs.mkdir(parent, { recursive: true })
  if (!canEnter(account, parent)) {
    throw new Error(
      `Postgres cannot run as root, and an unprivileged account cannot enter ${parent}`,
    )
  }
  const owner = await fs.stat(dataDir).catch(() => undefined)
  if (!account && owner && owner.uid !== (process.getuid?.() ?? owner.uid)) {
    throw new Error(`${dataDir} belongs to another user: start as that user, or as root`)
  }
}

async function findBinaries() {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  const { postgres } = await import(locate(name)).catch(() => {
    throw new Error(`${name} is not installed: there is no embedded Postgres for this machine`)
  })
  let folder = path.resolve(postgres, '../..')
  await restoreLinks(folder)
  if (!canEnter(account, postgres)) {
    const copy = path.join(scratch, 'native')
    await fs.cp(folder, copy, { recursive: true, verbatimSymlinks: true })
    execFileSync('chown', ['-R', `${account.uid}:${account.gid}`, copy])
    folder = copy
  }
  return { postgres: path.join(folder, 'bin/postgres'), initdb: path.join(folder, 'bin/initdb') }
}

function locate(name) {
  if (!major) return name
  const servers = '../__test__/database/servers/node_modules'
  const from = fileURLToPath(new URL(`${servers}/postgres-${major}/package.json`, import.meta.url))
  try {
    // Otherwise the folders above are searched, where another version is.
    if (!existsSync(from)) throw new Error(`${from} is missing`)
    return pathToFileURL(createRequire(from).resolve(name)).href
  } catch {
    return `${name} of Postgres ${major}`
  }
}

/** npm packages cannot hold symbolic links. Usually an install script makes them, but npm may not run scripts. */
async function restoreLinks(folder) {
  const list = await fs.readFile(path.join(folder, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const { source, target } of JSON.parse(list)) {
    const link = path.resolve(folder, '..', target)
    if (!existsSync(link)) await fs.symlink(path.basename(source), link)
  }
}

/** Waits for the server of an earlier process, which stops if that process was killed. Fails if the server stays. */
async function waitForPredecessor(dataDir) {
  const file = path.join(dataDir, 'postmaster.pid')
  const [pid, , , port] = (await fs.readFile(file, 'utf8').catch(() => '')).split('\n').map(Number)
  if (!pid) return
  for (const deadline = Date.now() + 10_000; await isPostgres(pid); await delay(100)) {
    if (Date.now() < deadline) continue
    if (!(await answers(port))) break
    throw new Error(`Another Postgres (process ${pid}) already serves ${dataDir}`)
  }
  await fs.rm(file, { force: true })
}

async function isPostgres(pid) {
  const name = existsSync('/proc/self/comm')
    ? await fs.readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')
    : spawnSync('ps', ['-o', 'comm=', '-p', String(pid)], { encoding: 'utf8' }).stdout
  return path.basename(name?.trim() ?? '') === 'postgres'
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}

/** Makes the data folder under another name and then renames it, so that it is never there half made. */
async function initialise(dataDir, { initdb }) {
  const fresh = `${dataDir}.${process.pid}`
  const password = `${fresh}.password`
  try {
    await fs.mkdir(fresh, { mode: 0o700 })
    await fs.writeFile(password, randomBytes(24).toString('base64url'), { mode: 0o600 })
    if (account) {
      for (const item of [fresh, password]) await fs.chown(item, account.uid, account.gid)
    }
    const flags = ['--encoding=UTF8', '--locale=C', '--auth=scram-sha-256', '--username=postgres']
    // Older versions have no such locale.
    if (!(major < 17)) flags.push('--locale-provider=builtin', '--builtin-locale=C.UTF-8')
    if (!options.durable) flags.push('--no-sync')
    const log = []
    const child = launch(initdb, ['-D', fresh, `--pwfile=${password}`, ...flags], log)
    if ((await child.exited) !== 0) throw new Error(`initdb failed:\n${log.join('\n')}`)
    await fs.rename(password, path.join(fresh, 'password'))
    await fs.rmdir(dataDir).catch((error) => {
      if (error.code === 'ENOTEMPTY')
        throw new Error(`${dataDir} holds files that do not belong to Postgres`)
      if (error.code !== 'ENOENT') throw error
    })
    await fs.rename(fresh, dataDir)
  } finally {
    await fs.rm(fresh, { recursive: true, force: true })
    await fs.rm(password, { force: true })
  }
}

async function serve(dataDir, { postgres }) {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 300,
  }
  if (!options.durable) {
    Object.assign(settings, { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' })
  }
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort())
    const flags = Object.entries({ ...settings, port }).flatMap(([key, value]) => [
      '-c',
      `${key}=${value}`,
    ])
    const log = []
    const child = launch(postgres, ['-D', dataDir, ...flags], log, `${dataDir}.log`)
    const ready = await Promise.race([child.ready, child.exited.then(() => false)])
    if (ready) return { ...child, port, pid: child.process.pid }
    // Another program may have taken the port since it was found free.
    const taken = log.some((line) => line.includes('Address already in use'))
    if (taken && options.port) throw new Error(`Port ${port} is taken`)
    if (!taken || attempt === 5) throw new Error(`Postgres did not start:\n${log.join('\n')}`)
  }
}

/** Runs a program of Postgres as the server's account. `log` collects the last lines that the program prints. */
function launch(program, args, log, logFile) {
  const child = spawn(program, args, {
    ...account,
    cwd: '/',
    env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const file = logFile && createWriteStream(logFile, { mode: 0o600 }).on('error', () => {})
  const ready = new Promise((resolve) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      file?.write(`${line}\n`)
      log.push(line)
      if (log.length > 20) log.shift()
      // A standby says `read-only connections`.
      if (/ready to accept (read-only )?connections/.test(line)) resolve(true)
    })
  })
  const exited = new Promise((resolve) => {
    child.on('error', (error) => resolve(log.push(error.message)))
    child.on('close', (code) => resolve(code))
  })
  parentGone.then(() => child.kill('SIGINT'))
  return { process: child, ready, exited }
}

async function stop({ process: child, exited }) {
  // A suspended process would not handle the second signal. A server whose data is temporary need not stop cleanly.
  child.kill('SIGCONT')
  child.kill(options.dataDir ? 'SIGINT' : 'SIGQUIT')
  const deadline = setTimeout(() => child.kill('SIGQUIT'), 10_000)
  await exited
  clearTimeout(deadline)
}

async function freePort() {
  const probe = createServer()
  await new Promise((resolve, reject) => probe.on('error', reject).listen(0, '127.0.0.1', resolve))
  const { port } = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return port
}
