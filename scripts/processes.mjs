/** Runs programs that all end with this process, and prints what is going on. */
import { spawn } from 'node:child_process'

/** An error that the user can correct. It is printed without a stack. */
export class Failure extends Error {}

const installHints = {
  npm: 'npm is missing: it comes with Node.js, https://nodejs.org',
  cargo: 'cargo is missing: the addon is built with Rust, https://rustup.rs',
}

/** Each running program, with the promise of its exit code. */
const running = new Map()
let ending

/**
 * Runs `work`, then ends the process with 0, with 1 after an error, or with `interrupted` after a signal. In every case all
 * programs are stopped, and the functions that `work` passed to `defer` are called, the last one first.
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
    // While we are ending, the failure of a program that we have stopped is expected.
    if (!ending) console.error(error instanceof Failure ? `\n${error.message}` : error)
    await end(1)
  }
}

/** Calls `stop` when npm, which started us, is killed: it cannot pass the signal on. */
function onNpmKilled(stop) {
  const npm = process.env.npm_lifecycle_event && process.ppid
  if (npm) setInterval(() => process.ppid !== npm && stop(), 500).unref()
}

/** Prints the title of a step, and how long the step took. */
export async function step(title, work) {
  const started = performance.now()
  console.log(`• ${title}`)
  const result = await work()
  console.log(`  done in ${((performance.now() - started) / 1000).toFixed(1)} s`)
  return result
}

/** Runs a program to its end, and throws a `Failure` if it fails. */
export async function run(program, args, options) {
  const code = await exitCode(launch(program, args, options))
  // Some programs exit with 0 when they are stopped: the next step must not run then.
  if (ending) await ending
  if (code !== 0) throw new Failure(`This failed: ${[program, ...args].join(' ')}`)
}

export function launch(program, args, options) {
  // The program gets a process group of its own, so that a signal also reaches the programs that it has started.
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
