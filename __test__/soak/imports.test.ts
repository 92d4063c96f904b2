import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { bin, cli } from '../cli/cli.js'
import { addon, cheapHashing } from '../support/addon.js'
import { neutralEnvironment } from '../support/child.js'
import { freshDatabase, type Database } from '../support/database.js'
import {
  expectAllOnce,
  fillBetterAuth,
  importThroughKills,
  keyOfRow,
} from '../support/scenarios/killed-imports.js'

// 100,000 keys of better-auth move in.

const ROWS = 100_000
const KILLS = 20
const FROM = ['import', '--from', 'better-auth']

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'imports-'))))
afterAll(() => rm(folder, { recursive: true }))

let database: Database
const env = () => ({
  DATABASE_URL: database.url,
  JWT_SECRET: 'the JWT secret of this test, of 32 bytes or more',
})
beforeEach(async () => {
  database = await freshDatabase()
  addon.configure({ databaseUrl: database.url, ...cheapHashing })
  await addon.migrate()
  await fillBetterAuth(database, ROWS)
})
afterEach(async () => {
  await addon.close()
  await database.drop()
})

/** Measures the event loop of the process that loads it, and writes it to a file at its end. */
const MONITOR = `
  const { monitorEventLoopDelay } = require('node:perf_hooks')
  const resolution = 1
  const loop = monitorEventLoopDelay({ resolution })
  // Not what comes before: loading the program.
  setImmediate(() => loop.enable())
  process.on('exit', () => {
    loop.disable()
    const ms = (nanoseconds) => Math.round((nanoseconds / 1e6 - resolution) * 10) / 10
    const delays = { p50: ms(loop.percentile(50)), p99: ms(loop.percentile(99)), max: ms(loop.max) }
    require('node:fs').writeFileSync(process.env.LOOP_FILE, JSON.stringify(delays))
  })`

test('100,000 keys are imported, and all of them verify', async () => {
  const monitor = join(folder, 'monitor.cjs')
  const report = join(folder, 'loop.json')
  await writeFile(monitor, MONITOR)
  const start = performance.now()
  const child = spawn(process.execPath, ['--require', monitor, bin, ...FROM], {
    env: { ...neutralEnvironment(), ...env(), LOOP_FILE: report },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let printed = ''
  for await (const chunk of child.stdout.setEncoding('utf8')) printed += chunk
  const seconds = (performance.now() - start) / 1_000
  expect(printed).toBe(`Imported: ${ROWS}\nSkipped: 0\nFailed: 0\n`)
  console.log(
    `${ROWS} keys imported in ${seconds.toFixed(1)} s (${Math.round(ROWS / seconds)}/s),` +
      ` event loop delay ${await readFile(report, 'utf8')} ms (aim: p99 10)`,
  )
  await expectAllOnce(database, ROWS)
  await expectAllVerify()
  // Replaced at their first use, or when they are next read.
  expect((await addon.migrate()).remaining).toBe(0)
  expect((await addon.health()).problems).toEqual([])
})

test('100,000 keys are imported by a command that is killed 20 times', async () => {
  const start = performance.now()
  await importThroughKills(database, env(), { rows: ROWS, kills: KILLS })
  const seconds = (performance.now() - start) / 1_000
  console.log(`${ROWS} keys imported through ${KILLS} kills in ${seconds.toFixed(0)} s`)
  await expectAllVerify()
})

/** Each by its own answer: of its row, and accepted. */
async function expectAllVerify(): Promise<void> {
  const start = performance.now()
  const input = Array.from({ length: ROWS }, (_, at) => keyOfRow(at + 1)).join('\n')
  const { stdout } = await cli(['keys', 'verify', '--each'], {
    env: env(),
    input,
    timeoutMs: 20 * 60_000,
  })
  const lines = stdout.trimEnd().split('\n')
  expect(lines).toHaveLength(ROWS)
  const wrong = lines.filter((line, at) => line !== `${at + 1}  VALID  id-${at + 1}`)
  expect(wrong).toEqual([])
  const seconds = (performance.now() - start) / 1_000
  console.log(`${ROWS} keys verified in ${seconds.toFixed(0)} s`)
}
