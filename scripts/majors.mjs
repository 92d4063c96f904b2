/**
 * Runs a short set of the database tests on each older major version of Postgres: `npm run majors`. The whole suite runs on
 * the newest one. `npm run majors -- 13` runs the set on one version; further arguments go to vitest in place of the set.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Failure, exitCode, launch, main, step } from './processes.mjs'
import { prepareMajors, root } from './project.mjs'

const folder = path.join(root, '__test__/database/servers')

/** What depends on the server: the schema, its triggers, indexes and collations, and the statements of lists. */
const SET = [
  '__test__/database/schema',
  '__test__/database/watched-columns',
  '__test__/keys/list',
  '__test__/keys/search',
]

main(async () => {
  await prepareMajors()
  const [first, ...rest] = process.argv.slice(2)
  const failed = []
  for (const major of first ? [first] : majors()) {
    if ((await test(major, rest.length > 0 ? rest : SET)) !== 0) failed.push(major)
  }
  if (failed.length > 0) throw new Failure(`Tests failed on Postgres ${failed.join(', ')}`)
})

const majors = () => {
  const { devDependencies } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))
  return Object.keys(devDependencies).map((name) => name.replace('postgres-', ''))
}

const test = (major, files) =>
  step(`Postgres ${major}`, () =>
    exitCode(
      launch(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...files], {
        cwd: root,
        env: { ...process.env, TEST_POSTGRES_MAJOR: major },
      }),
    ),
  )
