import { expect } from 'vitest'
import { startScript, type Ended } from '../child.js'
import { newKey } from '../endings.js'
import { BUSY } from './terminations.js'

type Env = (key: Awaited<ReturnType<typeof newKey>>) => Record<string, string>

/** The ways to end a process in the middle of verifies, and the expected ends. */
const roads: [string, NodeJS.Signals | undefined, Partial<Ended>][] = [
  ['stopped = true', undefined, { code: 0, signal: null }],
  ['process.exit(3)', undefined, { code: 3, signal: null }],
  [`setImmediate(() => { throw new Error('Thrown') })`, undefined, { code: 1, signal: null }],
  ['', 'SIGTERM', { code: null, signal: 'SIGTERM' }],
  ['', 'SIGINT', { code: null, signal: 'SIGINT' }],
]

/** Processes that end by every road under load: each ends as it should, and at once. */
export async function exits(envFor: Env, count: number): Promise<void> {
  const key = await newKey()
  const end = async (at: number): Promise<void> => {
    const [source, signal, expected] = roads[at % roads.length]!
    const child = startScript(
      `${BUSY}
       let stopped = false
       const load = async () => { while (!stopped) await verify() }
       await verify()
       for (let n = 0; n < 8; n++) load()
       for (let n = 0; n < 20; n++) api.createApiKey({ name: 'n', clientId: 'c' }).catch(() => {})
       report('busy')
       ${source}`,
      { env: envFor(key) },
    )
    expect(await child.next()).toBe('busy')
    if (signal) child.signal(signal)
    const { code, signal: by, stdout, stderr } = await child.ended
    expect({ code, signal: by }, stderr).toEqual(expected)
    expect(stdout).toBe('')
    if (expected.code !== 1) expect(stderr).toBe('')
  }
  for (let at = 0; at < count; at += 2) {
    await Promise.all([at, at + 1].filter((one) => one < count).map(end))
  }
}
