import { expect } from 'vitest'
import { root, runScript } from '../child.js'
import { newKey } from '../endings.js'

type Env = (key: Awaited<ReturnType<typeof newKey>>) => Record<string, string>

/** Warm verifies, cold ones, and those of junk, without an end. */
const BUSY = `
  const { randomBytes } = require('node:crypto')
  async function verify() {
    const made = randomBytes(32).toString('base64url')
    const answers = await Promise.all([process.env.KEY, made, 'junk'].map((key) => api.verifyApiKey(key)))
    const codes = String(answers.map(({ code }) => code))
    if (codes !== 'VALID,INVALID_KEY,INVALID_KEY') throw new Error('Wrong: ' + codes)
  }
  const busy = async () => { for (;;) await verify() }`

/** A thread's program. It answers 'busy' in the middle of verifies. */
const thread = (does: string): string => `
  const { parentPort } = require('node:worker_threads')
  const api = require(${JSON.stringify(root)})
  ${BUSY}
  ;(async () => { ${does} })()`

/** Threads that are terminated in the middle of verifies: the process goes on, and ends as it wants to. */
export async function terminations(envFor: Env, count: number): Promise<void> {
  const key = await newKey()
  const source = thread(`await verify(); for (let n = 0; n < 4; n++) busy()
    parentPort.postMessage('busy')`)
  const child = await runScript(
    `${BUSY}
     const { Worker } = require('node:worker_threads')
     const { once } = require('node:events')
     let left = ${count}
     async function terminate() {
       while (left-- > 0) {
         const worker = new Worker(${JSON.stringify(source)}, { eval: true })
         await once(worker, 'message')
         const code = await worker.terminate()
         if (code !== 1) throw new Error('Ended with ' + code)
       }
     }
     await Promise.all([terminate(), terminate()])
     await verify()
     report('verifies')
     process.exitCode = 5`,
    { env: envFor(key), timeoutMs: 600_000 },
  )
  expect(child, child.stderr).toMatchObject({
    code: 5,
    signal: null,
    stdout: '',
    stderr: '',
    reports: ['verifies'],
  })
}

/** Threads that load the package, use it and end; answers the memory of the process in MiB, at a fifth and at the end. */
export async function loads(envFor: Env, count: number): Promise<[number, number]> {
  const key = await newKey()
  const source = thread('await verify()')
  const child = await runScript(
    `${BUSY}
     const { Worker } = require('node:worker_threads')
     const { once } = require('node:events')
     for (let n = 1; n <= ${count}; n++) {
       const worker = new Worker(${JSON.stringify(source)}, { eval: true })
       const [code] = await once(worker, 'exit')
       if (code !== 0) throw new Error('Ended with ' + code)
       if (n === ${Math.ceil(count / 5)} || n === ${count}) report(process.memoryUsage().rss / 2 ** 20)
     }
     await verify()`,
    { env: envFor(key), timeoutMs: 600_000 },
  )
  expect(child, child.stderr).toMatchObject({ code: 0, signal: null, stdout: '', stderr: '' })
  return child.reports as [number, number]
}
export { BUSY }
