/**
 * Installs tarballs as a user would, on a machine with nothing but Node.js, and runs the tests of the jest recipe with them:
 * `node scripts/smoke.mjs dist`. They use the Postgres of TEST_SERVER_URL, or one from npm.
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
  // If root starts Postgres, it runs as another user, who must be able to enter the folder.
  chmodSync(cwd, 0o755)
  const filter = (file) => !file.includes('node_modules')
  cpSync(recipes, cwd, { recursive: true, filter })
  writeFileSync(path.join(cwd, '.npmrc'), `@sophra:registry=${registry.url}\n`)

  const npm = (...args) => run('npm', args, { cwd, shell: process.platform === 'win32' })
  await step('Installing', () => npm('install', '--no-audit', '--no-fund', '--loglevel=error'))
  await step('Testing', () => npm('run', '--silent', 'test:jest'))
})
