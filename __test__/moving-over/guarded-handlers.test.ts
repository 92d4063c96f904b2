import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fileOf, read } from '../docs/markdown.js'
import { root, run } from '../support/child.js'

// A unit test of the app, as the guide replaces the guard in it.
const NAME = 'app/api/search/route.test.ts'
const replaced = fileOf('docs/moving-over.md', NAME)
const MOCK = /\/\/ With Jest.*?\n\}\)\)\n/s

let folder: string
beforeAll(() => {
  mkdirSync(join(root, 'target'), { recursive: true })
  folder = mkdtempSync(join(root, 'target/guarded-'))
  const at = (name: string) => join(folder, 'app/api/search', name)
  mkdirSync(at(''), { recursive: true })
  // Otherwise that of this repository is found.
  writeFileSync(join(folder, 'vitest.config.mjs'), 'export default {}\n')
  writeFileSync(at('route.ts'), read('examples/nextjs/app/api/search/route.ts'))
  writeFileSync(at('route.test.ts'), replaced)
  writeFileSync(at('guarded.test.ts'), replaced.replace(MOCK, '').replace('toBe(200)', 'toBe(401)'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a guarded handler answers 401 in a unit test, unless its guard is replaced', async () => {
  expect(replaced).toMatch(MOCK)
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const child = await run([process.execPath, vitest, 'run'], {
    cwd: folder,
    env: { NO_COLOR: '1' },
  })
  expect(child.code, child.stdout + child.stderr).toBe(0)
  expect(child.stdout).toMatch(/Tests +2 passed/)
})
