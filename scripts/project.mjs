/** What must be in place before anything can run: packages, the addon, the example. */
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Failure, run, step } from './processes.mjs'

export const root = fileURLToPath(new URL('..', import.meta.url))
export const example = path.join(root, 'examples/nextjs')
/** Prisma is large: it is installed where it is tested, and not in the root. */
const prisma = path.join(root, '__test__/prisma')
const builtExample = path.join(example, '.next/complete')

/** Each step is skipped when its result is newer than what it is made of. */
export async function prepare() {
  checkNode()
  await install(root)
  await install(example)
  await buildAddon()
  await buildExample()
}

/** What only the tests need. Prisma's scripts would download an engine, which nothing here uses: see its `.npmrc`. */
export async function prepareTests() {
  await prepare()
  await install(prisma)
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
  if (isFresh(installed, [path.join(folder, 'package-lock.json')])) return
  await step(`Installing the packages of ${folder}`, () =>
    run('npm', ['ci', '--include=dev', '--loglevel=error'], { cwd: folder }),
  )
}

async function buildAddon() {
  const sources = ['src', '.sqlx', 'build.rs', 'Cargo.toml', 'Cargo.lock']
  if (isReleaseAddon() && isFresh(addonFile(), inside(root, sources))) return
  await step('Building the addon; the first time takes some minutes', async () => {
    await run('cargo', ['--version'], { cwd: root, env: cargoEnv() })
    await run('npm', ['run', '--silent', 'build'], { cwd: root, env: cargoEnv() })
  })
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
  // `next build` clears its folder first: this file stands for a build that came to its end.
  writeFileSync(builtExample, '')
}

const generated = new Set(['.next', 'node_modules', 'next-env.d.ts', 'tsconfig.tsbuildinfo'])

/** rustup's folder is not on the PATH of a shell that is older than rustup. */
export function cargoEnv() {
  const folders = [process.env.PATH, path.join(homedir(), '.cargo/bin')]
  return { ...process.env, PATH: folders.join(path.delimiter) }
}

function addonFile() {
  const prefix = `sophra-api-keys.${process.platform}-${process.arch}`
  const name = readdirSync(root).find((name) => name.startsWith(prefix) && name.endsWith('.node'))
  return path.join(root, name ?? `${prefix}.node`)
}

/** `npm run build:debug` leaves its addon in the same place: a release is what cargo has as one. */
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

/** A folder counts as well: it changes when one of its files is removed. */
function newest(file) {
  const stats = statSync(file, { throwIfNoEntry: false })
  if (!stats?.isDirectory()) return stats?.mtimeMs ?? 0
  return Math.max(stats.mtimeMs, ...readdirSync(file).map((name) => newest(path.join(file, name))))
}

function modified(file) {
  return statSync(file).mtimeMs
}
