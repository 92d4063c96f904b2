import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import {
  coldDigest,
  pepperOfSecret,
  pepperOfSigningKey,
  storedOf,
  type Stored,
} from '../support/cold-digest.js'
import { freshDatabase, type Database } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { startPeer, type Peer } from '../support/peer.js'
import type { Issued, Options } from '../support/setting.js'
import { stats } from '../support/stats.js'

// The secrets of the environment that cold digests are made under, and what changing them costs.

const { close, configure, createApiKey, onEvent, updateApiKey, verifyApiKey } = addon

const aKey = (): string => randomBytes(32).toString('base64')
const jwtSecret = 'a secret of this test, of 32 bytes or more'

let database: Database
let warnings: string[]
let starts: number
let stopListening: () => void
beforeEach(async () => {
  database = await freshDatabase()
  warnings = []
  stopListening = onEvent((event) => {
    if (event.type !== 'configuration.warning') return
    // The cheap hashing of the tests, told last.
    if (event.message.includes('OWASP')) starts++
    else warnings.push(event.message)
  })
})
afterEach(async () => {
  stopListening()
  await close()
  await database.drop()
})

/** Starts anew with these options. */
async function restart(options: Options = {}): Promise<void> {
  await close()
  warnings.length = 0
  starts = 0
  configure({
    databaseUrl: database.url,
    statementTimeoutMs: 10_000,
    ...cheapHashing,
    ...options,
  })
  await addon.health()
  await eventually(() => expect(starts).toBe(1))
}

const create = (): Promise<Issued> => createApiKey({ name: 'n', clientId: 'c' })
const row = ({ id }: { id: string }): Promise<Stored> => storedOf(database.sql, id)

/** The hashes that a verify costs here. */
async function hashesOf(key: string): Promise<number> {
  const before = stats().hashes
  expect(await verifyApiKey(key)).toMatchObject({ valid: true })
  return stats().hashes - before
}

/** Expects a new key to have a digest under this pepper. */
async function expectPepper(pepper: Buffer): Promise<void> {
  const issued = await create()
  const { key, coldDigest: stored } = await row(issued)
  expect(stored).toEqual(coldDigest(pepper, issued.key, key))
}

const exposed =
  /No cold digest is made under signing keys that the database .*API_KEYS_SIGNING_KEYS/
const missing = /argon2id at its first verify.*JWT_SECRET.*API_KEYS_SIGNING_KEYS/

describe('the pepper', () => {
  test('is the first signing key of the environment, where there is one', async () => {
    const keys = [aKey(), aKey()]
    await restart({ signingKeys: keys, jwtSecret })
    await expectPepper(pepperOfSigningKey(keys[0]!))
    expect(warnings).toEqual([])
  })

  test('is else derived from the JWT secret', async () => {
    await restart({ jwtSecret })
    await expectPepper(pepperOfSecret(jwtSecret))
    expect(warnings).toEqual([])
  })

  test.each([{}, { jwtSecret: 'of less than 32 bytes' }])(
    'is none where there is no secret: %j',
    async (options) => {
      await restart({ ...options, coldDigest: 'on' })
      const issued = await create()
      expect((await row(issued)).coldDigest).toBeNull()
      expect(await hashesOf(issued.key)).toBe(1)
      expect(warnings).toEqual([expect.stringMatching(missing)])
      await restart(options)
      expect(await hashesOf(issued.key)).toBe(1)
      expect((await row(issued)).coldDigest).toBeNull()
      // None is asked for where the option is off.
      await restart({ ...options, coldDigest: 'off' })
      await create()
      expect(warnings).toEqual([])
    },
  )
})

describe('a signing key that the database', () => {
  const stored = async (): Promise<string> => {
    await restart()
    await create()
    const [row] = await database.sql(
      `SELECT encode(key, 'base64') AS key FROM sophra_api_keys.signing_keys WHERE key IS NOT NULL`,
    )
    return row!.key as string
  }
  const removals: [string, string][] = [
    ['holds', ''],
    ['held', `UPDATE sophra_api_keys.signing_keys SET key = NULL`],
    ['held in a row that is gone', `DELETE FROM sophra_api_keys.signing_keys`],
    ['held in a table that was emptied', `TRUNCATE sophra_api_keys.signing_keys`],
    [
      'holds by another name',
      `UPDATE sophra_api_keys.signing_keys SET fingerprint = 'another' WHERE key IS NOT NULL`,
    ],
    [
      'holds, written while the trigger was off',
      `DELETE FROM sophra_api_keys.exposed_signing_keys`,
    ],
  ]

  test.each(removals)('%s is no pepper', async (_what, removal) => {
    const old = await stored()
    if (removal) await database.sql(removal)
    await restart({ signingKeys: [old], jwtSecret })
    await expectPepper(pepperOfSecret(jwtSecret))
    expect(warnings).toEqual([expect.stringMatching(exposed)])

    const [first, other] = [aKey(), aKey()]
    await restart({ signingKeys: [old, other], jwtSecret })
    await expectPepper(pepperOfSigningKey(other))
    expect(warnings).toEqual([expect.stringMatching(exposed)])

    await restart({ signingKeys: [old] })
    expect((await row(await create())).coldDigest).toBeNull()
    expect(warnings).toEqual([expect.stringMatching(exposed), expect.stringMatching(missing)])

    // As it says. The old one stays in the list for the tags of keys.
    await restart({ signingKeys: [first, old] })
    await expectPepper(pepperOfSigningKey(first))
    expect(warnings).toEqual([expect.stringMatching(exposed)])

    await database.sql(`DELETE FROM "ApiKey"`)
    await restart({ signingKeys: [first] })
    await expectPepper(pepperOfSigningKey(first))
    expect(warnings).toEqual([])
  })

  test('never held is one', async () => {
    await stored()
    await database.sql(`DELETE FROM "ApiKey"`)
    const own = aKey()
    await restart({ signingKeys: [own] })
    // Only its fingerprint is stored.
    await expectPepper(pepperOfSigningKey(own))
    expect(warnings).toEqual([])
  })
})

