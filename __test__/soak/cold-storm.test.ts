import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
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

const start = (more: { coldDigest?: 'off' } = {}): Promise<Peer> =>
  startPeer({ databaseUrl: database.url, ...options, ...more })

beforeAll(async () => {
  database = await freshDatabase()
  // Without digests, which the second test lets a process make.
  const maker = await start({ coldDigest: 'off' })
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
  const peer = await start({ coldDigest: 'off' })
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
  const prover = await start()
  expect(await verifyInTurn(prover, keys)).toBe(true)
  await expect
    .poll(() => database.sql(`SELECT count("coldDigest")::int AS digests FROM "ApiKey"`), {
      timeout: 60_000,
    })
    .toEqual([{ digests: KEYS }])
  await prover.stop()

  const before = await uses()
  const peer = await start()
  const result = await storm(peer, keys)
  await peer.stop()
  printStorm('all at once, by their digests', result, 'aim 5 s')
  expect(result).toMatchObject({ codes: { VALID: KEYS }, hashes: 0 })
  expect(Object.keys(result.codes)).toEqual(['VALID'])
  expect(await uses()).toBe(before + KEYS)
})
