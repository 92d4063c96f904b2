import { Client } from 'pg'
import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { startPeer, type Peer } from '../support/peer.js'
import { pgbouncerVersion, startPgbouncer } from '../support/pgbouncer.js'
import { BESIDE, useSetting } from '../support/setting.js'
import { startTap, type Tap } from '../support/tap.js'
import { carrying, contents, inTurn, LOOKUP, type Turn } from '../support/turns.js'

// What a call costs where the database is far away: how often a client must wait for an answer before it can go on.

const { verifyApiKey } = addon

const jwtSecret = 'a secret that is long enough to be one'
/** Nothing is stored beside the calls, and nothing fails because the machine is slow. */
const quiet = { jwtSecret, flushIntervalMs: 3_600_000, statementTimeoutMs: 10_000 } as const
const setting = useSetting(quiet)

const CREATES = /^\s*(INSERT|WITH)\b[^]*INSERT INTO "ApiKey"/
const LISTENS = /^LISTEN /

/** What was sent meanwhile on the connections that carried such a statement, but for what goes on beside all calls. */
async function sentFor(
  statement: RegExp,
  { turns }: Tap,
  action: () => Promise<void>,
): Promise<Turn[]> {
  const mark = turns.length
  await action()
  const isBeside = (turn: Turn): boolean => {
    if (turn.statements.length > 0) return turn.statements.every((text) => BESIDE.test(text))
    // What gives a connection back after such a statement.
    const { connection, began } = turn
    const last = turns.findLast((other) => other.connection === connection && other.began < began)
    return last !== undefined && last.statements.length > 0 && isBeside(last)
  }
  return carrying(turns.slice(mark), statement).filter((turn) => !isBeside(turn))
}

/** A process that reaches the database through a tap of its own. */
async function withPeer(
  { databaseUrl = setting.database.url, delayMs = 0 },
  work: (peer: Peer, tap: Tap) => Promise<void>,
): Promise<void> {
  const tap = await startTap(databaseUrl, { delayMs })
  const peer = await startPeer({ ...setting.options, ...quiet, databaseUrl: tap.url })
  try {
    await work(peer, tap)
  } finally {
    await peer.stop()
    await tap.close()
  }
}

/** The connections that have such a statement planned, once there are so many and all are free. */
const planned = (
  peer: Peer,
  { turns }: Tap,
  statement: RegExp,
  count: number,
): Promise<Set<number>> =>
  eventually(async () => {
    const carriers = new Set(carrying(turns, statement).map(({ connection }) => connection))
    expect(carriers.size).toBe(count)
    const metrics = await peer.run(({ api }) => api.metrics())
    expect(metrics).toMatch(/_database_connections\{state="in_use"\} 0$/m)
    return carriers
  })

/** The result of a verify over there, and the milliseconds that it took. */
const verifyBy = (peer: Peer, key: string): Promise<{ code: string; ms: number }> =>
  peer.run(async ({ api }, key) => {
    const start = performance.now()
    const { code } = await api.verifyApiKey(key)
    return { code, ms: performance.now() - start }
  }, key)

const createBy = (peer: Peer): Promise<string> =>
  peer.run(async ({ api }) => (await api.createApiKey({ name: 'n', clientId: 'c' })).key)

test('a cold verify in a process that runs is one round trip, and all that is sent is its lookup', async () => {
  const keys = await setting.coldKeys(60)
  // These open the connections, and prepare the statement on each of them.
  await Promise.all(keys.splice(0, 20).map(({ key }) => verifyApiKey(key)))
  for (const { key } of keys.splice(0, 10)) await verifyApiKey(key)

  const sent = await sentFor(LOOKUP, setting.tap, async () => {
    for (const { id, key } of keys)
      expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
  })
  expect(keys).toHaveLength(30)
  expect(contents(sent)).toEqual(keys.map(() => ['lookup']))
})

test('a cold verify needs no hash, also of a key that another process has made', async () => {
  const keys = await setting.coldKeys(20)
  const cost = await setting.cost(async () => {
    for (const { key } of keys) expect((await verifyApiKey(key)).valid).toBe(true)
  })
  expect(cost).toMatchObject({ hashes: 0, selects: 20 })
  expect(cost.statements).toEqual(keys.map(() => expect.stringMatching(LOOKUP)))
})

