import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { startPeer, type Peer } from '../support/peer.js'
import {
  coldVerifyMs,
  makeKeys,
  permits,
  printStorm,
  storm,
  verifyInTurn,
} from './support/storm.js'

const KEYS = 10_000
/** To learn how long a hash takes, with the parameters that are configured by default. */
const SAMPLES = 50

const options = {
  signingKeys: [randomBytes(32).toString('base64')],
  suspensionSeconds: 0,
  coldDigest: 'off' as const,
}

let database: Database
let keys: string[]
let samples: string[]

const start = (more: { coldDigest?: 'on' } = {}): Promise<Peer> =>
  startPeer({ databaseUrl: database.url, ...options, ...more })

beforeAll(async () => {
  database = await freshDatabase()
  const maker = await start()
  keys = await makeKeys(maker, KEYS)
  samples = await makeKeys(maker, SAMPLES)
  await maker.stop()
}, 30 * 60_000)
afterAll(() => database.drop())

/** Uses of all keys that the database knows of. */
async function uses(): Promise<number> {
  const [row] = await database.sql(`SELECT sum("usageCount")::int AS uses FROM "ApiKey"`)
  return row!.uses as number
}

test('ten thousand cold keys at once: every one is accepted in the end, by one hash', async () => {
  const peer = await start()
  const hashMs = await coldVerifyMs(peer, samples)
  const before = await uses()
  const result = await storm(peer, keys)
  await peer.stop()

  const ideal = (KEYS * hashMs) / permits / 1_000
  const times = (result.ms / 1_000 / ideal).toFixed(2)
  const aim = `${times} × ${KEYS} hashes of ${hashMs.toFixed(1)} ms ÷ ${permits}, aim 1.50 ×`
  printStorm('all at once, by their hashes', result, aim)
  expect(result).toMatchObject({ codes: { VALID: KEYS }, hashes: KEYS })
  expect(Object.keys(result.codes)).toEqual(['VALID'])
  expect(await uses()).toBe(before + KEYS)
})

test('the same by the cold digest: without a hash', async () => {
  const prover = await start({ coldDigest: 'on' })
  expect(await verifyInTurn(prover, keys)).toBe(true)
  await expect
    .poll(() => database.sql(`SELECT count("coldDigest")::int AS digests FROM "ApiKey"`), {
      timeout: 60_000,
    })
    .toEqual([{ digests: KEYS }])
  await prover.stop()

  const before = await uses()
  const peer = await start({ coldDigest: 'on' })
  const result = await storm(peer, keys)
  await peer.stop()
  printStorm('all at once, by their digests', result, 'aim 5 s')
  expect(result).toMatchObject({ codes: { VALID: KEYS }, hashes: 0 })
  expect(Object.keys(result.codes)).toEqual(['VALID'])
  expect(await uses()).toBe(before + KEYS)
})

describe('a hundred thousand keys after a restart, by the default settings', () => {
  const COUNT = 100_000
  const TOGETHER = 64
  const jwtSecret = 'a secret that is long enough to be one'
  const usual = { jwtSecret, suspensionSeconds: 0 }
  let database: Database
  let keys: string[]

  const restarted = (): Promise<Peer> => startPeer({ databaseUrl: database.url, ...usual })
  const load = (peer: Peer, keys: number): Promise<{ loaded: number }> =>
    peer.run(
      ({ api }, keys) =>
        (api as unknown as { warmUp(options: object): Promise<{ loaded: number }> }).warmUp({
          keys,
        }),
      keys,
    )

  beforeAll(async () => {
    database = await freshDatabase()
    const cheap = { databaseUrl: database.url, ...usual, ...cheapHashing }
    const first = await startPeer(cheap)
    // Migrates, so that the others need not wait for it.
    await makeKeys(first, 1)
    const makers = [first, await startPeer(cheap)]
    const made = makers.map((maker) => makeKeys(maker, COUNT / makers.length, 32))
    keys = (await Promise.all(made)).flat()
    for (const maker of makers) await maker.stop()
  }, 30 * 60_000)
  afterAll(() => database?.drop())

  test('64 at a time: every one is accepted, without a hash', async () => {
    const peer = await restarted()
    const result = await storm(peer, keys, TOGETHER)
    await peer.stop()
    printStorm(`${TOGETHER} of ${COUNT} at a time`, result, 'aim 5 s', 5)
    expect(result.codes).toEqual({ VALID: COUNT })
    expect(result).toMatchObject({ hashes: 0, selects: COUNT })
    const [row] = await database.sql(`SELECT sum("usageCount")::int AS uses FROM "ApiKey"`)
    expect(row).toEqual({ uses: COUNT })
  })

  test('those that were loaded at the start cost no statement', async () => {
    const recent = keys.slice(0, COUNT / 2)
    const usedAt = (daysAgo: number): string =>
      `UPDATE "ApiKey" SET "lastUsedAt" = now() AT TIME ZONE 'UTC' - ${daysAgo} * interval '1 day'`
    await database.sql(usedAt(2))
    const lookups = recent.map((key) => key.split('_')[2])
    await database.sql(`${usedAt(1)} FROM unnest($1::text[]) AS recent WHERE "lookup" = recent`, [
      lookups,
    ])

    const peer = await restarted()
    const start = performance.now()
    expect(await load(peer, recent.length)).toEqual({ loaded: recent.length })
    const seconds = ((performance.now() - start) / 1_000).toFixed(1)
    const result = await storm(peer, recent, TOGETHER)
    await peer.stop()
    console.log(`${recent.length} keys loaded in ${seconds} s`)
    printStorm(`${TOGETHER} of ${recent.length} at a time, loaded before`, result, 'aim 1 s', 5)
    expect(result.codes).toEqual({ VALID: recent.length })
    expect(result).toMatchObject({ hashes: 0, selects: 0 })
  })
})
