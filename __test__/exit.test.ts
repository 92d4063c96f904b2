import { Client } from 'pg'
import { describe, expect, test } from 'vitest'
import { addon } from './support/addon.js'
import { root, runScript, startScript, type Ended, type Running } from './support/child.js'
import { eventually } from './support/eventually.js'
import { useAddon } from './support/use-addon.js'
import { startTap } from './warm/support/tap.js'

const { createApiKey } = addon

const database = useAddon()

type Key = Awaited<ReturnType<typeof createApiKey>>
type Env = Record<string, string>

const USES = 25
/** An interval that never comes: what is stored, the end of the process has stored. */
const NEVER = { API_KEYS_FLUSH_INTERVAL_MS: '600000' }

const newKey = (limit: object = {}): Promise<Key> =>
  createApiKey({ name: 'n', clientId: 'c', ...limit })

const envFor = ({ key }: Key, env: Env = {}): Env => ({
  DATABASE_URL: database.url(),
  KEY: key,
  ...NEVER,
  ...env,
})

async function usesOf({ id }: Key): Promise<number> {
  const rows = await database.sql(
    `SELECT "usageCount"::int AS uses FROM "ApiKey" WHERE "id" = $1`,
    [id],
  )
  return rows[0]!.uses as number
}

const isSuspended = async ({ id }: Key): Promise<boolean> => {
  const rows = await database.sql(`SELECT "suspendedUntil" FROM "ApiKey" WHERE "id" = $1`, [id])
  return rows[0]!.suspendedUntil !== null
}

const verify = (times = USES): string =>
  `for (let n = 0; n < ${times}; n++) await api.verifyApiKey(process.env.KEY);`
/** Keeps the process alive until the test ends it. */
const STAY = `const staying = setInterval(() => {}, 1_000);`

/** What a process of its own has used once the key is warm and the test may go on. */
async function started(source: string, env: Env): Promise<Running> {
  const child = startScript(source, { env })
  expect(await child.next()).toBe('ready')
  return child
}

const silent = { stdout: '', stderr: '' }

describe('usage is stored by a process that', () => {
  const ends: [string, string, Partial<Ended>][] = [
    ['returns', '', { code: 0, ...silent }],
    ['closes and exits', 'await api.close(); process.exit(3)', { code: 3, ...silent }],
    ['closes and exits at once', 'api.close(); process.exit(3)', { code: 3, ...silent }],
    ['exits', 'process.exit(3)', { code: 3, ...silent }],
    ['exits while it flushes', 'api.flush(); process.exit(3)', { code: 3, ...silent }],
    ['sets an exit code and returns', 'process.exitCode = 4', { code: 4, ...silent }],
    ['throws and nobody catches', `setImmediate(() => { throw new Error('Thrown') })`, { code: 1 }],
    ['rejects and nobody catches', `throw new Error('Thrown')`, { code: 1 }],
  ]
  test.each(ends)('%s', async (_, end, expected) => {
    const key = await newKey()
    const child = await runScript(`${verify()} ${end}`, { env: envFor(key) })
    expect(child).toMatchObject({ signal: null, ...expected })
    if (expected.code === 1) expect(child.stderr).toContain('Thrown')
    expect(await usesOf(key)).toBe(USES)
  })
})

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
  const running = (key: Key, source: string): Promise<Running> =>
    started(`${STAY} ${source} report('ready')`, envFor(key))

  test('ends the process as it does by default, once usage is stored', async () => {
    const key = await newKey()
    const child = await running(key, verify())
    child.signal(signal)
    expect(await child.ended).toMatchObject({ code: null, signal, ...silent })
    expect(await usesOf(key)).toBe(USES)
  })

  const decides = `() => { report('called'); setTimeout(() => process.exit(7), 10) }`
  const closes = `async () => { report('called'); await api.close(); process.exit(7) }`
  const apps: [string, string][] = [
    ['once, and closes', `${verify()} process.once('${signal}', ${closes});`],
    ['once, before the first verify', `process.once('${signal}', ${closes}); ${verify()}`],
    ['before the first verify', `process.on('${signal}', ${decides}); ${verify()}`],
    ['after the first verify', `${verify()} process.on('${signal}', ${decides});`],
    ['first of all', `${verify()} process.prependListener('${signal}', ${decides});`],
  ]
  test.each(apps)('is left to an app that listens %s', async (_, source) => {
    const key = await newKey()
    const child = await running(key, source)
    child.signal(signal)
    const end = await child.ended
    expect(end).toMatchObject({ code: 7, signal: null, ...silent })
    expect(end.reports).toEqual(['ready', 'called'])
    expect(await usesOf(key)).toBe(USES)
  })

  test('does not end an app that listens and goes on', async () => {
    const key = await newKey()
    const listen = `process.on('${signal}', () => report('called'));
      process.on('SIGUSR2', async () => { ${verify()} clearInterval(staying) });`
    const child = await running(key, `${listen} ${verify()}`)
    for (const uses of [1, 1]) {
      child.signal(signal)
      expect(await child.next()).toBe('called')
      expect(await usesOf(key)).toBe(USES * uses)
    }
    child.signal('SIGUSR2')
    expect(await child.ended).toMatchObject({ code: 0, signal: null, ...silent })
    expect(await usesOf(key)).toBe(2 * USES)
  })

  test('ends a process with two copies of the package', async () => {
    const key = await newKey()
    const second = `
      for (const path of Object.keys(require.cache)) delete require.cache[path]
      const other = require('@sophra/api-keys')
      report(other !== api)
      for (let n = 0; n < ${USES}; n++) await other.verifyApiKey(process.env.KEY);`
    const child = startScript(`${STAY} ${verify()} ${second}`, {
      env: envFor(key),
      timeoutMs: 20_000,
    })
    expect(await child.next()).toBe(true)
    child.signal(signal)
    expect(await child.ended).toMatchObject({ code: null, signal, ...silent })
  })
})