/** A key with a previous one in its grace period. */
async function rotated(): Promise<{ id: string; keys: [string, string] }> {
  const { id, key } = await create()
  const { key: next } = await updateApiKey({ id, regenerateKey: true, gracePeriodSeconds: 600 })
  return { id, keys: [next!, key] }
}

/** Waits until both digests of the row are of this pepper. */
const digested = async (
  { id, keys }: { id: string; keys: [string, string] },
  pepper: Buffer,
): Promise<void> =>
  eventually(async () => {
    const found = await row({ id })
    expect(found.coldDigest).toEqual(coldDigest(pepper, keys[0], found.key))
    expect(found.previousColdDigest).toEqual(coldDigest(pepper, keys[1], found.previousKey!))
  })

describe('another pepper', () => {
  test('in place of a secret that changed costs one hash per key, and then none', async () => {
    const next = `${jwtSecret}, changed`
    await restart({ jwtSecret })
    const made = await rotated()
    await digested(made, pepperOfSecret(jwtSecret))
    await restart({ jwtSecret: next })
    for (const key of made.keys) expect(await hashesOf(key)).toBe(1)
    await digested(made, pepperOfSecret(next))
    for (let time = 0; time < 3; time++) {
      await restart({ jwtSecret: next })
      for (const key of made.keys) expect(await hashesOf(key)).toBe(0)
    }
  })

  test('before the old one in the list costs no hash, and the digests are renewed', async () => {
    const [old, next] = [aKey(), aKey()]
    await restart({ signingKeys: [old] })
    const made = await rotated()
    await digested(made, pepperOfSigningKey(old))
    await restart({ signingKeys: [next, old] })
    for (const key of made.keys) expect(await hashesOf(key)).toBe(0)
    await digested(made, pepperOfSigningKey(next))
  })
})

describe('processes with different peppers', () => {
  const start = (options: Options): Promise<Peer> =>
    startPeer({
      databaseUrl: database.url,
      statementTimeoutMs: 10_000,
      // Each of two keys displaces the other from the cache.
      cacheCapacity: 1,
      ...cheapHashing,
      ...options,
    })
  const hashesBy = (peer: Peer, key: string): Promise<number> =>
    peer.run(async ({ api, stats }, key) => {
      const before = stats().hashes
      const { code } = await api.verifyApiKey(key)
      if (code !== 'VALID') throw new Error(code)
      return stats().hashes - before
    }, key)

  test('replace the digests of each other once per key, and not for ever', async () => {
    const [oldSecret, newSecret] = [`${jwtSecret}: old`, `${jwtSecret}: new`]
    await restart({ jwtSecret: oldSecret })
    const [made, ...others] = await Promise.all(Array.from({ length: 8 }, create))
    const stored = async (): Promise<Buffer | null> => (await row(made!)).coldDigest
    const of = async (secret: string): Promise<Buffer> =>
      coldDigest(pepperOfSecret(secret), made!.key, (await row(made!)).key)
    const [before, after] = [
      await start({ jwtSecret: oldSecret }),
      await start({ jwtSecret: newSecret }),
    ]
    /** A digest of a key that was verified last is stored, and so is what was to be stored before. */
    const displaced = async (peer: Peer, secret: string): Promise<void> => {
      const other = others.pop()!
      await database.sql(`UPDATE "ApiKey" SET "coldDigest" = NULL WHERE "id" = $1`, [other.id])
      await hashesBy(peer, other.key)
      await eventually(async () => {
        const { key, coldDigest: digest } = await row(other)
        expect(digest).toEqual(coldDigest(pepperOfSecret(secret), other.key, key))
      })
    }

    expect(await stored()).toEqual(await of(oldSecret))
    expect(await hashesBy(after, made!.key)).toBe(1)
    await eventually(async () => expect(await stored()).toEqual(await of(newSecret)))
    expect(await hashesBy(before, made!.key)).toBe(1)
    await eventually(async () => expect(await stored()).toEqual(await of(oldSecret)))
    // From here on the one that lacks the pepper hashes, and writes nothing.
    for (let time = 0; time < 3; time++) {
      await displaced(after, newSecret)
      expect(await hashesBy(after, made!.key)).toBe(1)
      await displaced(before, oldSecret)
      expect(await hashesBy(before, made!.key)).toBe(0)
      expect(await stored()).toEqual(await of(oldSecret))
    }
    await before.stop()
    await after.stop()
  })

  test('or without one leave what others have made alone', async () => {
    await restart({ jwtSecret })
    const [made, other] = [await create(), await create()]
    const before = await row(made)
    const without = await start({})
    for (const { key } of [made, other, made, other]) expect(await hashesBy(without, key)).toBe(1)
    expect(await row(made)).toEqual(before)
    const { key } = await without.run(
      ({ api }, id) => api.updateApiKey({ id, regenerateKey: true, gracePeriodSeconds: 60 }),
      made.id,
    )
    expect(await row(made)).toMatchObject({
      coldDigest: null,
      previousColdDigest: before.coldDigest,
    })
    await without.stop()
    await restart({ jwtSecret })
    expect(await hashesOf(key!)).toBe(1)
    expect(await hashesOf(made.key)).toBe(0)
  })
})
