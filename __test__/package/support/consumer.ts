import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { startRegistry } from '../../../scripts/registry.mjs'
import { root, run, type Ended } from '../../support/child.js'
import { usePacked } from './packed.js'

export interface Consumer {
  folder: string
  write(name: string, content: string): void
  install(...packages: string[]): Promise<void>
  /** Runs Node with these arguments, in the folder, without a Rust toolchain. */
  node(args: string[], env?: Record<string, string>): Promise<Ended>
  npm(args: string[], env?: Record<string, string>): Promise<Ended>
  /** The same project, where Node is this executable. */
  with(executable: string): Consumer
  /** A project that was made in a folder of this one. */
  in(folder: string): Consumer
  executable: string
}

const MINUTES = 60_000
const npmCli = (): string =>
  realpathSync(execFileSync('which', ['npm'], { encoding: 'utf8' }).trim())

/** Makes projects of users: folders outside of the repository, whose npm has our packages by a registry. */
export function useConsumers(): (source?: string) => Consumer {
  const packed = usePacked()
  const home = mkdtempSync(path.join(tmpdir(), 'consumers-'))
  // Root's Postgres runs as another user.
  chmodSync(home, 0o755)
  let registry: Awaited<ReturnType<typeof startRegistry>>
  beforeAll(async () => {
    registry = await startRegistry(packed().map(({ file }) => file))
  })
  afterAll(async () => {
    await registry.stop()
    // A program that a server started may still be ending.
    rmSync(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  })
  return (source) => {
    const folder = mkdtempSync(path.join(home, 'app-'))
    chmodSync(folder, 0o755)
    const skip = /[\\/](node_modules|\.next|package-lock\.json)$/
    if (source)
      cpSync(path.join(root, source), folder, {
        recursive: true,
        filter: (file) => !skip.test(file),
      })
    writeFileSync(
      path.join(folder, '.npmrc'),
      `@sophra:registry=${registry.url}\nfund=false\naudit=false\n`,
    )
    return consumerIn(folder, home, process.execPath)
  }
}

/** The PATH of a user. */
function onlyNode(home: string, executable: string): string {
  const bin = mkdtempSync(path.join(home, 'bin-'))
  symlinkSync(executable, path.join(bin, 'node'))
  symlinkSync(npmCli(), path.join(bin, 'npm'))
  return bin
}

/** The PATH of the system without the folders that hold a Rust toolchain. */
function withoutRust(bin: string): string {
  const hasRust = (folder: string) =>
    ['cargo', 'rustc'].some((name) => existsSync(path.join(folder, name)))
  const folders = process.env.PATH!.split(path.delimiter).filter((folder) => !hasRust(folder))
  return [bin, ...folders].join(path.delimiter)
}

function consumerIn(folder: string, home: string, executable: string): Consumer {
  const bin = onlyNode(home, executable)
  const write = (name: string, content: string): void => {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
    writeFileSync(path.join(folder, name), content)
  }
  const start = (args: string[], env: Record<string, string> = {}): Promise<Ended> =>
    run([executable, ...args], {
      cwd: folder,
      env: { PATH: withoutRust(bin), NEXT_TELEMETRY_DISABLED: '1', ...env },
      timeoutMs: 10 * MINUTES,
    })
  const npm = (args: string[], env?: Record<string, string>) => start([npmCli(), ...args], env)
  return {
    folder,
    write,
    node: start,
    npm,
    executable,
    with: (other) => consumerIn(folder, home, other),
    in: (name) => {
      const inner = path.join(folder, name)
      cpSync(path.join(folder, '.npmrc'), path.join(inner, '.npmrc'))
      return consumerIn(inner, home, executable)
    },
    install: async (...packages) => {
      const done = await npm(['install', '--prefer-offline', '--loglevel=error', ...packages])
      expect(done, done.stderr).toMatchObject({ code: 0 })
    },
  }
}

/** A tool of this repository, for a project that does not need one of its own. */
export const tool = (name: string): string => createRequire(import.meta.url).resolve(name)
