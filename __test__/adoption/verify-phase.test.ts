import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { refusalOf } from '../support/refusal.js'
import { useSetting } from '../support/setting.js'
import { digestOf, insertOldKey, insertOldKeys, oldKey, storedRows } from '../support/old-rows.js'

const { flush, getApiKey, health, patchApiKey, updateApiKey, verifyApiKey } = addon

const setting = useSetting()
const invalid = { valid: false, code: 'INVALID_KEY', status: 401, message: 'Invalid API key' }

describe('a row that holds plaintext', () => {
  test('verifies from the first second, and nothing but its usage is written', async () => {
    const keys = await insertOldKeys(setting.sql, 50)
    const before = await storedRows(setting.sql, 'ApiKey')
    const cost = await setting.cost(async () => {
      for (const { id, key } of keys) {
        expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
      }
    })
    expect(cost.hashes).toBe(0)
    await flush()
    expect(await storedRows(setting.sql, 'ApiKey')).toEqual(before)
    expect((await getApiKey(keys[0]!.id))!.usageCount).toBe(2)
    expect((await health()).problems).toEqual([])
  })

  test('is answered from memory from then on', async () => {
    const { key } = await insertOldKey(setting.sql)
    await setting.caughtUp()
    await verifyApiKey(key)
    const cost = await setting.cost(async () => {
      for (let time = 0; time < 100; time++) expect((await verifyApiKey(key)).valid).toBe(true)
    })
    expect(cost).toEqual({ hashes: 0, selects: 0, statements: [] })
  })

  test('is refused as soon as another plaintext stands there, which is accepted', async () => {
    const { id, key } = await insertOldKey(setting.sql)
    expect((await verifyApiKey(key)).valid).toBe(true)
    const other = oldKey()
    await setting.sql(`UPDATE "ApiKey" SET "key" = $2 WHERE "id" = $1`, [id, other])
    await refusalOf(key)
    expect(await verifyApiKey(key)).toEqual(invalid)
    expect(await verifyApiKey(other)).toMatchObject({ valid: true, keyId: id })
  })

  test('obeys its columns, also where another writer changes them', async () => {
    const { id, key } = await insertOldKey(setting.sql)
    expect((await verifyApiKey(key)).valid).toBe(true)
    await setting.sql(`UPDATE "ApiKey" SET "isActive" = false WHERE "id" = $1`, [id])
    await refusalOf(key)
    expect(await verifyApiKey(key)).toMatchObject({ code: 'DISABLED', keyId: id })
    await patchApiKey({ id, isActive: true, scopes: ['docs:read'], rateLimit: 1 })
    expect(await verifyApiKey(key, { scopes: ['docs:read'] })).toMatchObject({ valid: true })
    expect(await verifyApiKey(key)).toMatchObject({ code: 'RATE_LIMITED' })
    await patchApiKey({ id, rateLimit: null })
    await setting.sql(`DELETE FROM "ApiKey" WHERE "id" = $1`, [id])
    await refusalOf(key)
    expect(await verifyApiKey(key)).toEqual(invalid)
  })

  test('keeps its expiry; a limit below 1 is none, and with an unreadable list it is refused everywhere', async () => {
    const expired = await insertOldKey(setting.sql, { expiresAt: '1999-01-01' })
    const unlimited = [
      await insertOldKey(setting.sql, { rateLimit: 0 }),
      await insertOldKey(setting.sql, { rateLimit: -5 }),
    ]
    const closed = await insertOldKey(setting.sql, { allowedIps: ['nonsense'] })
    const listed = await insertOldKey(setting.sql, { allowedIps: ['10.0.0.0/8'] })
    expect(await verifyApiKey(expired.key)).toMatchObject({ code: 'EXPIRED' })
    for (const { key } of unlimited) {
      expect(await verifyApiKey(key)).toMatchObject({ valid: true, rateLimit: null })
    }
    expect(await verifyApiKey(closed.key, { ip: '10.1.2.3' })).toMatchObject({
      code: 'IP_NOT_ALLOWED',
    })
    expect((await verifyApiKey(listed.key, { ip: '10.1.2.3' })).valid).toBe(true)
    expect((await verifyApiKey(listed.key)).valid).toBe(false)
  })

  test.each([
    ['a backslash', 'back\\slash-and-\\x6162-0123456789'],
    ['all that is visible', '!"#$%&\'()*+,-./0123456789:;<=>?@[]^_`{|}~'],
    ['the looks of a hash', '$argon2id$v=19$m=8,t=1,p=1$looks$likeahash'],
    ['16 characters', 'sixteen-letters!'],
    ['255 characters', 'x'.repeat(255)],
  ])('is found with %s', async (_what, key) => {
    const { id } = await insertOldKey(setting.sql, { key })
    expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
  })

  test.each([
    ['too short', 'only-15-letters'],
    ['too long', 'x'.repeat(256)],
    ['a space in it', 'a space in this old key'],
    ['letters beyond ASCII', 'schlüssel-der-alten-art'],
    ['the prefix of keys of ours', 'sophra_is-not-a-prefix-for-old-keys'],
  ])('is nobody’s key, and costs no statement, with %s', async (_what, key) => {
    await insertOldKey(setting.sql, { key })
    await setting.caughtUp()
    const cost = await setting.cost(async () => expect(await verifyApiKey(key)).toEqual(invalid))
    expect(cost).toEqual({ hashes: 0, selects: 0, statements: [] })
  })
})

