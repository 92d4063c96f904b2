/**
 * Installs tarballs as a user does, where there is nothing but Node.js, and runs the recipe for jest with them:
 * `node scripts/smoke.mjs dist`. On the Postgres of TEST_SERVER_URL, or else on one from npm.
 */
import { chmodSync, cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { main, run, step } from './processes.mjs'
import { startRegistry } from './registry.mjs'

const recipes = fileURLToPath(new URL('../examples/testing', import.meta.url))

main(async (defer) => {
  const dist = path.resolve(process.argv[2])
  const tarballs = readdirSync(dist).filter((name) => name.endsWith('.tgz'))
  const registry = await startRegistry(tarballs.map((name) => path.join(dist, name)))
  defer(() => registry.stop())

  const cwd = mkdtempSync(path.join(tmpdir(), 'smoke-'))
  defer(() => rmSync(cwd, { recursive: true, force: true }))
  // Root's Postgres runs as another user.
  chmodSync(cwd, 0o755)
  const filter = (file) => !file.includes('node_modules')
  cpSync(recipes, cwd, { recursive: true, filter })
  writeFileSync(path.join(cwd, '.npmrc'), `@sophra:registry=${registry.url}\n`)

  const npm = (...args) => run('npm', args, { cwd, shell: process.platform === 'win32' })
  await step('Installing', () => npm('install', '--no-audit', '--no-fund', '--loglevel=error'))
  await step('Testing', () => npm('run', '--silent', 'test:jest'))
})
