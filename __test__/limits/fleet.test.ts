import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { startPeer, type Peer } from '../support/peer.js'

const INTERVAL_S = 1
const WINDOW_S = 60
const SECONDS = 10

let database: Database
beforeAll(async () => {
  database = await freshDatabase()
  addon.configure({ databaseUrl: database.url, suspensionSeconds: 0, ...cheapHashing })
})
afterAll(async () => {
  await addon.close()
  await database.drop()
})

const createKey = (rateLimit: number, rateLimitWindowSeconds = WINDOW_S): Promise<string> =>
  addon
    .createApiKey({ name: 'Fleet', clientId: 'c', rateLimit, rateLimitWindowSeconds })
    .then(({ key }) => key)

interface Offer {
  key: string
  perSecond: number
}

/** Verifies each key at its pace for so long; how often each passed. */
const offer = (peer: Peer, offers: Offer[], seconds: number): Promise<number[]> =>
  peer.run(
    async ({ api }, offers, seconds) => {
      const start = performance.now()
      const passed = offers.map(() => 0)
      const offered = offers.map(() => 0)
      const ask = async (index: number, key: string): Promise<void> => {
        if ((await api.verifyApiKey(key)).valid) passed[index]!++
      }
      for (let elapsed = 0; elapsed < seconds;) {
        elapsed = (performance.now() - start) / 1_000
        const asked: Promise<void>[] = []
        offers.forEach(({ key, perSecond }, index) => {
          for (; offered[index]! < elapsed * perSecond; offered[index]!++)
            asked.push(ask(index, key))
        })
        await Promise.all(asked)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      return passed
    },
    offers,
    seconds,
  )

const startPeers = (count: number, options: object): Promise<Peer[]> =>
  Promise.all(
    Array.from({ length: count }, () =>
      startPeer({ databaseUrl: database.url, ...cheapHashing, ...options }),
    ),
  )
const stopAll = (peers: Peer[]): Promise<unknown> => Promise.all(peers.map((peer) => peer.stop()))

const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0)

