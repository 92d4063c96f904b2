/**
 * Tests the console in a real browser: `npm run browser`. With `-- --packed`, the example serves it, with the packages as they are
 * published installed in it. Other arguments go to vitest.
 */
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pack } from './pack.mjs'
import { Failure, exitCode, launch, main, run, step } from './processes.mjs'
import { example, root } from './project.mjs'
import { startRegistry } from './registry.mjs'

const config = '__test__/browser/vitest.config.mts'
const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium'

main(async (defer) => {
  if (!existsSync(chromium))
    throw new Failure(
      `There is no Chromium at ${chromium}: apt-get install chromium, or set CHROMIUM`,
    )
  const given = process.argv.slice(2)
  const args = given.filter((argument) => argument !== '--packed')
  const env = { ...process.env }
  if (args.length < given.length) env.CONSOLE_EXAMPLE = await packedExample(defer)
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', config, ...args]
  const runner = launch(process.execPath, vitest, { cwd: root, env })
  if ((await exitCode(runner)) !== 0) throw new Failure('Some tests failed')
})

/** A copy of the example outside of the repository, built with the packages as npm would install them. */
async function packedExample(defer) {
  const home = mkdtempSync(path.join(tmpdir(), 'console-'))
  defer(() => rmSync(home, { recursive: true, force: true, maxRetries: 20 }))
  const folder = path.join(home, 'examples/nextjs')
  const packed = await step('Packing', () => pack(path.join(home, 'packed')))
  const registry = await startRegistry(packed.map(({ file }) => file))
  defer(() => registry.stop())
  cpSync(example, folder, { recursive: true, filter: (file) => !isMade.test(file) })
  writeFileSync(
    path.join(folder, '.npmrc'),
    `@sophra:registry=${registry.url}\nfund=false\naudit=false\n`,
  )
  const cwd = folder
  await step('Installing the packages into the example', async () => {
    await run('npm', ['pkg', 'set', 'dependencies.@sophra/api-keys=*'], { cwd })
    await run('npm', ['install', '--prefer-offline', '--loglevel=error'], { cwd })
  })
  await step('Building the example', () =>
    run(process.execPath, ['node_modules/next/dist/bin/next', 'build'], {
      cwd,
      env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' },
    }),
  )
  return folder
}

const isMade = /[\\/](node_modules|\.next|package-lock\.json)$/
