import { createHash, createHmac, randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { thrownBy } from '../support/faults.js'
import { withWrongSecret } from '../support/forge.js'
import { startPeer, type Peer } from '../support/peer.js'
import { useSetting, type Issued, type Options } from '../support/setting.js'

const { close, configure, createApiKey, updateApiKey, verifyApiKey } = addon

const signingKey = randomBytes(32).toString('base64')
const on: Options = { signingKeys: [signingKey], coldDigest: 'on' }
const setting = useSetting(on)

/** Another process that has seen nothing yet. */
const stranger = (options = on): Promise<Peer> =>
  startPeer({ databaseUrl: setting.database.url, ...cheapHashing, ...options })

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

async function row({ id }: Issued): Promise<{ key: string; coldDigest: Buffer | null }> {
  const [found] = await setting.sql(`SELECT "key", "coldDigest" FROM "ApiKey" WHERE "id" = $1`, [
    id,
  ])
  return found as { key: string; coldDigest: Buffer | null }
}

/** A key that was proved once, so that its row has the digest. */
async function proved(): Promise<Issued> {
  const issued = await createApiKey({ name: 'Key', clientId: 'c' })
  expect((await verifyApiKey(issued.key)).valid).toBe(true)
  await eventually(async () => expect((await row(issued)).coldDigest).not.toBeNull())
  return issued
}

describe('a key that was proved once', () => {
  test('costs another process no hash', async () => {
    const issued = await proved()
    expect(await verifyBy(fresh, issued.key)).toEqual({ code: 'VALID', hashes: 0 })
  })

  test('keeps its argon2id hash, and a digest that nothing in the database leads to', async () => {
    const issued = await proved()
    const { key, coldDigest } = await row(issued)
    expect(key).toMatch(/^\$argon2id\$v=19\$m=8,t=1,p=1\$/)
    expect(coldDigest).toHaveLength(32)
    const guesses = [
      createHash('sha256').update(issued.key).digest(),
      createHmac('sha256', '').update(issued.key).digest(),
      createHmac('sha256', Buffer.from(signingKey, 'base64')).update(issued.key).digest(),
      createHmac('sha256', issued.id).update(issued.key).digest(),
    ]
    for (const guess of guesses) expect(guess.equals(coldDigest!)).toBe(false)
  })

  test('lets no wrong secret in', async () => {
    const issued = await proved()
    for (let time = 0; time < 50; time++) {
      const wrong = withWrongSecret(issued.key, signingKey)
      expect((await verifyBy(fresh, wrong)).code).toBe('INVALID_KEY')
      expect((await verifyApiKey(wrong)).code).toBe('INVALID_KEY')
    }
    expect((await verifyBy(fresh, issued.key)).code).toBe('VALID')
  })

  test('is still checked for everything else', async () => {
    const issued = await proved()
    await setting.sql(`UPDATE "ApiKey" SET "isActive" = false WHERE "id" = $1`, [issued.id])
    expect(await verifyBy(fresh, issued.key)).toEqual({ code: 'DISABLED', hashes: 0 })
  })

  test('is refused when a writer that does not know digests replaces the hash', async () => {
    const [issued, other] = [await proved(), await proved()]
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

  test("is not let in by another row's digest, nor by one that was made up", async () => {
    const [issued, other] = [await proved(), await proved()]
    const { coldDigest } = await row(issued)
    const wrong = withWrongSecret(other.key, signingKey)
    const madeUp = createHmac('sha256', Buffer.from(signingKey, 'base64')).update(wrong).digest()
    for (const digest of [coldDigest, madeUp, Buffer.alloc(0), Buffer.alloc(32)]) {
      await setting.sql(`UPDATE "ApiKey" SET "coldDigest" = $2 WHERE "id" = $1`, [other.id, digest])
      expect((await verifyBy(fresh, wrong)).code).toBe('INVALID_KEY')
      const unseen = await stranger()
      // It is a shortcut, not the proof.
      expect(await verifyBy(unseen, other.key)).toEqual({ code: 'VALID', hashes: 1 })
      await unseen.stop()
    }
  })

  test('loses the digest with the key', async () => {
    const issued = await proved()
    const { key: next } = await updateApiKey({ id: issued.id, regenerateKey: true })
    expect((await row(issued)).coldDigest).toBeNull()
    expect((await verifyBy(fresh, issued.key)).code).toBe('INVALID_KEY')
    expect(await verifyBy(fresh, next!)).toEqual({ code: 'VALID', hashes: 1 })
  })

  test('is proved by its hash in its grace period', async () => {
    const issued = await proved()
    const regenerated = { id: issued.id, regenerateKey: true, gracePeriodSeconds: 600 }
    const { key: next } = await updateApiKey(regenerated)
    expect((await verifyBy(fresh, issued.key)).code).toBe('VALID')
    expect((await verifyBy(fresh, next!)).code).toBe('VALID')
    // The digest of the old key is not valid for the new one.
    const unseen = await stranger()
    expect((await verifyBy(unseen, next!)).code).toBe('VALID')
    expect((await verifyBy(unseen, issued.key)).code).toBe('VALID')
    await unseen.stop()
  })

  test('keeps its digest while the signing keys are rotated', async () => {
    const issued = await proved()
    const rotated = [randomBytes(32).toString('base64'), signingKey]
    const later = await stranger({ ...on, signingKeys: rotated })
    expect(await verifyBy(later, issued.key)).toEqual({ code: 'VALID', hashes: 0 })
    await later.stop()
  })
})

test('without the option no digest is kept, and none is used', async () => {
  const issued = await proved()
  const without = await stranger({ signingKeys: [signingKey] })
  expect(await verifyBy(without, issued.key)).toEqual({ code: 'VALID', hashes: 1 })
  const other = await without.run(({ api }) => api.createApiKey({ name: 'n', clientId: 'c' }))
  expect(await verifyBy(without, other.key)).toEqual({ code: 'VALID', hashes: 1 })
  expect((await row(other)).coldDigest).toBeNull()
  await without.stop()
})

test('without signing keys of its own it is a fault', async () => {
  await close()
  const fault = thrownBy(() => configure({ databaseUrl: setting.tap.url, coldDigest: 'on' }))
  expect(fault).toMatchObject({ code: 'CONFIGURATION', status: 500 })
  expect(fault.message).toMatch(/coldDigest.*signingKeys/)
})
