/**
 * Tests the portable addon in projects of users: `npm run consumers`. With `-- --all`, also every version of Next.js on every
 * version of Node.js, and what the older versions of `create-next-app` write. Other arguments go to vitest.
 */
import { Failure, exitCode, launch, main } from './processes.mjs'
import { root } from './project.mjs'

const config = '__test__/package/consumers/vitest.config.mts'

main(async () => {
  const given = process.argv.slice(2)
  const args = given.filter((argument) => argument !== '--all')
  const all = args.length < given.length ? { TEST_ALL_CONSUMERS: 'yes' } : {}
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', config, ...args]
  const runner = launch(process.execPath, vitest, { cwd: root, env: { ...process.env, ...all } })
  if ((await exitCode(runner)) !== 0) throw new Failure('Some tests failed')
})
