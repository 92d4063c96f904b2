import { expect, test } from 'vitest'
import { cargoEnv } from '../../scripts/project.mjs'
import { run } from '../support/child.js'

// The parser itself, in Rust: `src/token/tests/random.rs`.
test('10,000,000 hostile strings are parsed without a panic or a hang', async () => {
  const { code, stdout, stderr } = await run(
    ['cargo', 'test', '--release', '--lib', 'hostile_strings_by_the_million'],
    { env: { PATH: cargoEnv().PATH, HOSTILE_STRINGS: '10000000' }, timeoutMs: 30 * 60_000 },
  )
  // The findings of the test, or the errors of the compiler.
  expect(code, stdout + stderr).toBe(0)
  expect(stdout).toMatch(/^test result: ok\. 1 passed/m)
})
