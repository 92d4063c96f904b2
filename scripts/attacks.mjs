/**
 * Repeats the tests that attack what a fault would cost most: wrong answers, lost usage, memory without bound, and calls that
 * starve others. `npm run attacks` runs them 20 times; `npm run attacks -- 3` three times; further arguments go to vitest in
 * place of the set.
 */
import { Failure, exitCode, launch, main, step } from './processes.mjs'
import { prepareTests, root } from './project.mjs'

const SET = [
  // Changes that are missed: a suspended machine, a pruned log, a restored database, missing triggers.
  '__test__/warm/log-horizon',
  '__test__/warm/untracked',
  // Rows that cannot be written.
  '__test__/verify/unwritable',
  // Keys that are rotated and hashed anew while secrets change.
  '__test__/warm/digest-attacks',
  // Memory.
  '__test__/warm/templates',
  // Limits after a restart.
  '__test__/limits/restart',
  // Locked rows.
  '__test__/outage/locks',
]

main(async () => {
  await prepareTests()
  const [times = '20', ...files] = process.argv.slice(2)
  const rounds = Number(times)
  if (!Number.isInteger(rounds) || rounds < 1) throw new Failure(`Not a number of rounds: ${times}`)
  let failed = 0
  for (let round = 1; round <= rounds; round++) {
    const code = await step(`Round ${round} of ${rounds}`, () => exitCode(run(files)))
    if (code !== 0) failed++
  }
  console.log(`${rounds - failed} of ${rounds} rounds passed`)
  if (failed > 0) throw new Failure('Some tests failed')
})

const run = (files) =>
  launch(
    process.execPath,
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--reporter=dot',
      ...(files.length > 0 ? files : SET),
    ],
    { cwd: root },
  )
