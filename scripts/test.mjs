/**
 * Runs all tests: `npm test`. `npm test -- <filter>` passes its arguments to vitest, and skips the Rust tests.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Failure, exitCode, launch, main, step } from './processes.mjs'
import { cargoEnv, prepareTests, root } from './project.mjs'

main(async (defer) => {
  const filters = process.argv.slice(2)
  await prepareTests()
  const results = []
  if (filters.length === 0) results.push(await cargoTest(defer))
  results.push(await vitest(filters, defer))
  const count = (outcome) => results.reduce((sum, result) => sum + result[outcome], 0)
  console.log(`\n${count('passed')} passed, ${count('failed')} failed`)
  if (results.some(({ code }) => code !== 0)) throw new Failure('Some tests failed')
})

async function cargoTest(defer) {
  const { startPostgres } = await import('./postgres.mjs')
  const postgres = await startPostgres()
  defer(() => postgres.stop())
  return step('Rust tests', async () => {
    const cargo = launch('cargo', ['test', '--no-fail-fast'], {
      cwd: root,
      env: { ...ownEnv(), DATABASE_URL: postgres.url },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    cargo.stdout.pipe(process.stdout)
    const output = []
    cargo.stdout.on('data', (chunk) => output.push(chunk))
    const code = await exitCode(cargo)
    const summaries = Buffer.concat(output)
      .toString()
      .matchAll(/^test result: .* (\d+) passed; (\d+) failed/gm)
    const result = { code, passed: 0, failed: 0 }
    for (const [, passed, failed] of summaries) {
      result.passed += Number(passed)
      result.failed += Number(failed)
    }
    return result
  })
}

async function vitest(filters, defer) {
  const folder = mkdtempSync(path.join(tmpdir(), 'vitest-'))
  defer(() => rmSync(folder, { recursive: true }))
  const report = path.join(folder, 'report.json')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  return step('JavaScript tests', async () => {
    const runner = launch(
      process.execPath,
      ['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...filters],
      { cwd: root, env: ownEnv() },
    )
    const code = await exitCode(runner)
    return { code, ...counts(report) }
  })
}

/** A test file that cannot be loaded counts as a failed test. */
function counts(report) {
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'))
  const notLoaded = testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  )
  return { passed: numPassedTests, failed: numFailedTests + notLoaded.length }
}

/** The environment without the caller's own database and secrets: the tests set what they need. */
function ownEnv() {
  const foreign =
    /^(DATABASE_URL|DIRECT_DATABASE_URL|POSTGRESQL_URL|(USER_)?JWT_SECRET|API_KEYS_.*)$/
  return Object.fromEntries(Object.entries(cargoEnv()).filter(([name]) => !foreign.test(name)))
}
