import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useSetting, type Issued } from '../support/setting.js'

const { flush, getApiKey, patchApiKey, verifyApiKey } = addon

const setting = useSetting()

/** Runs the bodies of functions of `(api, input)`, one after the other. */
const program = `
  const { parentPort, workerData } = require('node:worker_threads')
  const api = require(workerData)
  parentPort.on('message', async ({ body, input }) => {
    const call = async () => new Function('return ' + body)()(api, input)
    parentPort.postMessage(await call().then((value) => ({ value }), (error) => ({ error })))
  })`

class Thread {
  private readonly worker = new Worker(program, {
    eval: true,
    workerData: fileURLToPath(new URL('../../index.js', import.meta.url)),
  })

  async run<I, T>(body: (api: typeof addon, input: I) => Promise<T>, input: I): Promise<T> {
    this.worker.postMessage({ body: String(body), input })
    const [{ value, error }] = (await once(this.worker, 'message')) as [
      { value: T; error?: unknown },
    ]
    if (error) throw error
    return value
  }

  end(): Promise<number> {
    return this.worker.terminate()
  }
}

let threads: Thread[]
beforeAll(() => {
  threads = [new Thread(), new Thread()]
})
afterAll(() => Promise.all(threads.map((thread) => thread.end())))

/** Verifies every key, and answers what does not belong together. */
async function mixedUp(api: typeof addon, keys: Issued[]): Promise<unknown[]> {
  const wrong: unknown[] = []
  for (let round = 0; round < 20; round++) {
    const answers = await Promise.all(keys.map(({ key }) => api.verifyApiKey(key)))
    answers.forEach((answer, at) => {
      const { id, name } = keys[at]!
      if (!answer.valid || answer.keyId !== id || answer.name !== name) wrong.push([answer, id])
    })
  }
  return wrong
}

test('what one thread has proved costs the others no statement and no hash', async () => {
  const keys = await setting.warmKeys(200)
  const cost = await setting.cost(async () => {
    for (const thread of threads) expect(await thread.run(mixedUp, keys)).toEqual([])
  })
  expect(cost).toEqual({ selects: 0, hashes: 0, statements: [] })
  const [other] = await setting.coldKeys(1)
  await threads[0]!.run((api, key) => api.verifyApiKey(key), other!.key)
  const later = await setting.cost(async () => {
    expect((await threads[1]!.run((api, key) => api.verifyApiKey(key), other!.key)).valid).toBe(
      true,
    )
    expect((await verifyApiKey(other!.key)).valid).toBe(true)
  })
  expect(later).toEqual({ selects: 0, hashes: 0, statements: [] })
})

test('no thread mixes up answers while all are at work', async () => {
  const keys = await setting.coldKeys(300)
  const all = [mixedUp(addon, keys), ...threads.map((thread) => thread.run(mixedUp, keys))]
  expect(await Promise.all(all)).toEqual([[], [], []])
  await flush()
  for (const { id } of keys.slice(0, 5)) expect((await getApiKey(id))!.usageCount).toBe(60)
})

test('a limit is one for all threads', async () => {
  const perDay = { rateLimit: 1_000, rateLimitWindowSeconds: 86_400 }
  const [limited] = await setting.coldKeys(1, perDay)
  const accepted = async (api: typeof addon, key: string): Promise<number> => {
    let count = 0
    for (let time = 0; time < 600; time++) count += (await api.verifyApiKey(key)).valid ? 1 : 0
    return count
  }
  const counts = await Promise.all([
    accepted(addon, limited!.key),
    ...threads.map((thread) => thread.run(accepted, limited!.key)),
  ])
  expect(counts.reduce((a, b) => a + b)).toBe(1_000)
})

test('a change in one thread is seen at once in the others', async () => {
  const [warm] = await setting.warmKeys(1)
  const answersOf = async (thread: Thread): Promise<unknown> => {
    const answer = await thread.run((api, key) => api.verifyApiKey(key), warm!.key)
    return answer.valid ? answer.name : answer.code
  }
  for (let time = 0; time < 50; time++) {
    const name = `Name ${time}`
    await patchApiKey({ id: warm!.id, name })
    expect(await Promise.all(threads.map(answersOf))).toEqual([name, name])
  }
  await threads[0]!.run((api, id) => api.patchApiKey({ id, isActive: false }), warm!.id)
  expect((await verifyApiKey(warm!.key)).code).toBe('DISABLED')
  expect(await answersOf(threads[1]!)).toBe('DISABLED')
})

test('what a thread does to an answer stays there', async () => {
  const metadata = { deep: { list: [1] } }
  const expiresAt = new Date('2094-01-01T00:00:00Z')
  const [warm] = await setting.warmKeys(1, { scopes: ['a'], metadata, expiresAt })
  const spoil = async (api: typeof addon, key: string): Promise<string[]> => {
    const answer = (await api.verifyApiKey(key)) as any
    const thrown: string[] = []
    for (const change of [
      () => answer.scopes.push('*'),
      () => answer.metadata.deep.list.push(2),
      () => (answer.metadata.added = 1),
      () => answer.expiresAt.setTime(0),
      () => (answer.name = 'spoilt'),
    ]) {
      try {
        change()
      } catch (error) {
        thrown.push((error as Error).name)
      }
    }
    return thrown
  }
  await Promise.all([spoil(addon, warm!.key), ...threads.map((t) => t.run(spoil, warm!.key))])
  const expected = { name: 'Key', scopes: ['a'], metadata, expiresAt }
  expect(await verifyApiKey(warm!.key)).toMatchObject(expected)
  for (const thread of threads) {
    expect(await thread.run((api, key) => api.verifyApiKey(key), warm!.key)).toMatchObject(expected)
  }
})

test('threads that start and end, even in the middle of a verify, disturb no other thread', async () => {
  const keys = await setting.warmKeys(100)
  for (let time = 0; time < 5; time++) {
    const brief = new Thread()
    expect(await brief.run(mixedUp, keys)).toEqual([])
    // The result is not awaited.
    brief.run(mixedUp, keys).catch(() => {})
    await brief.end()
  }
  expect(await mixedUp(addon, keys)).toEqual([])
})
