import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { coldDigest, pepperOfSigningKey, storedOf, type Stored } from '../support/cold-digest.js'
import { eventually } from '../support/eventually.js'
import { withAnotherLookup, withWrongSecret } from '../support/forge.js'
import { insertOldKey } from '../support/old-rows.js'
import { startPeer, type Peer } from '../support/peer.js'
import { useSetting, type Issued, type Options } from '../support/setting.js'

const { createApiKey, migrate, onEvent, updateApiKey, verifyApiKey } = addon

const signingKey = randomBytes(32).toString('base64')
const pepper = pepperOfSigningKey(signingKey)
// Enough for a slow machine.
const options: Options = { signingKeys: [signingKey], statementTimeoutMs: 10_000 }
const setting = useSetting(options)

/** Another process that has seen nothing yet. */
const stranger = (more: Options = {}): Promise<Peer> =>
  startPeer({
    databaseUrl: setting.database.url,
    suspensionSeconds: 0,
    ...cheapHashing,
    ...options,
    ...more,
  })

let fresh: Peer
beforeEach(async () => {
  fresh = await stranger()
})
afterEach(() => fresh.stop())

/** The result of a verify in the other process, and the number of hashes that it costs. */
const verifyBy = (peer: Peer, key: string): Promise<{ code: string; hashes: number }> =>
  peer.run(async ({ api, stats }, key) => {
    const before = stats().hashes
    const { code } = await api.verifyApiKey(key)
    return { code, hashes: stats().hashes - before }
  }, key)

const row = ({ id }: { id: string }): Promise<Stored> => storedOf(setting.sql, id)
const create = (): Promise<Issued> => createApiKey({ name: 'Key', clientId: 'c' })

const setDigest = ({ id }: { id: string }, digest: Buffer | null): Promise<unknown> =>
  setting.sql(`UPDATE "ApiKey" SET "coldDigest" = $2 WHERE "id" = $1`, [id, digest])

/** Waits until the row holds the digest of this key, made under our pepper. */
const digested = async (row: () => Promise<[Buffer | null, string]>, key: string): Promise<void> =>
  eventually(async () => {
    const [digest, hash] = await row()
    expect(digest).toEqual(coldDigest(pepper, key, hash))
  })

const current = (issued: { id: string }) => async (): Promise<[Buffer | null, string]> => {
  const { coldDigest, key } = await row(issued)
  return [coldDigest, key]
}
const previous = (issued: { id: string }) => async (): Promise<[Buffer | null, string]> => {
  const { previousColdDigest, previousKey } = await row(issued)
  return [previousColdDigest, previousKey!]
}

describe('a new key', () => {
  test('is stored with its digest, and costs another process no hash', async () => {
    const { statements } = await setting.cost(create)
    expect(statements.filter((text) => /INSERT|UPDATE/.test(text))).toHaveLength(1)
    const issued = await create()
    const { key, coldDigest: stored } = await row(issued)
    expect(key).toMatch(/^\$argon2id\$v=19\$m=8,t=1,p=1\$/)
    expect(stored).toEqual(coldDigest(pepper, issued.key, key))
    expect(await verifyBy(fresh, issued.key)).toEqual({ code: 'VALID', hashes: 0 })
  })

  test('lets no wrong secret in, which costs no hash and is no fault of the row', async () => {
    const issued = await create()
    const unreadable: unknown[] = []
    const stop = onEvent(({ type }) => void (type === 'key.unreadable' && unreadable.push(type)))
    for (let time = 0; time < 50; time++) {
      const wrong = withWrongSecret(issued.key, signingKey)
      expect(await verifyBy(fresh, wrong)).toEqual({ code: 'INVALID_KEY', hashes: 0 })
      const cost = await setting.cost(async () =>
        expect((await verifyApiKey(wrong)).code).toBe('INVALID_KEY'),
      )
      expect(cost.hashes).toBe(0)
    }
    expect((await verifyBy(fresh, issued.key)).code).toBe('VALID')
    // Had there been such an event, it would have come before this one.
    const suspect = await create()
    await setting.sql(`UPDATE "ApiKey" SET "key" = '$argon2id$' WHERE "id" = $1`, [suspect.id])
    await setting.caughtUp()
    await verifyApiKey(suspect.key)
    await eventually(() => expect(unreadable).toHaveLength(1))
    stop()
    await setting.sql(`DELETE FROM "ApiKey" WHERE "id" = $1`, [suspect.id])
  })

  test('is still checked for everything else', async () => {
    const issued = await create()
    await setting.sql(`UPDATE "ApiKey" SET "isActive" = false WHERE "id" = $1`, [issued.id])
    expect(await verifyBy(fresh, issued.key)).toEqual({ code: 'DISABLED', hashes: 0 })
  })

  test('is refused when a writer that does not know digests replaces the hash', async () => {
    const [issued, other] = [await create(), await create()]
    const { key: otherHash } = await row(other)
    await setting.sql(`DELETE FROM "ApiKey" WHERE "id" = $1`, [other.id])
    for (const replacement of [otherHash, 'a-plaintext-key-of-an-old-instance-0123456789']) {
      await setting.sql(`UPDATE "ApiKey" SET "key" = $2 WHERE "id" = $1`, [issued.id, replacement])
      const unseen = await stranger()
      expect((await verifyBy(unseen, issued.key)).code).toBe('INVALID_KEY')
      await unseen.stop()
    }
    await setting.caughtUp()
    expect((await verifyApiKey(issued.key)).code).toBe('INVALID_KEY')
  })
})

