import { afterAll, beforeAll, expect, test } from 'vitest'
import { cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { startPeer, type Peer } from '../support/peer.js'
import { makeKeys, printStorm, storm } from './support/storm.js'

// A service with many clients is restarted: all of its keys are cold. By the default settings, where digests are compared.

const COUNT = 100_000
const TOGETHER = 64
const jwtSecret = 'a secret that is long enough to be one'
/** The cheap hashing only makes keys sooner: none of their verifies may hash. */
const usual = { jwtSecret, suspensionSeconds: 0, ...cheapHashing }
let database: Database
let keys: string[]

/** The service after a restart. */
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
  const first = await restarted()
  // Migrates, so that the others need not wait for it.
  await makeKeys(first, 1)
  const makers = [first, await restarted()]
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
