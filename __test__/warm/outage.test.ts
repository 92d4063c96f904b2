import { setImmediate as immediate, setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { faultOf } from '../support/faults.js'
import { startPeer } from '../support/peer.js'
import { Server } from '../support/postgres-server.js'
import type { Issued } from '../support/setting.js'
import { stats } from '../support/stats.js'
import { startTap, type Tap } from '../support/tap.js'

const { close, configure, health, verifyApiKey } = addon

/** How long memory is believed while the changes cannot be read. */
const BOUND_MS = 2_000
/** The changes are read once a second. */
const INTERVAL_MS = 1_000

let server: Server
let tap: Tap
let warm: Issued
let other: Issued
let cold: Issued
beforeEach(async () => {
  server = await Server.start()
  tap = await startTap(server.url)
  const maker = await startPeer({ databaseUrl: server.url, ...cheapHashing })
  ;[warm, other, cold] = (await maker.run(({ api }) =>
    Promise.all(
      [1, 2, 3].map(() =>
        api.createApiKey({ name: 'Key', clientId: 'c', scopes: ['a'], rateLimit: 1_000_000 }),
      ),
    ),
  )) as [Issued, Issued, Issued]
  await maker.stop()
  configure({
    databaseUrl: tap.url,
    stalenessSeconds: BOUND_MS / 1_000,
    statementTimeoutMs: 300,
    ...cheapHashing,
  })
  for (const { key } of [warm, other]) expect((await verifyApiKey(key)).valid).toBe(true)
})
afterEach(async () => {
  await close().catch(() => {})
  await tap.close()
  await server.remove()
})

const context = { scopes: ['a'] }

/** The code of a verify, or that of its error. */
const outcomeOf = async ({ key }: Issued): Promise<string> =>
  verifyApiKey(key, context).then(
    ({ code }) => code,
    ({ code }: { code: string }) => code,
  )

const expectUnavailable = async ({ key }: Issued): Promise<void> => {
  const fault = await faultOf(() => verifyApiKey(key, context))
  expect(fault).toMatchObject({ code: 'DATABASE_UNAVAILABLE', status: 503 })
  expect(fault.retryAfterMs).toBeGreaterThan(0)
}

/** From `since` on, warm keys are served as long as memory may be believed, and not longer. */
async function expectServedWithinBound(since: number): Promise<void> {
  let served = 0
  for (let unavailable = 0; unavailable < 2;) {
    const passed = performance.now() - since
    const outcome = await outcomeOf(warm)
    if (passed < BOUND_MS - 1.5 * INTERVAL_MS) expect(outcome).toBe('VALID')
    else if (passed > BOUND_MS) expect(outcome).toBe('DATABASE_UNAVAILABLE')
    else expect(['VALID', 'DATABASE_UNAVAILABLE']).toContain(outcome)
    if (outcome === 'VALID') served++
    else unavailable++
    await immediate()
  }
  console.log(`served ${served} times without the database`)
  expect(served).toBeGreaterThan(100)
  // Nor is anything else believed.
  expect((await verifyApiKey(warm.key.replace(/.$/, '_'))).code).toBe('INVALID_KEY')
  expect(await health()).toMatchObject({ status: expect.stringMatching(/degraded|down/) })
  expect((await health()).staleForMs).toBeGreaterThan(BOUND_MS)
}

async function expectRecovery(hashes: number): Promise<void> {
  await eventually(async () => expect(await outcomeOf(warm)).toBe('VALID'))
  // A cached key stays cached.
  expect(stats().hashes).toBe(hashes)
  expect(await outcomeOf(cold)).toBe('VALID')
  await eventually(async () => expect((await health()).status).toBe('ok'))
}

test('a database that is frozen: warm keys are served within the bound, all else is unavailable', async () => {
  const { hashes } = stats()
  const { thaw } = await server.freeze()
  const since = performance.now()
  try {
    const unavailable = [cold, cold].map(expectUnavailable)
    await expectServedWithinBound(since)
    await Promise.all(unavailable)
    await expectUnavailable(cold)
  } finally {
    thaw()
  }
  await expectRecovery(hashes)
})

test('a database that is stopped: the same', async () => {
  const { hashes } = stats()
  await server.stop()
  const since = performance.now()
  await expectUnavailable(cold)
  await expectServedWithinBound(since)
  await expectUnavailable(cold)
  await server.restart()
  await expectRecovery(hashes)
})

test('a network that swallows everything: what is revoked meanwhile is refused beyond the bound', async () => {
  const { hashes } = stats()
  tap.freeze()
  const since = performance.now()
  await server.sql(`UPDATE "ApiKey" SET "isActive" = false WHERE "id" = $1`, [other.id])
  await expectServedWithinBound(since)
  expect(await outcomeOf(other)).toBe('DATABASE_UNAVAILABLE')
  tap.thaw()
  const outcomes = new Set<string>()
  await eventually(async () => {
    const outcome = await outcomeOf(other)
    outcomes.add(outcome)
    expect(outcome).toBe('DISABLED')
  })
  expect(outcomes).not.toContain('VALID')
  await expectRecovery(hashes)
})

test('a process that was frozen itself believes nothing from before', async () => {
  const boundMs = 2_000
  const frozen = await startPeer({
    databaseUrl: server.url,
    stalenessSeconds: boundMs / 1_000,
    ...cheapHashing,
  })
  const codeThere = (): Promise<string> =>
    frozen.run(async ({ api }, key) => (await api.verifyApiKey(key)).code, other.key)
  expect(await codeThere()).toBe('VALID')
  expect(await codeThere()).toBe('VALID')
  frozen.signal('SIGSTOP')
  await server.sql(`UPDATE "ApiKey" SET "isActive" = false WHERE "id" = $1`, [other.id])
  // Only time can make what it knows too old.
  await delay(boundMs + 500)
  const answers = [codeThere(), codeThere()]
  frozen.signal('SIGCONT')
  expect(await Promise.all(answers)).toEqual(['DISABLED', 'DISABLED'])
  await frozen.stop()
})