test('importing the package leaves signals and the end of the process alone', async () => {
  const child = await runScript(
    `report(['SIGTERM', 'SIGINT', 'exit', 'beforeExit'].map((name) => process.listenerCount(name)))`,
  )
  expect(child).toEqual({ code: 0, signal: null, ...silent, reports: [[0, 0, 0, 0]] })
})

describe('a suspension of the last moment is stored', () => {
  const limit = { rateLimit: 1, rateLimitWindowSeconds: 86_400 }
  // Nothing else is left to be stored, so nothing else can take it along.
  const exceed = `${verify(1)} await api.flush(); report((await api.verifyApiKey(process.env.KEY)).code);`
  const ends: [string, string, Partial<Ended>][] = [
    ['by process.exit', 'process.exit(3)', { code: 3 }],
    ['by a natural end', '', { code: 0 }],
    ['by a signal', `process.kill(process.pid, 'SIGTERM'); ${STAY}`, { signal: 'SIGTERM' }],
    ['by close', 'await api.close(); process.exit(3)', { code: 3 }],
    ['by flush', 'await api.flush(); process.kill(process.pid, "SIGKILL")', { signal: 'SIGKILL' }],
  ]
  test.each(ends)('%s', async (_, end, expected) => {
    for (let time = 0; time < 5; time++) {
      const key = await newKey(limit)
      const child = await runScript(`${exceed} ${end}`, { env: envFor(key) })
      expect(child).toMatchObject({ ...expected, reports: ['RATE_LIMITED'] })
      expect(await isSuspended(key)).toBe(true)
      expect(await usesOf(key)).toBe(1)
    }
  })
})

describe('a thread that alone has loaded the package', () => {
  const threadDoes = (source: string): string => `
    const { Worker } = require('node:worker_threads')
    const source = ${JSON.stringify(`
      const { parentPort } = require('node:worker_threads')
      const api = require(${JSON.stringify(root)})
      ;(async () => { ${verify()} parentPort.postMessage('used'); ${source} })()`)}
    const worker = new Worker(source, { eval: true })
    await new Promise((resolve) => worker.once('message', resolve))`
  const ended = `await new Promise((resolve) => worker.once('exit', resolve))`
  const stay = 'setInterval(() => {}, 1_000)'
  const ends: [string, string, string, number][] = [
    ['returns', '', ended, 0],
    ['exits', 'process.exit(5)', ended, 0],
    ['throws', `throw new Error('Thrown')`, `worker.on('error', () => {}); ${ended}`, 0],
    ['is terminated', stay, 'await worker.terminate()', 0],
    ['is alive when the process exits', stay, 'process.exit(3)', 3],
    ['never yields when it is terminated', 'for (;;);', 'await worker.terminate()', 0],
  ]
  test.each(ends)('and %s stores its usage', async (_, inThread, inMain, code) => {
    const key = await newKey()
    const child = await runScript(`${threadDoes(inThread)}; ${inMain}`, { env: envFor(key) })
    expect(child).toMatchObject({ code, signal: null, ...silent })
    expect(await usesOf(key)).toBe(USES)
  })
})