describe('four processes', () => {
  const limits = [100, 1_000, 10_000]
  let peers: Peer[]
  beforeAll(async () => {
    peers = await startPeers(4, { suspensionSeconds: 0, flushIntervalMs: INTERVAL_S * 1_000 })
  })
  afterAll(() => stopAll(peers))

  test('hold a limit together, but for what comes within an interval', async () => {
    const keys = await Promise.all(limits.map((limit) => createKey(limit)))
    const offers = keys.map((key, index) => ({
      key,
      perSecond: (10 * limits[index]!) / WINDOW_S / peers.length,
    }))
    const passed = await Promise.all(peers.map((peer) => offer(peer, offers, SECONDS)))
    limits.forEach((limit, index) => {
      const admitted = sum(passed.map((counts) => counts[index]!))
      const returned = (limit * SECONDS) / WINDOW_S
      const perInterval = offers[index]!.perSecond * peers.length * INTERVAL_S
      const beyond = Math.max(0, admitted - limit - returned)
      console.log(
        `limit ${limit}: ${admitted} admitted in ${SECONDS} s, ${beyond.toFixed(0)} beyond the limit and` +
          ` what returned (one interval carries ${perInterval.toFixed(0)})`,
      )
      expect(admitted).toBeGreaterThanOrEqual(limit)
      // One interval until the others are told, and as much again for a machine that is late.
      expect(admitted).toBeLessThanOrEqual(limit + returned + 2 * perInterval + peers.length)
    })
  })

  test('hold a limit of a client together, whichever of its keys are used', async () => {
    const [limit, count] = [100, 10]
    await addon.setClient({
      clientId: 'shared',
      limits: [{ name: 'requests', limit, windowSeconds: WINDOW_S }],
    })
    const create = (): Promise<{ key: string }> =>
      addon.createApiKey({ name: 'Shared', clientId: 'shared' })
    const keys = await Promise.all(Array.from({ length: count }, create))
    // Ten times the limit, spread over the keys and the processes.
    const perSecond = (10 * limit) / WINDOW_S / peers.length / count
    const offers = keys.map(({ key }) => ({ key, perSecond }))
    const passed = await Promise.all(peers.map((peer) => offer(peer, offers, SECONDS)))
    const admitted = sum(passed.flat())
    const returned = (limit * SECONDS) / WINDOW_S
    const perInterval = perSecond * count * peers.length * INTERVAL_S
    console.log(`a client's limit of ${limit}: ${admitted} admitted in ${SECONDS} s`)
    expect(admitted).toBeGreaterThanOrEqual(limit)
    expect(admitted).toBeLessThanOrEqual(limit + returned + 2 * perInterval + peers.length * count)
  })

  test('let a steady caller pass whose requests they share', async () => {
    const key = await createKey(600)
    // 90 % of the limit, for ten seconds of a minute: nowhere near the burst, and never refused.
    const perSecond = (0.9 * 600) / WINDOW_S / peers.length
    const passed = await Promise.all(peers.map((peer) => offer(peer, [{ key, perSecond }], 5)))
    const refused = await Promise.all(
      peers.map((peer) => peer.run(async ({ api }, key) => api.verifyApiKey(key), key)),
    )
    expect(sum(passed.flat())).toBeGreaterThan(0.8 * 5 * perSecond * peers.length)
    expect(refused.map(({ code }) => code)).toEqual(['VALID', 'VALID', 'VALID', 'VALID'])
  })

  test('learn what others have used, whoever has locked the row of another key', async () => {
    const [key, other] = await Promise.all([createKey(100, 86_400), createKey(100, 86_400)])
    const spend = ({ api }: { api: typeof addon }, key: string, cost: number): Promise<string> =>
      api.verifyApiKey(key, { cost }).then(({ code }) => code)
    const [here, there] = peers as [Peer, Peer]
    expect(await here.run(spend, key, 1)).toBe('VALID')
    const locker = new Client({ connectionString: database.url })
    await locker.connect()
    try {
      await locker.query(`BEGIN; SELECT FROM "ApiKey" FOR UPDATE`)
      expect(await here.run(spend, other, 1)).toBe('VALID')
      expect(await there.run(spend, key, 99)).toBe('VALID')
      await eventually(
        async () => expect(await here.run(spend, key, 1)).toBe('RATE_LIMITED'),
        60_000,
      )
    } finally {
      await locker.end()
    }
  })

  test('let one that starts later begin where they are', async () => {
    const key = await createKey(100, 86_400)
    const spend = ({ api }: { api: typeof addon }, key: string): Promise<string> =>
      api.verifyApiKey(key, { cost: 50 }).then(({ code }) => code)
    expect(await peers[0]!.run(spend, key)).toBe('VALID')
    expect(await peers[1]!.run(spend, key)).toBe('VALID')
    await Promise.all(peers.map((peer) => peer.run(({ api }) => api.flush())))
    const [late] = await startPeers(1, { suspensionSeconds: 0, flushIntervalMs: 600_000 })
    const once = ({ api }: { api: typeof addon }, key: string): Promise<string> =>
      api.verifyApiKey(key).then(({ code }) => code)
    expect(await late!.run(once, key)).toBe('RATE_LIMITED')
    await late!.stop()
  })

  test('forgive together', async () => {
    const { id, key } = await addon.createApiKey({
      name: 'Forgiven',
      clientId: 'c',
      rateLimit: 10,
      rateLimitWindowSeconds: 86_400,
    })
    const ask = (peer: Peer, cost: number): Promise<string> =>
      peer.run(
        ({ api }, key, cost) => api.verifyApiKey(key, { cost }).then(({ code }) => code),
        key,
        cost,
      )
    const flushAll = (): Promise<unknown> =>
      Promise.all(peers.map((peer) => peer.run(({ api }) => api.flush())))
    const askAll = (): Promise<string[]> => Promise.all(peers.map((peer) => ask(peer, 1)))
    const [all, none] = ['VALID', 'RATE_LIMITED'].map((code) => peers.map(() => code))
    expect(await askAll()).toEqual(all)
    expect(await ask(peers[0]!, 6)).toBe('VALID')
    await flushAll()
    await flushAll()
    expect(await askAll()).toEqual(none)

    await addon.patchApiKey({ id, suspendedUntil: null })
    await eventually(async () => expect(await askAll()).toEqual(all))
    expect(await ask(peers[1]!, 6)).toBe('VALID')
    await flushAll()
    await flushAll()
    expect(await askAll()).toEqual(none)
  })
})

test('two processes over the limit: one suspension, one event', async () => {
  const peers = await startPeers(2, { suspensionSeconds: 600 })
  const key = await createKey(1, 86_400)
  const exceed = (peer: Peer): Promise<Record<string, number>> =>
    peer.run(async ({ api }, key) => {
      const state = globalThis as unknown as { told: unknown[] }
      state.told = []
      api.onEvent((event) => void state.told.push(event))
      const codes: Record<string, number> = {}
      for (let time = 0; time < 500; time++) {
        const { code } = await api.verifyApiKey(key)
        codes[code] = (codes[code] ?? 0) + 1
        await new Promise((resolve) => setImmediate(resolve))
      }
      return codes
    }, key)
  const told = (peer: Peer): Promise<{ type: string }[]> =>
    peer.run(async ({ api }) => {
      await api.flush()
      return (globalThis as unknown as { told: { type: string }[] }).told
    })
  const codes = await Promise.all(peers.map(exceed))
  const refusals = codes.map(({ VALID = 0, ...refused }) => [VALID, sum(Object.values(refused))])
  expect(sum(refusals.map(([valid]) => valid!))).toBeLessThanOrEqual(2)
  expect(sum(refusals.map(([, refused]) => refused!))).toBeGreaterThanOrEqual(998)

  const stored = await eventually(async () => {
    const rows = await database.sql(
      `SELECT "id", "suspendedUntil" FROM "ApiKey" WHERE "rateLimit" = 1`,
    )
    expect(rows[0]!.suspendedUntil).not.toBeNull()
    return rows[0]!
  })
  await eventually(async () => {
    const events = (await Promise.all(peers.map(told)))
      .flat()
      .filter(({ type }) => type === 'key.suspended')
    expect(events).toEqual([
      expect.objectContaining({ type: 'key.suspended', keyId: stored.id, name: 'Fleet' }),
    ])
  })
  await stopAll(peers)
})