describe('a string of the shape of old keys', () => {
  test('that no row has costs a statement, never a hash, and is remembered for a moment', async () => {
    await setting.caughtUp()
    const strangers = Array.from({ length: 200 }, oldKey)
    const first = await setting.cost(async () => {
      const answers = await Promise.all(strangers.map((key) => verifyApiKey(key)))
      for (const answer of answers) expect(answer).toEqual(invalid)
    })
    expect(first).toMatchObject({ hashes: 0, selects: strangers.length })
    const again = await setting.cost(() => verifyApiKey(strangers.at(-1)!))
    expect(again).toEqual({ hashes: 0, selects: 0, statements: [] })
  })

  test('is never one that is stored of a hashed key', async () => {
    const [issued] = await setting.warmKeys(1)
    await updateApiKey({ id: issued!.id, regenerateKey: true, gracePeriodSeconds: 600 })
    const [row] = await setting.sql(
      `SELECT to_jsonb(t) AS row FROM "ApiKey" AS t WHERE "id" = $1`,
      [issued!.id],
    )
    for (const value of Object.values(row!.row as object)) {
      if (typeof value === 'string') expect(await verifyApiKey(value)).toEqual(invalid)
    }
  })

  test('is never a hash, even where a row has lost its lookup', async () => {
    const [issued] = await setting.warmKeys(1)
    const [row] = await setting.sql(
      `UPDATE "ApiKey" SET "lookup" = NULL WHERE "id" = $1 RETURNING "key"`,
      [issued!.id],
    )
    await setting.caughtUp()
    const hash = row!.key as string
    expect(hash).toMatch(/^\$argon2id\$/)
    const cost = await setting.cost(async () => expect(await verifyApiKey(hash)).toEqual(invalid))
    expect(cost).toMatchObject({ selects: 0 })
    await setting.sql(`DELETE FROM "ApiKey" WHERE "id" = $1`, [issued!.id])
  })
})

describe('regenerating a row that holds plaintext', () => {
  test('keeps the old key for its grace period, as a hash only', async () => {
    const { id, key: old } = await insertOldKey(setting.sql)
    expect((await verifyApiKey(old)).valid).toBe(true)
    const { key: fresh, previousKeyExpiresAt } = await updateApiKey({
      id,
      regenerateKey: true,
      gracePeriodSeconds: 600,
    })
    expect(previousKeyExpiresAt!.getTime()).toBeGreaterThan(Date.now())
    for (const key of [old, fresh!]) {
      expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
    }
    const [row] = await setting.sql(
      `SELECT t::text AS row, t.* FROM "ApiKey" AS t WHERE "id" = $1`,
      [id],
    )
    expect(row!.row).not.toContain(old)
    expect(row!.previousKey).toMatch(/^\$argon2id\$/)
    expect(row!.previousLookup).toBe(digestOf(old))
    await patchApiKey({ id, previousKeyExpiresAt: null })
    expect(await verifyApiKey(old)).toEqual(invalid)
    expect((await verifyApiKey(fresh!)).valid).toBe(true)
  })

  test('ends the old key at once without one', async () => {
    const { id, key: old } = await insertOldKey(setting.sql)
    expect((await verifyApiKey(old)).valid).toBe(true)
    const { key: fresh } = await updateApiKey({ id, regenerateKey: true })
    expect(await verifyApiKey(old)).toEqual(invalid)
    expect((await verifyApiKey(fresh!)).valid).toBe(true)
    const [row] = await setting.sql(`SELECT t::text AS row FROM "ApiKey" AS t WHERE "id" = $1`, [
      id,
    ])
    expect(row!.row).not.toContain(old)
    expect(row!.row).not.toContain(digestOf(old))
  })

  test('does not hide another row that holds the same key again', async () => {
    const { id, key } = await insertOldKey(setting.sql)
    await updateApiKey({ id, regenerateKey: true, gracePeriodSeconds: 600 })
    await setting.sql(
      `UPDATE "ApiKey" SET "previousKeyExpiresAt" = now() - interval '1 day' WHERE "id" = $1`,
      [id],
    )
    const again = await insertOldKey(setting.sql, { key })
    await setting.caughtUp()
    expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: again.id })
  })
})