test('what is under way when the process exits is waited for', async () => {
  // More than one statement stores.
  const KEYS = 3_000
  const source = `
    // Before the package's own listener.
    process.on('exit', () => report('exiting'))
    const made = await Promise.all(Array.from({ length: ${KEYS} }, () =>
      api.createApiKey({ name: 'Many', clientId: 'many' })))
    process.once('SIGUSR2', async () => {
      for (const { key } of made) await api.verifyApiKey(key)
      report('used')
    })
    process.on('SIGHUP', () => process.exit(3))
    ${STAY}
    for (const { key } of made) await api.verifyApiKey(key)
    await api.flush()
    report('ready')`
  const child = await started(source, {
    DATABASE_URL: database.url(),
    API_KEYS_ARGON2_MEMORY_KIB: '8',
    API_KEYS_ARGON2_ITERATIONS: '1',
    API_KEYS_FLUSH_INTERVAL_MS: '100',
    API_KEYS_LOG: 'off',
  })
  const holder = new Client({ connectionString: database.url() })
  await holder.connect()
  await holder.query('BEGIN; LOCK TABLE sophra_api_keys.usage_batches IN EXCLUSIVE MODE')
  child.signal('SIGUSR2')
  expect(await child.next()).toBe('used')
  await eventually(async () => {
    const waiting = `SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%usage_batches%'`
    expect(await database.sql(waiting)).toHaveLength(1)
  })
  child.signal('SIGHUP')
  expect(await child.next()).toBe('exiting')
  await holder.query('COMMIT')
  await holder.end()
  expect(await child.ended).toMatchObject({ code: 3, signal: null, ...silent })
  const counts = `SELECT "usageCount"::int AS uses, count(*)::int AS keys FROM "ApiKey"
    WHERE "clientId" = 'many' GROUP BY 1`
  expect(await database.sql(counts)).toEqual([{ uses: 2, keys: KEYS }])
})

describe('kill -9', () => {
  test('loses nothing that was seen stored, and of the rest at most itself', async () => {
    const key = await newKey()
    const interval = { API_KEYS_FLUSH_INTERVAL_MS: '200' }
    const child = startScript(
      `let uses = 0
       for (;;) {
         for (let n = 0; n < 10; n++) await api.verifyApiKey(process.env.KEY)
         report(uses += 10)
         await new Promise((resolve) => setTimeout(resolve, 5))
       }`,
      { env: envFor(key, interval) },
    )
    const reported: [number, number][] = []
    const start = Date.now()
    // Several intervals.
    while (Date.now() - start < 1_500) reported.push([(await child.next()) as number, Date.now()])
    const killed = Date.now()
    child.signal('SIGKILL')
    const { signal, reports } = await child.ended
    expect(signal).toBe('SIGKILL')
    const stored = await usesOf(key)
    const before = (ms: number): number =>
      reported.filter(([, at]) => at <= killed - ms).pop()?.[0] ?? 0
    const last = reports.at(-1) as number
    console.log(`kill -9: ${last} used, ${stored} stored, ${before(200)} one interval before`)
    expect(stored).toBeGreaterThanOrEqual(before(1_000))
    expect(stored).toBeGreaterThan(0)
    // The last batch may have been verified and not yet reported.
    expect(stored).toBeLessThanOrEqual(last + 10)
  })
})

describe('a database that does not answer', () => {
  /** More than ten times what the end of a process may be held up. */
  const HANGS_MS = 15_000
  const ends: [string, string, Partial<Ended>][] = [
    ['exits', 'process.exit(3)', { code: 3 }],
    ['returns', '', { code: 0 }],
    ['throws', `throw new Error('Thrown')`, { code: 1 }],
    ['gets a signal', `process.kill(process.pid, 'SIGTERM'); ${STAY}`, { signal: 'SIGTERM' }],
  ]
  describe.each(['freeze', 'cut'] as const)('(%s)', (fault) => {
    test.each(ends)('does not keep a process that %s', async (_, end, expected) => {
      const key = await newKey()
      const tap = await startTap(database.url())
      const source = `
        process.once('SIGUSR2', () => { clearInterval(waiting); (async () => { ${verify()} report('now'); ${end} })() })
        const waiting = setInterval(() => {}, 1_000)
        ${verify(1)} await api.flush(); report('ready')`
      const env = envFor(key, { DATABASE_URL: tap.url, API_KEYS_LOG: 'off' })
      const child = await started(source, env)
      tap[fault]()
      child.signal('SIGUSR2')
      expect(await child.next()).toBe('now')
      const start = performance.now()
      const ended = await child.ended
      const ms = performance.now() - start
      console.log(`${fault}, ${end || 'returns'}: ended after ${ms.toFixed(0)} ms`)
      expect(ended).toMatchObject({ code: null, signal: null, ...expected })
      if (expected.code !== 1) expect(ended).toMatchObject(silent)
      expect(ms).toBeLessThan(HANGS_MS)
      expect(await usesOf(key)).toBe(1)
      await tap.close()
    })
  })
})
