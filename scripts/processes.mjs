/** Runs programs so that all of them end with us, and tells the person in front what is going on. */
import { spawn } from 'node:child_process'

/** Something that the reader of its message can put right: shown without a stack. */
export class Failure extends Error {}

const installHints = {
  npm: 'npm is missing: it comes with Node.js, https://nodejs.org',
  cargo: 'cargo is missing: the addon is built with Rust, https://rustup.rs',
}

/** Each running program, with the promise of its exit code. */
const running = new Map()
let ending

/**
 * Runs `work` and ends the process: with 0, with 1 after a fault, with `interrupted` after a signal.
 * Whatever happens, no program is left running, and what `work` gave to `defer` runs last to first.
 */
export async function main(work, { interrupted = 130 } = {}) {
  const cleanups = []
  const finish = async (code) => {
    await stopPrograms()
    for (const cleanup of cleanups.reverse()) await cleanup()
    process.exit(code)
  }
  const end = (code) => (ending ??= finish(code))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => end(interrupted))
  onNpmKilled(() => end(interrupted))
  try {
    await work((cleanup) => cleanups.push(cleanup))
    await end(0)
  } catch (error) {
    // A program that was stopped by a signal of ours fails, which is no news.
    if (!ending) console.error(error instanceof Failure ? `\n${error.message}` : error)
    await end(1)
  }
}

/** An npm that is killed cannot pass it on. Who starts us without npm may well leave us alone. */
function onNpmKilled(stop) {
  const npm = process.env.npm_lifecycle_event && process.ppid
  if (npm) setInterval(() => process.ppid !== npm && stop(), 500).unref()
}

/** Says what is being done, and how long it took. */
export async function step(title, work) {
  const started = performance.now()
  console.log(`• ${title}`)
  const result = await work()
  console.log(`  done in ${((performance.now() - started) / 1000).toFixed(1)} s`)
  return result
}

/** Runs a program to its end; anything but success is a `Failure`. */
export async function run(program, args, options) {
  const code = await exitCode(launch(program, args, options))
  // Some programs call it a success that they were stopped: no next step may be built on that.
  if (ending) await ending
  if (code !== 0) throw new Failure(`This failed: ${[program, ...args].join(' ')}`)
}

export function launch(program, args, options) {
  // In a process group of its own: a signal reaches what the program started in turn.
  const child = spawn(program, args, { stdio: 'inherit', detached: true, ...options })
  const exited = new Promise((resolve, reject) => {
    child.once('error', (error) => reject(explain(program, error)))
    child.once('close', (code) => resolve(code ?? 1))
  })
  running.set(child, exited)
  exited.catch(() => {}).then(() => running.delete(child))
  return child
}

export function exitCode(child) {
  return running.get(child)
}

function explain(program, error) {
  return error.code === 'ENOENT' ? new Failure(installHints[program] ?? error.message) : error
}

async function stopPrograms() {
  for (const child of running.keys()) if (child.pid) process.kill(-child.pid, 'SIGTERM')
  await Promise.allSettled(running.values())
}
