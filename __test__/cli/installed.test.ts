import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { blocks, fileOf, read } from '../docs/markdown.js'
import { neutralEnvironment, root, run } from '../support/child.js'
import { freshDatabase, type Database } from '../support/database.js'
import { eventually } from '../support/eventually.js'

// A new user's path: the packed package in an empty folder, and then what the quick start says, to the letter.

const page = 'docs/quick-start/node-http.md'
const quickStart = read(page)

let database: Database
let folder: string
let app: string
let server: ChildProcess | undefined
beforeAll(async () => {
  database = await freshDatabase()
  folder = mkdtempSync(join(tmpdir(), 'new-user-'))
  app = join(folder, 'app')
})
afterAll(async () => {
  server?.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
  await database.drop()
})

/** The packages of the platform that this machine is: the addon is built here, so it is put into its package here. */
function platformPackage(): string {
  const artifact = readdirSync(root).find((name) => /^sophra-api-keys\..*\.node$/.test(name))!
  const platform = artifact.split('.')[1]!
  const copy = join(folder, 'platform')
  cpSync(join(root, 'npm', platform), copy, { recursive: true })
  cpSync(join(root, artifact), join(copy, artifact))
  return copy
}

async function shell(command: string): Promise<{ stdout: string; stderr: string }> {
  const child = await run(['bash', '-euc', command], {
    cwd: app,
    env: { DATABASE_URL: database.url },
    timeoutMs: 120_000,
  })
  expect(child.code, `${command}\n${child.stdout}${child.stderr}`).toBe(0)
  return child
}

test('from the packed package to a verified request, by the quick start', async () => {
  for (const source of [root, platformPackage()]) {
    const packed = await run(['npm', 'pack', source, '--pack-destination', folder], { cwd: folder })
    expect(packed.code, packed.stderr).toBe(0)
  }
  const tarballs = readdirSync(folder).filter((name) => name.endsWith('.tgz'))
  expect(tarballs).toHaveLength(2)
  mkdirSync(app)
  writeFileSync(join(app, 'package.json'), '{ "private": true }')
  // Everything is in the two: there is nothing to fetch.
  await shell(
    `npm install --offline --no-audit --no-fund ${tarballs.map((name) => `../${name}`).join(' ')}`,
  )
  expect(readdirSync(join(app, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual([
    '@sophra',
  ])

  const [install, prepare, start, ask] = blocks(quickStart, 'bash') as [
    string,
    string,
    string,
    string,
  ]
  expect(install).toBe('npm install @sophra/api-keys\n')
  // The database is the one of the test.
  await shell(prepare.replace(/^export DATABASE_URL=.*\n/, ''))
  expect(readFileSync(join(app, 'key.txt'), 'utf8')).toMatch(/^sophra_live_/)

  expect(start).toBe('node server.mjs\n')
  const port = await serve(fileOf(page, 'server.mjs'))
  const [command, answer] = ask.split('\n') as [string, string]
  const { stdout } = await shell(`${command.replace(':3000', `:${port}`)} --silent`)
  expect(answer).toBe(`# => ${stdout}`)
  const anonymous = await fetch(`http://localhost:${port}`)
  expect(anonymous.status).toBe(401)
}, 180_000)

/** Runs the server of the quick start on a free port, and waits until it listens. */
async function serve(source: string): Promise<number> {
  writeFileSync(join(app, 'server.mjs'), source)
  const port = await freePort()
  server = spawn(process.execPath, ['server.mjs'], {
    cwd: app,
    env: { ...neutralEnvironment(), DATABASE_URL: database.url, PORT: String(port) },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  await eventually(() => fetch(`http://localhost:${port}`), 60_000)
  return port
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0)
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}
