import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { addon } from './addon.js'
import type { Stats } from './stats.js'

type Api = typeof addon

/** The scope of a function that runs in the other process. */
export interface Here {
  api: Api
  stats(): Stats
  require: NodeJS.Require
}

export interface Peer {
  /** Runs a function over there. It sees nothing of where it was written but its arguments. */
  run<A extends unknown[], T>(
    body: (here: Here, ...args: A) => T | Promise<T>,
    ...args: A
  ): Promise<Awaited<T>>
  /** Stops the process in its tracks, lets it go on, or ends it there. */
  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void
  stop(): Promise<void>
}

interface Answer {
  id: number
  value?: unknown
  fault?: { message: string }
}

/** Another process with the addon, configured with `options`. */
export async function startPeer(options: Parameters<Api['configure']>[0]): Promise<Peer> {
  const program = fileURLToPath(new URL('peer-process.mjs', import.meta.url))
  const child = fork(program, {
    // Nothing of ours: neither what configures the addon nor what loads a test runner.
    env: { PATH: process.env.PATH },
    execArgv: [],
    serialization: 'advanced',
  })
  const waiting = new Map<number, (answer: Answer) => void>()
  let calls = 0
  child.on('message', (answer: Answer) => {
    waiting.get(answer.id)?.(answer)
    waiting.delete(answer.id)
  })
  child.once('exit', (code, signal) => {
    const fault = { message: `The other process ended: ${signal ?? code}` }
    for (const [id, settle] of waiting) settle({ id, fault })
  })
  const peer: Peer = {
    run: async (body, ...args) => {
      const id = ++calls
      const answer = new Promise<Answer>((resolve) => waiting.set(id, resolve))
      child.send({ id, source: String(body), args }, (error) => {
        // Killed a moment ago: its exit has yet to be told.
        if (error) waiting.get(id)?.({ id, fault: { message: error.message } })
      })
      const { fault, value } = await answer
      if (fault) throw Object.assign(new Error(fault.message), fault)
      return value as never
    },
    signal: (signal) => void child.kill(signal),
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      // A test that failed may have left it stopped.
      child.kill('SIGCONT')
      await peer.run(({ api }) => api.close()).catch(() => {})
      const gone = once(child, 'exit')
      child.disconnect()
      await gone
    },
  }
  await peer.run(({ api }, given) => api.configure(given), options)
  return peer
}
