import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { startPeer, type Peer } from '../support/peer.js'

const PROCESSES = 8
const AMOUNT = 10_000
const ASKED = 40_000
const RUNS = 20

const { createApiKey, getQuota, setClient } = addon

let database: Database
let peers: Peer[]
const startHere = (): Promise<Peer> => startPeer({ databaseUrl: database.url, ...cheapHashing })
beforeAll(async () => {
  database = await freshDatabase()
  addon.configure({ databaseUrl: database.url, ...cheapHashing })
  await addon.migrate()
  peers = await Promise.all(Array.from({ length: PROCESSES }, startHere))
})
afterAll(async () => {
  await Promise.all(peers.map((peer) => peer.stop()))
  await addon.close()
  await database.drop()
})

let clients = 0
/** Keys of one client with a quota. */
async function keysOf(amount: number, count = 1): Promise<{ clientId: string; keys: string[] }> {
  const clientId = `client-${(clients += 1)}`
  const quotas = [{ name: 'calls', amount, period: 'month' as const }]
  await setClient({ clientId, quotas })
  const keys: string[] = []
  while (keys.length < count) keys.push((await createApiKey({ name: 'n', clientId })).key)
  return { clientId, keys }
}

/** Asks at once, and tells how many of the answers that came were of each kind. */
const ask = (peer: Peer, key: string, times: number): Promise<Record<string, number>> =>
  peer.run(
    async ({ api }, key, times) => {
      const codes: Record<string, number> = {}
      const count = (code: string): void => void (codes[code] = (codes[code] ?? 0) + 1)
      const asked = Array.from({ length: times }, () =>
        api.verifyApiKey(key).then(
          ({ code }) => count(code),
          (error: { code: string }) => count(error.code),
        ),
      )
      await Promise.all(asked)
      return codes
    },
    key,
    times,
  )

/** All of them know the key, so that none has asked for all that it wants before the others begin. */
const knownBy = (peers: Peer[], key: string): Promise<unknown> =>
  Promise.all(
    peers.map((peer) => peer.run(({ api }, key) => api.verifyApiKey(key, { cost: 0 }), key)),
  )

const flush = (peer: Peer): Promise<void> => peer.run(({ api }) => api.flush())

