import { Client } from 'pg'
import { describe, expect, test } from 'vitest'
import { startScript, type Ended } from '../support/child.js'
import { newKey, silent, started, STAY, useEndings, USES, verify } from '../support/endings.js'
import { eventually } from '../support/eventually.js'
import { startTap } from '../support/tap.js'

const { envFor, sql, url, usesOf } = useEndings()

test('what is under way when the process exits is waited for', async () => {
  // More than one statement stores.
  const KEYS = 3_000
  const source = `
    // Before the package's own listener.
    process.on('exit', () => report('exiting'))
    const made = []
    // Not all at once: a slow machine would answer OVERLOADED.
    while (made.length < ${KEYS}) made.push(...await Promise.all(Array.from({ length: 50 }, () =>
      api.createApiKey({ name: 'Many', clientId: 'many' }))))
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
    DATABASE_URL: url(),
    API_KEYS_ARGON2_MEMORY_KIB: '8',
    API_KEYS_ARGON2_ITERATIONS: '1',
    API_KEYS_FLUSH_INTERVAL_MS: '100',
    API_KEYS_LOG: 'off',
  })
  const holder = new Client({ connectionString: url() })
  await holder.connect()
  await holder.query('BEGIN; LOCK TABLE sophra_api_keys.usage_batches IN EXCLUSIVE MODE')
  child.signal('SIGUSR2')
  expect(await child.next()).toBe('used')
  await eventually(async () => {
    const waiting = `SELECT FROM pg_locks
      WHERE NOT granted AND relation = 'sophra_api_keys.usage_batches'::regclass`
    expect(await sql(waiting)).toHaveLength(1)
  })
  child.signal('SIGHUP')
  expect(await child.next()).toBe('exiting')
  await holder.query('COMMIT')
  await holder.end()
  expect(await child.ended).toMatchObject({ code: 3, signal: null, ...silent })
  const counts = `SELECT "usageCount"::int AS uses, count(*)::int AS keys FROM "ApiKey"
    WHERE "clientId" = 'many' GROUP BY 1`
  expect(await sql(counts)).toEqual([{ uses: 2, keys: KEYS }])
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
      const tap = await startTap(url())
      const source = `
        process.once('SIGUSR2', () => { clearInterval(waiting); (async () => { ${verify()} report('now'); ${end} })() })
        const waiting = setInterval(() => {}, 1_000)
        ${verify(1)} await api.flush(); report('ready')`
      // The parameters that the key was hashed with, so that its hash is not renewed and its row is not read again.
      const hashing = { API_KEYS_ARGON2_MEMORY_KIB: '8', API_KEYS_ARGON2_ITERATIONS: '1' }
      const env = envFor(key, { DATABASE_URL: tap.url, API_KEYS_LOG: 'off', ...hashing })
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