describe('a digest that cannot decide', () => {
  const strange: [string, (own: Stored, key: string, other: Stored) => Buffer | null][] = [
    ['none', () => null],
    ['an empty one', () => Buffer.alloc(0)],
    ['zeros', () => Buffer.alloc(48)],
    ['one that is too short', ({ coldDigest }) => coldDigest!.subarray(0, 47)],
    ['one that is too long', ({ coldDigest }) => Buffer.concat([coldDigest!, Buffer.alloc(1)])],
    ['the code alone', ({ coldDigest }) => coldDigest!.subarray(16)],
    ["another row's", (_own, _key, { coldDigest }) => coldDigest],
    ['one of another hash', ({ key: hash }, key) => coldDigest(pepper, key, `${hash}=`)],
    ['one under another pepper', ({ key: hash }, key) => coldDigest(randomBytes(32), key, hash)],
    [
      'one of another key under another pepper',
      ({ key: hash }, key) => coldDigest(randomBytes(32), withWrongSecret(key, signingKey), hash),
    ],
  ]

  test('neither lets in nor keeps out: one hash decides, and the digest is renewed', async () => {
    const other = await row(await create())
    for (const [what, make] of strange) {
      const issued = await create()
      const digest = make(await row(issued), issued.key, other)
      await setDigest(issued, digest)
      const wrong = withWrongSecret(issued.key, signingKey)
      expect(await verifyBy(fresh, wrong), what).toEqual({ code: 'INVALID_KEY', hashes: 1 })
      expect((await row(issued)).coldDigest, what).toEqual(digest)
      expect(await verifyBy(fresh, issued.key), what).toEqual({ code: 'VALID', hashes: 1 })
      await digested(current(issued), issued.key)
    }
  })

  test('of the right pepper and hash decides alone, and so a wrong one refuses', async () => {
    const issued = await create()
    const { key } = await row(issued)
    await setDigest(issued, coldDigest(pepper, withWrongSecret(issued.key, signingKey), key))
    expect(await verifyBy(fresh, issued.key)).toEqual({ code: 'INVALID_KEY', hashes: 0 })
  })
})

