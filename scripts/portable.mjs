/**
 * Builds an addon that runs on other Linux machines too: `npm run build:portable`. zig links it, for glibc 2.17 and newer or for
 * musl. The result is in `portable/`. The argument is a target; without one, the target is that of this machine.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { main, run, step } from './processes.mjs'
import { cargoEnv, root } from './project.mjs'

const PACKAGES = ['ziglang==0.17.1', 'cargo-zigbuild==0.24.1']
const folder = path.join(root, 'target/zig')
const tools = path.join(folder, 'bin')

main(async () => {
  const target =
    process.argv[2] ?? `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-unknown-linux-gnu`
  if (!existsSync(path.join(tools, 'cargo-zigbuild'))) {
    await step('Installing zig', async () => {
      await run('python3', ['-m', 'venv', folder])
      await run(path.join(tools, 'pip'), ['install', '--quiet', ...PACKAGES])
    })
  }
  const { PATH, ...env } = cargoEnv()
  const options = ['--cross-compile', '--target', target, '--target-dir', 'target/portable']
  await step(`Building for ${target}`, () =>
    run(process.execPath, ['scripts/build.mjs', ...options, '--output-dir', 'portable'], {
      cwd: root,
      env: { ...env, PATH: [tools, PATH].join(path.delimiter) },
    }),
  )
})
