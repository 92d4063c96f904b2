/**
 * Packs the packages that are published: the main one, and one for each platform whose addon exists.
 * `npm run pack` writes the tarballs to `dist/`; `npm run pack -- --all` fails unless every platform has its addon. The pages of the
 * console are built first, and it fails if anything is larger than it may be.
 */
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import ts from 'typescript'
import { isConsoleFresh } from './project.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
/** The files of the console in the package. */
const PAGES = 'lib/console/files'

const KB = 1000
/** What may be downloaded at most, in bytes. */
const MOST = {
  'The main package': 360 * KB,
  'The main package without the pages of the console': 160 * KB,
  'All files of the console, compressed': 200 * KB,
  'What the first page of the console loads, compressed': 100 * KB,
}

/** The folder of the addons. Those of other platforms are built elsewhere. */
const addons = path.resolve(root, process.env.ADDONS ?? '.')

/**
 * @typedef {object} Packed
 * @property {string} name
 * @property {string} file the path of the tarball
 * @property {Record<string, any>} manifest its package.json
 * @property {string[]} files the paths of the files in it
 * @property {number} size the size of the tarball, in bytes
 */

/**
 * @param {string} into the folder to write to
 * @param {{ all?: boolean }} [options]
 * @returns {Packed[]} the main package first
 */
export function pack(into, { all = false } = {}) {
  const stage = mkdtempSync(path.join(tmpdir(), 'pack-'))
  try {
    mkdirSync(into, { recursive: true })
    buildConsole()
    const folders = stagePackages(stage, all)
    const packed = [stage, ...folders].map((folder) => packFolder(folder, into))
    checkSizes(stage, packed[0].size)
    return packed
  } finally {
    rmSync(stage, { recursive: true })
  }
}

function buildConsole() {
  if (isConsoleFresh()) return
  npm(['run', '--silent', 'build:console'], { cwd: root, stdio: 'inherit' })
}

/** Fails if anything is too large. Takes the pages of the console out of the folder of the main package. */
function checkSizes(stage, size) {
  const pages = sizesOfPages(path.join(stage, PAGES))
  rmSync(path.join(stage, PAGES), { recursive: true })
  const [{ size: others }] = JSON.parse(
    npm(['pack', '--json', '--dry-run', '--ignore-scripts'], { cwd: stage }),
  )
  const sizes = [size, others, ...pages]
  Object.entries(MOST).forEach(([what, most], at) => {
    if (sizes[at] > most) throw new Error(`${what}: ${sizes[at]} bytes, which is more than ${most}`)
  })
}

/** The sizes of all files together, and of those that the page names: as small as every server can send them. */
function sizesOfPages(folder) {
  const compressed = (file) => gzipSync(readFileSync(path.join(folder, file)), { level: 9 }).length
  const sum = (files) => files.reduce((size, file) => size + compressed(file), 0)
  const page = readFileSync(path.join(folder, 'index.html'), 'utf8')
  const assets = readdirSync(path.join(folder, 'assets')).map((name) => `assets/${name}`)
  return [
    sum(['index.html', ...assets]),
    sum(['index.html', ...assets.filter((name) => page.includes(name))]),
  ]
}

/** Runs npm, and returns what it prints. */
function npm(args, options) {
  return execFileSync('npm', args, {
    shell: process.platform === 'win32',
    encoding: 'utf8',
    ...options,
  })
}

/** Copies the packages to a folder, where their manifests are completed, and returns the folders of the platforms. */
function stagePackages(stage, all) {
  const { files } = read(root)
  for (const name of [...files, 'package.json', 'README.md', 'LICENSE', 'npm']) {
    cpSync(path.join(root, name), path.join(stage, name), { recursive: true })
  }
  const platforms = readdirSync(path.join(stage, 'npm')).map((name) =>
    path.join(stage, 'npm', name),
  )
  const optional = platforms.map(read).map(({ name, version }) => [name, version])
  change(stage, { ...repository(), optionalDependencies: Object.fromEntries(optional) })
  makeLinksAbsolute(stage)
  removeComments(stage)
  return platforms.filter((folder) => placeAddon(folder, all))
}

function placeAddon(folder, all) {
  const { main } = read(folder)
  const addon = path.join(addons, main)
  if (!existsSync(addon)) {
    if (all) throw new Error(`${main} is missing`)
    return false
  }
  cpSync(addon, path.join(folder, main))
  cpSync(path.join(root, 'LICENSE'), path.join(folder, 'LICENSE'))
  const { homepage, bugs } = read(root)
  change(folder, { homepage, bugs, ...repository() })
  return true
}

/** The comments of the code stay in the repository: they would be a seventh of the package. Those of the types stay. */
function removeComments(folder) {
  const files = readdirSync(folder, { recursive: true })
  for (const name of files.filter(
    (file) => file.endsWith('.js') && !file.startsWith(path.normalize(PAGES)),
  )) {
    const file = path.join(folder, name)
    const { ESNext: target } = ts.ScriptTarget
    const compilerOptions = { removeComments: true, target, module: ts.ModuleKind.Preserve }
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, ts.transpileModule(text, { compilerOptions, fileName: name }).outputText)
  }
}

/**
 * Makes the links of the README to files of the repository absolute: the package does not have these files. They lead to the tag of
 * this version.
 */
function makeLinksAbsolute(folder) {
  const { repository, version } = read(folder)
  const base = repository.url.replace(/^git\+|\.git$/g, '')
  const file = path.join(folder, 'README.md')
  const readme = readFileSync(file, 'utf8').replace(
    /\]\((?![a-z]+:|#)([^)\s]+)\)/g,
    // A picture as it is, and not the page that shows it.
    (_, target) => `](${base}/${isPicture.test(target) ? 'raw' : 'blob'}/v${version}/${target})`,
  )
  writeFileSync(file, readme)
}

const isPicture = /\.(webp|png|svg)$/

/**
 * The repository; that of the workflow in a release, since npm compares it with the repository that the provenance of the release
 * names.
 */
function repository() {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: name } = process.env
  const { repository } = read(root)
  return {
    repository: server && name ? { ...repository, url: `git+${server}/${name}.git` } : repository,
  }
}

function packFolder(folder, into) {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', path.resolve(into)]
  const [{ name, filename, files, size }] = JSON.parse(npm(args, { cwd: folder }))
  return {
    name,
    file: path.join(path.resolve(into), filename),
    manifest: read(folder),
    files: files.map((file) => file.path).sort(),
    size,
  }
}

function read(folder) {
  return JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))
}

function change(folder, fields) {
  const manifest = { ...read(folder), ...fields }
  writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const dist = path.join(root, 'dist')
  rmSync(dist, { recursive: true, force: true })
  for (const { file, size } of pack(dist, { all: process.argv.includes('--all') })) {
    console.log(`${path.relative(root, file)}  ${size} bytes`)
  }
}