describe('a rotated key', () => {
  const rotate = (issued: Issued, gracePeriodSeconds?: number) =>
    updateApiKey({ id: issued.id, regenerateKey: true, gracePeriodSeconds })

  test('has its digest, and the one of its predecessor moves along', async () => {
    const issued = await create()
    let next = ''
    const { statements } = await setting.cost(async () => {
      next = (await rotate(issued, 600)).key!
    })
    // The credential, and the settings.
    expect(statements.filter((text) => /INSERT|UPDATE "/.test(text))).toHaveLength(2)
    await digested(current(issued), next)
    await digested(previous(issued), issued.key)
    for (const key of [issued.key, next]) {
      expect(await verifyBy(fresh, key)).toEqual({ code: 'VALID', hashes: 0 })
    }
    const wrong = withWrongSecret(issued.key, signingKey)
    expect(await verifyBy(fresh, wrong)).toEqual({ code: 'INVALID_KEY', hashes: 0 })
  })

  test('without a grace period leaves nothing of its predecessor', async () => {
    const issued = await create()
    const { key: next } = await rotate(issued)
    expect(await row(issued)).toMatchObject({ previousKey: null, previousColdDigest: null })
    expect(await verifyBy(fresh, issued.key)).toEqual({ code: 'INVALID_KEY', hashes: 0 })
    expect(await verifyBy(fresh, next!)).toEqual({ code: 'VALID', hashes: 0 })
  })

  test('loses the digest of its predecessor when the grace period is ended', async () => {
    const issued = await create()
    await rotate(issued, 600)
    expect((await row(issued)).previousColdDigest).toHaveLength(48)
    await addon.patchApiKey({ id: issued.id, previousKeyExpiresAt: null })
    expect(await row(issued)).toMatchObject({ previousKey: null, previousColdDigest: null })
    expect((await row(issued)).coldDigest).toHaveLength(48)
  })

  test('whose predecessor was proved by its hash has a digest of it after that', async () => {
    const issued = await create()
    await rotate(issued, 600)
    await setting.sql(`UPDATE "ApiKey" SET "previousColdDigest" = NULL WHERE "id" = $1`, [
      issued.id,
    ])
    expect(await verifyBy(fresh, issued.key)).toEqual({ code: 'VALID', hashes: 1 })
    await digested(previous(issued), issued.key)
    const unseen = await stranger()
    expect(await verifyBy(unseen, issued.key)).toEqual({ code: 'VALID', hashes: 0 })
    await unseen.stop()
  })

  test('that held plaintext keeps a digest of that', async () => {
    const old = await insertOldKey(setting.sql)
    const { key: next } = await updateApiKey({
      id: old.id,
      regenerateKey: true,
      gracePeriodSeconds: 600,
    })
    await digested(current(old), next!)
    await digested(previous(old), old.key)
    expect(await verifyBy(fresh, old.key)).toEqual({ code: 'VALID', hashes: 0 })
  })
})

describe('an adopted key', () => {
  test('gets its digest from the backfill', async () => {
    const old = await insertOldKey(setting.sql)
    await migrate({ adopt: true })
    await digested(current(old), old.key)
    expect(await verifyBy(fresh, old.key)).toEqual({ code: 'VALID', hashes: 0 })
  })

  test('gets it at its first use', async () => {
    const adopting = await stranger({ adopt: 'hash' })
    const old = await insertOldKey(setting.sql)
    await verifyBy(adopting, old.key)
    await digested(current(old), old.key)
    await adopting.stop()
    expect(await verifyBy(fresh, old.key)).toEqual({ code: 'VALID', hashes: 0 })
  })
})

describe('a hash with outdated parameters', () => {
  test('is renewed though the digest decided, and its digest in the same statement', async () => {
    const issued = await create()
    const before = await row(issued)
    const stronger = await stranger({ argon2Iterations: 2 })
    expect(await verifyBy(stronger, issued.key)).toMatchObject({ code: 'VALID' })
    await eventually(async () => {
      const { key, coldDigest: stored } = await row(issued)
      // Whenever there is a new hash, its digest is there too.
      expect(stored).toEqual(coldDigest(pepper, issued.key, key))
      expect(key).toMatch(/m=8,t=2,/)
      expect(key).not.toBe(before.key)
    })
    await stronger.stop()
    expect(await verifyBy(fresh, issued.key)).toEqual({ code: 'VALID', hashes: 0 })
  })

  test('is renewed after it was computed, too', async () => {
    const issued = await create()
    await setDigest(issued, null)
    const stronger = await stranger({ argon2Iterations: 2 })
    expect(await verifyBy(stronger, issued.key)).toMatchObject({ code: 'VALID' })
    await eventually(async () => expect((await row(issued)).key).toMatch(/m=8,t=2,/))
    await digested(current(issued), issued.key)
    await stronger.stop()
  })
})

describe('an unknown lookup', () => {
  const unknown = (key: string): string => withAnotherLookup(key, signingKey)

  test('costs no hash where digests decide', async () => {
    const issued = await create()
    expect(await verifyBy(fresh, unknown(issued.key))).toEqual({ code: 'INVALID_KEY', hashes: 0 })
    expect((await verifyBy(fresh, issued.key)).code).toBe('VALID')
    expect(await verifyBy(fresh, unknown(issued.key))).toEqual({ code: 'INVALID_KEY', hashes: 0 })
  })

  test('costs a hash where no digest is made', async () => {
    const issued = await create()
    const without = await stranger({ coldDigest: 'off' })
    expect(await verifyBy(without, unknown(issued.key))).toEqual({ code: 'INVALID_KEY', hashes: 1 })
    const wrong = withWrongSecret(issued.key, signingKey)
    expect(await verifyBy(without, wrong)).toEqual({ code: 'INVALID_KEY', hashes: 1 })
    await without.stop()
  })

  test('costs what most rows have cost, where some have a digest and some have none', async () => {
    const some = await Promise.all(Array.from({ length: 12 }, create))
    const [bare, whole] = [some.slice(0, 5), some.slice(5)]
    for (const key of bare) await setDigest(key, null)
    for (const { key } of bare) expect((await verifyBy(fresh, key)).hashes).toBe(1)
    expect((await verifyBy(fresh, unknown(bare[0]!.key))).hashes).toBe(1)
    for (const { key } of whole) expect((await verifyBy(fresh, key)).hashes).toBe(0)
    expect((await verifyBy(fresh, unknown(bare[0]!.key))).hashes).toBe(0)
  })
})

describe('with the option off', () => {
  test('no digest is read or written', async () => {
    const issued = await create()
    const without = await stranger({ coldDigest: 'off' })
    expect(await verifyBy(without, issued.key)).toEqual({ code: 'VALID', hashes: 1 })
    const made = await without.run(({ api }) => api.createApiKey({ name: 'n', clientId: 'c' }))
    expect(await verifyBy(without, made.key)).toEqual({ code: 'VALID', hashes: 1 })
    expect((await row(made)).coldDigest).toBeNull()

    const before = await row(issued)
    const { key: next } = await without.run(
      ({ api }, id) => api.updateApiKey({ id, regenerateKey: true, gracePeriodSeconds: 600 }),
      issued.id,
    )
    // What others have made moves along.
    expect(await row(issued)).toMatchObject({
      coldDigest: null,
      previousColdDigest: before.coldDigest,
    })
    expect(await verifyBy(fresh, next!)).toEqual({ code: 'VALID', hashes: 1 })
    expect(await verifyBy(fresh, issued.key)).toEqual({ code: 'VALID', hashes: 0 })
    await without.stop()
  })
})