const cutConnections = (): Promise<unknown> =>
  database.sql(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()`,
  )

describe(`a quota of ${AMOUNT} and ${PROCESSES} processes that ask ${ASKED} times at once`, () => {
  test(`admits as many, in ${RUNS} runs`, async () => {
    for (let run = 0; run < RUNS; run += 1) {
      const { clientId, keys } = await keysOf(AMOUNT)
      await knownBy(peers, keys[0]!)
      const answers = await Promise.all(peers.map((peer) => ask(peer, keys[0]!, ASKED / PROCESSES)))
      const sum = (code: string): number =>
        answers.reduce((sum, codes) => sum + (codes[code] ?? 0), 0)
      const outcome = { VALID: sum('VALID'), QUOTA_EXCEEDED: sum('QUOTA_EXCEEDED') }
      expect(outcome, JSON.stringify(answers)).toEqual({
        VALID: AMOUNT,
        QUOTA_EXCEEDED: ASKED - AMOUNT,
      })
      await Promise.all(peers.map(flush))
      const state = await getQuota({ clientId, name: 'calls' })
      expect(state).toMatchObject({ used: AMOUNT, remaining: 0, withheld: 0 })
    }
  }, 600_000)

  test(`never admits more where processes are killed and connections cut, in ${RUNS} runs`, async () => {
    for (let run = 0; run < RUNS; run += 1) {
      const { clientId, keys } = await keysOf(AMOUNT)
      let admitted = 0
      const asked = peers.map(async (peer, index) => {
        // In parts, so that it is known what a process had answered when it was killed.
        for (let part = 0; part < 50; part += 1) {
          const codes = await ask(peer, keys[0]!, ASKED / PROCESSES / 50)
          admitted += codes.VALID ?? 0
          if (index < 2 && part === 3 + ((run + index) % 5)) peer.signal('SIGKILL')
          if (index === 2 && part % 10 === 4) await cutConnections()
        }
      })
      const ended = await Promise.allSettled(asked)
      expect(ended.map(({ status }) => status)).toEqual([
        'rejected',
        'rejected',
        ...Array.from({ length: PROCESSES - 2 }, () => 'fulfilled'),
      ])
      // A cut may have failed requests towards the end.
      await Promise.all(
        peers.slice(2).map((peer) =>
          eventually(async () => {
            const { VALID = 0, QUOTA_EXCEEDED = 0 } = await ask(peer, keys[0]!, 100)
            admitted += VALID
            expect(QUOTA_EXCEEDED).toBe(100)
          }, 60_000),
        ),
      )
      await Promise.all(peers.slice(2).map(flush))
      const { used, withheld, remaining } = await getQuota({ clientId, name: 'calls' })
      // What the killed ones had is theirs until the period ends, and no more than that is withheld.
      expect([used + withheld, remaining]).toEqual([AMOUNT, withheld])
      expect(admitted).toBeLessThanOrEqual(AMOUNT)
      expect(withheld).toBeLessThanOrEqual((2 * AMOUNT) / 10)
      expect(admitted).toBeGreaterThanOrEqual(used)
      peers.splice(0, 2, await startHere(), await startHere())
    }
  }, 600_000)
})

test('a lowered amount ends leases beyond it, and a raised one can be used, everywhere', async () => {
  const { clientId, keys } = await keysOf(1_000)
  const [one, next] = peers as [Peer, Peer]
  for (const peer of [one, next]) expect(await ask(peer, keys[0]!, 100)).toEqual({ VALID: 100 })
  await setClient({ clientId, quotas: [{ name: 'calls', amount: 250, period: 'month' }] })
  await eventually(async () => {
    const [balance] = await database.sql(
      `SELECT leased::int FROM sophra_api_keys.quota_balances WHERE quota_id = 'client/${clientId}/calls'`,
    )
    expect(balance!.leased).toBeLessThanOrEqual(250)
  }, 20_000)
  const rest = await Promise.all(peers.map((peer) => ask(peer, keys[0]!, 100)))
  expect(rest.reduce((sum, { VALID = 0 }) => sum + VALID, 0)).toBe(50)
  await setClient({ clientId, quotas: [{ name: 'calls', amount: 300, period: 'month' }] })
  await eventually(async () => {
    await Promise.all(peers.map((peer) => ask(peer, keys[0]!, 100)))
    expect(await getQuota({ clientId, name: 'calls' })).toMatchObject({ used: 300, remaining: 0 })
  }, 20_000)
})

test('what a closed process had leased is there for others', async () => {
  const { clientId, keys } = await keysOf(1_000)
  const peer = await startHere()
  expect(await ask(peer, keys[0]!, 100)).toEqual({ VALID: 100 })
  await peer.stop()
  const state = await getQuota({ clientId, name: 'calls' })
  expect(state).toMatchObject({ used: 100, remaining: 900, withheld: 0 })
})

test('units that a process holds and does not spend are there for another one that needs them', async () => {
  const { clientId, keys } = await keysOf(1_000)
  const [one, next] = peers as [Peer, Peer]
  for (let part = 0; part < 5; part += 1)
    expect(await ask(one, keys[0]!, 20)).toEqual({ VALID: 20 })
  await flush(next)
  const { withheld } = await getQuota({ clientId, name: 'calls' })
  expect(withheld).toBeGreaterThan(0)
  expect(await ask(next, keys[0]!, 1_000)).toEqual({ VALID: 900, QUOTA_EXCEEDED: 100 })
  await flush(next)
  const state = await getQuota({ clientId, name: 'calls' })
  expect(state).toMatchObject({ used: 1_000, remaining: 0 })
})

test('units of several processes come together for one request', async () => {
  const { keys } = await keysOf(40)
  for (const peer of peers.slice(0, 4)) expect(await ask(peer, keys[0]!, 5)).toEqual({ VALID: 5 })
  const code = await peers[4]!.run(
    async ({ api }, key) => (await api.verifyApiKey(key, { cost: 20 })).code,
    keys[0]!,
  )
  expect(code).toBe('VALID')
})

test('of two processes that need what the other one holds, one gets it', async () => {
  const pair = peers.slice(4, 6)
  const askFor = (peer: Peer, key: string, cost: number): Promise<string> =>
    peer.run(async ({ api }, key, cost) => (await api.verifyApiKey(key, { cost })).code, key, cost)
  for (let round = 0; round < 5; round += 1) {
    const { keys } = await keysOf(30)
    const key = keys[0]!
    await knownBy(pair, key)
    // Each holds more than it has spent.
    for (const peer of pair) for (let asked = 0; asked < 5; asked += 1) await askFor(peer, key, 1)
    const codes = await Promise.all(pair.map((peer) => askFor(peer, key, 14)))
    expect(codes.sort()).toEqual(['QUOTA_EXCEEDED', 'VALID'])
  }
})

test('units of a process that is gone are waited for once', async () => {
  const { clientId, keys } = await keysOf(1_000)
  const dead = await startHere()
  for (let part = 0; part < 5; part += 1) await ask(dead, keys[0]!, 20)
  dead.signal('SIGKILL')
  const [peer] = peers as [Peer]
  const { VALID, ...rest } = await ask(peer, keys[0]!, 1_000)
  const { used, withheld } = await getQuota({ clientId, name: 'calls' })
  expect(withheld).toBeGreaterThan(0)
  expect(used + withheld).toBe(1_000)
  expect(rest).toEqual({ QUOTA_EXCEEDED: 1_000 - VALID! })
  const statements = (): Promise<number> =>
    peer.run(async ({ api }) => {
      const [, count] = /sophra_api_key_quota_statements_total (\d+)/.exec(await api.metrics())!
      return Number(count)
    })
  const before = await statements()
  expect(await ask(peer, keys[0]!, 100)).toEqual({ QUOTA_EXCEEDED: 100 })
  expect((await statements()) - before).toBeLessThanOrEqual(5)
})

test('a lease that nobody uses is given back', async () => {
  const { clientId, keys } = await keysOf(1_000)
  const [peer] = peers as [Peer]
  for (let part = 0; part < 5; part += 1) await ask(peer, keys[0]!, 20)
  await eventually(async () => {
    const state = await getQuota({ clientId, name: 'calls' })
    expect(state).toMatchObject({ used: 100, withheld: 0 })
  }, 100_000)
}, 120_000)