describe('in a process that has just been started', () => {
  test('the first verify takes at most ten round trips, and two statements before its lookup', async () => {
    const [issued] = await setting.coldKeys(1)
    // Far enough away that what a busy machine takes is no round trip.
    await withPeer({ delayMs: 50 }, async (peer, { turns, url }) => {
      const { code, ms } = await verifyBy(peer, issued!.key)
      const answeredAt = performance.now()
      expect(code).toBe('VALID')

      const isLookup = ({ statements, began }: Turn): boolean =>
        began < answeredAt && statements.some((text) => LOOKUP.test(text))
      // One that looks up nothing may have come before, to have the statement planned.
      const lookup = turns.findLast(isLookup)!
      const before = turns.filter(({ began }) => began <= lookup.began)
      const same = before.filter(({ connection }) => connection === lookup.connection)
      const listening = new Set(carrying(turns, LISTENS).map(({ connection }) => connection))
      const waitedFor = turns.filter(
        ({ connection, began }) => began < lookup.answered! && !listening.has(connection),
      )
      const roundTripMs = await selectOneMs(url)
      console.log(
        `the first verify of a process: ${ms.toFixed(0)} ms, ${(ms / roundTripMs).toFixed(1)} × SELECT 1 ` +
          `(${roundTripMs.toFixed(1)} ms); ${inTurn(waitedFor)} round trips one after the other, ` +
          `${same.length} of them on the connection of the lookup`,
      )
      expect(inTurn(waitedFor)).toBeLessThanOrEqual(10)
      expect(same.length).toBeLessThanOrEqual(10)
      // The last turn is that of the lookup itself.
      expect(contents(same.slice(0, -1)).flat().length).toBeLessThanOrEqual(2)
    })
  })

  test('the statements of the first verify and the first creation are planned before they are needed', async () => {
    const [issued] = await setting.coldKeys(1)
    await withPeer({}, async (peer, tap) => {
      await peer.run(async ({ api }) => void (await api.listApiKeys()))
      await planned(peer, tap, LOOKUP, 1)
      const before = tap.turns.length
      expect((await verifyBy(peer, issued!.key)).code).toBe('VALID')
      expect(contents(carrying(tap.turns.slice(before), LOOKUP))).toEqual([['lookup']])

      const ready = await planned(peer, tap, CREATES, 3)
      // What goes on beside may have opened others, and left one of them to the creation.
      const created = await eventually(async () => {
        const [first] = await sentFor(CREATES, tap, async () => void (await createBy(peer)))
        expect(ready).toContain(first!.connection)
        return first!.statements
      })
      expect(created).toEqual([expect.stringMatching(CREATES)])
    })
  })

  test('the first creation after a verify takes at most two round trips, and so do the next ones', async () => {
    const [issued] = await setting.coldKeys(1)
    await withPeer({}, async (peer, tap) => {
      expect((await verifyBy(peer, issued!.key)).code).toBe('VALID')
      await planned(peer, tap, CREATES, 3)
      const costs: number[] = []
      for (let time = 0; time < 10; time++) {
        const sent = await sentFor(CREATES, tap, async () => void (await createBy(peer)))
        expect(sent.flatMap(({ statements }) => statements)).toContainEqual(
          expect.stringMatching(CREATES),
        )
        // What follows upon the answer, before the connection is used again, is waited for by nobody.
        const last = sent.findLastIndex(({ statements }) =>
          statements.some((text) => CREATES.test(text)),
        )
        costs.push(last + 1)
      }
      console.log(`round trips of the creations in a process: ${costs.join(', ')}`)
      expect(costs[0]).toBeLessThanOrEqual(2)
      // A flush may have all connections for a moment: then one more is opened.
      expect(costs.toSorted((a, b) => a - b)[5]).toBeLessThanOrEqual(2)
    })
  })
})

describe.skipIf(!pgbouncerVersion())('behind PgBouncer (needs pgbouncer on the PATH)', () => {
  test('a cold verify is right, and so is the answer to a key that was revoked', async () => {
    const [first, ...keys] = await setting.coldKeys(20)
    const revoked = keys.pop()!
    await setting.sql(`UPDATE "ApiKey" SET "isActive" = false WHERE "id" = $1`, [revoked.id])
    const pooler = await startPgbouncer(setting.database.url)
    try {
      await withPeer({ databaseUrl: pooler.url }, async (peer, tap) => {
        expect((await verifyBy(peer, first!.key)).code).toBe('VALID')
        const costs: number[] = []
        for (const { key } of keys) {
          const sent = await sentFor(LOOKUP, tap, async () => {
            expect((await verifyBy(peer, key)).code).toBe('VALID')
          })
          costs.push(sent.length)
        }
        expect((await verifyBy(peer, revoked.key)).code).toBe('DISABLED')
        console.log(`round trips of cold verifies behind PgBouncer: ${costs.join(', ')}`)
        // The transaction begins, the statement is prepared and run, the transaction ends. What goes on beside may add some.
        expect(costs.toSorted((a, b) => a - b)[costs.length >> 1]).toBe(4)
      })
    } finally {
      await pooler.stop()
    }
  })
})

/** Milliseconds of a round trip over the line: the median. */
async function selectOneMs(url: string): Promise<number> {
  const client = new Client({ connectionString: url })
  await client.connect()
  const times: number[] = []
  for (let time = 0; time < 11; time++) {
    const start = performance.now()
    await client.query('SELECT 1')
    times.push(performance.now() - start)
  }
  await client.end()
  return times.sort((a, b) => a - b)[5]!
}
