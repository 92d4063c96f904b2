/** Prepares the checkout: installs packages, and builds the addon and the example. */
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Failure, run, step } from './processes.mjs'

export const root = fileURLToPath(new URL('..', import.meta.url))
export const example = path.join(root, 'examples/nextjs')
/** These are large, so they are installed only where they are needed. Their `.npmrc` disables install scripts, which download. */
const prisma = path.join(root, '__test__/prisma')
const betterAuth = path.join(root, '__test__/better-auth')
const tools = path.join(root, '__test__/process/tools')
const servers = path.join(root, '__test__/database/servers')
const nests = [10, 11].map((version) => path.join(root, `__test__/servers/nest-${version}`))
const pages = path.join(root, 'console')
/** The last file that the build of the console writes. */
const builtPages = path.join(root, 'lib/console/files/index.html')
const builtExample = path.join(example, '.next/complete')

/** Skips each step whose result is newer than its sources. */
export async function prepare() {
  checkNode()
  await install(root)
  await install(example)
  await buildAddon()
  await buildConsole()
  await buildExample()
}

/** Also installs what only the tests need. */
export async function prepareTests() {
  await prepare()
  await install(prisma)
  await install(betterAuth)
  await install(tools)
  for (const nest of nests) await install(nest)
}

/** Also installs the older major versions of Postgres. */
export async function prepareMajors() {
  await prepare()
  await install(servers)
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > 20 || (major === 20 && minor >= 19)) return
  throw new Failure(
    `Development needs Node.js 20.19 or newer, and this is ${process.versions.node}`,
  )
}

async function install(folder) {
  const installed = path.join(folder, 'node_modules/.package-lock.json')
  const locked = existsSync(path.join(folder, 'package-lock.json'))
  const source = path.join(folder, locked ? 'package-lock.json' : 'package.json')
  if (isFresh(installed, [source])) return
  await step(`Installing the packages of ${folder}`, () =>
    run('npm', [locked ? 'ci' : 'install', '--include=dev', '--loglevel=error'], { cwd: folder }),
  )
}

async function buildAddon() {
  const sources = ['src', 'crates', '.sqlx', 'build.rs', 'Cargo.toml', 'Cargo.lock']
  if (isReleaseAddon() && isFresh(addonFile(), inside(root, sources))) return
  await step('Building the addon; the first time takes some minutes', async () => {
    await run('cargo', ['--version'], { cwd: root, env: cargoEnv() })
    await run('npm', ['run', '--silent', 'build'], { cwd: root, env: cargoEnv() })
  })
}

async function buildConsole() {
  if (isConsoleFresh()) return
  await step('Building the console', () =>
    run('npm', ['run', '--silent', 'build:console'], { cwd: root }),
  )
}

/** Whether the pages of the console were built since they were changed. */
export function isConsoleFresh() {
  return isFresh(builtPages, [pages, path.join(root, 'package-lock.json')])
}

async function buildExample() {
  const sources = readdirSync(example).filter((name) => !generated.has(name))
  const addon = ['index.js', 'lib', 'native.js', 'next.js']
  addon.push(path.basename(addonFile()))
  if (isFresh(builtExample, [...inside(example, sources), ...inside(root, addon)])) return
  await step('Building the example', () =>
    run(process.execPath, ['node_modules/next/dist/bin/next', 'build'], {
      cwd: example,
      env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' },
    }),
  )
  // `next build` first clears its folder, so this file exists only after a complete build.
  writeFileSync(builtExample, '')
}

const generated = new Set(['.next', 'node_modules', 'next-env.d.ts', 'tsconfig.tsbuildinfo'])

/** A shell that was started before rustup was installed does not have its folder on the PATH. */
export function cargoEnv() {
  const folders = [process.env.PATH, path.join(homedir(), '.cargo/bin')]
  return { ...process.env, PATH: folders.join(path.delimiter) }
}

function addonFile() {
  const prefix = `sophra-api-keys.${process.platform}-${process.arch}`
  const name = readdirSync(root).find((name) => name.startsWith(prefix) && name.endsWith('.node'))
  return path.join(root, name ?? `${prefix}.node`)
}

/** Whether the addon is the release that cargo has built: `npm run build:debug` writes to the same place. */
function isReleaseAddon() {
  const target = path.join(root, 'target')
  if (!existsSync(target) || !existsSync(addonFile())) return false
  const extension = process.platform === 'darwin' ? 'dylib' : 'so'
  return readdirSync(target)
    .map((triple) => path.join(target, triple, `release/libsophra_api_keys.${extension}`))
    .some(
      (library) => existsSync(library) && readFileSync(library).equals(readFileSync(addonFile())),
    )
}

function inside(folder, names) {
  return names.map((name) => path.join(folder, name))
}

function isFresh(result, sources) {
  return existsSync(result) && sources.every((source) => newest(source) <= modified(result))
}

/** The time of the newest file. Folders count too, because their time changes when a file is removed. */
function newest(file) {
  const stats = statSync(file, { throwIfNoEntry: false })
  if (!stats?.isDirectory()) return stats?.mtimeMs ?? 0
  return Math.max(stats.mtimeMs, ...readdirSync(file).map((name) => newest(path.join(file, name))))
}

function modified(file) {
  return statSync(file).mtimeMs
}
