import { beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { dump, formsOf, occurring } from '../support/leaks.js'
import { promptly } from '../support/promptly.js'
import { useSetting } from '../support/setting.js'
import {
  changesLogged,
  digestOf,
  insertOldKey,
  insertOldKeys,
  insertOldToken,
  oldKey,
  type OldKey,
} from '../support/old-rows.js'

const { flush, health, migrate, updateApiKey, verifyAdminToken, verifyApiKey } = addon

const jwtSecret = 'the JWT secret of this test, of 32 bytes or more'
const setting = useSetting({ jwtSecret })

/** The columns that adoption must not change. */
const kept = `SELECT to_jsonb(t) - 'key' - 'lookup' - 'coldDigest' AS row FROM "ApiKey" AS t ORDER BY "id"`

describe('migrate({ adopt: true })', () => {
  let keys: OldKey[]
  let odd: OldKey[]
  beforeAll(async () => {
    keys = await insertOldKeys(setting.sql, 300)
    odd = [
      await insertOldKey(setting.sql, { key: 'short' }),
      await insertOldKey(setting.sql, { key: '' }),
      await insertOldKey(setting.sql, { key: 'spaces and ümlauts\nand lines' }),
      await insertOldKey(setting.sql, { key: 'back\\slash-and-\\x6162-0123456789' }),
      await insertOldKey(setting.sql, { key: '$argon2id$v=19$m=8,t=1,p=1$looks$likeahash' }),
      await insertOldKey(setting.sql, { key: 'x'.repeat(2_000) }),
    ]
    await setting.caughtUp()
  })

  test('replaces every plaintext, and nothing else', async () => {
    const warm = keys.slice(0, 100)
    for (const { key } of warm) expect((await verifyApiKey(key)).valid).toBe(true)
    await flush()
    const before = await setting.sql(kept)
    const changes = await changesLogged(setting.sql)

    expect(await migrate()).toEqual({ applied: [], adopted: 0, remaining: 306 })
    expect(await migrate({ adopt: true })).toEqual({ applied: [], adopted: 306, remaining: 0 })
    expect(await setting.sql(kept)).toEqual(before)
    for (const row of await setting.sql(
      `SELECT "key", "lookup" FROM "ApiKey" WHERE "id" = ANY ($1)`,
      [[...keys, ...odd].map(({ id }) => id)],
    )) {
      expect(row.key).toMatch(/^\$argon2id\$v=19\$m=8,t=1,p=1\$[\w+/]{22}\$[\w+/]{43}$/)
      expect(row.lookup).toMatch(/^sha256:[0-9a-f]{64}$/)
    }

    // No change to anybody: what is warm stays warm.
    expect(await changesLogged(setting.sql)).toBe(changes)
    const cost = await setting.cost(async () => {
      for (const { id, key } of warm) {
        expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
      }
    })
    expect(cost).toEqual({ hashes: 0, selects: 0, statements: [] })
  })

  test('leaves no plaintext anywhere', async () => {
    const stored = await dump(setting.sql)
    const texts = keys.map(({ key }) => key)
    expect(occurring(texts.map(digestOf), stored)).toHaveLength(texts.length)
    expect(occurring(texts.flatMap(formsOf), stored)).toEqual([])
    for (const { key } of odd) if (key.length > 5) expect(stored).not.toContain(key)
  })

  test('leaves every old key valid, here and in another process', async () => {
    for (const { id, key } of keys) {
      expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
    }
    const others = await setting.peer.run(
      async ({ api, stats }, keys) => {
        const before = stats().hashes
        let valid = 0
        for (const key of keys) valid += Number((await api.verifyApiKey(key)).valid)
        return { valid, hashes: stats().hashes - before }
      },
      keys.map(({ key }) => key),
    )
    // By the cold digests.
    expect(others).toEqual({ valid: keys.length, hashes: 0 })
  })

  test('lets no stored value pass as a key', async () => {
    const rows = await setting.sql(`SELECT to_jsonb(t) AS row FROM "ApiKey" AS t`)
    const texts = new Set(
      rows
        .flatMap(({ row }) => Object.values(row as object))
        .filter((value): value is string => typeof value === 'string'),
    )
    expect(texts.size).toBeGreaterThan(keys.length * 3)
    for (const text of texts) expect((await verifyApiKey(text)).code).toBe('INVALID_KEY')
  })

  test('costs the process that did it no hash when a row changes later', async () => {
    const warm = keys.slice(0, 100)
    await setting.sql(`UPDATE "ApiKey" SET "name" = 'Renamed' WHERE "id" = ANY ($1)`, [
      warm.map(({ id }) => id),
    ])
    await setting.caughtUp()
    const cost = await setting.cost(async () => {
      for (const { key } of warm) {
        expect(await verifyApiKey(key)).toMatchObject({ valid: true, name: 'Renamed' })
      }
    })
    expect(cost).toMatchObject({ hashes: 0, selects: warm.length })
  })

  test('is a proof only while that hash stands', async () => {
    const [one, other] = keys.slice(100, 102)
    await verifyApiKey(one!.key)
    await setting.sql(
      `WITH gone AS (DELETE FROM "ApiKey" WHERE "id" = $2 RETURNING "key")
       UPDATE "ApiKey" SET "key" = gone."key" FROM gone WHERE "id" = $1`,
      [one!.id, other!.id],
    )
    await setting.caughtUp()
    expect((await verifyApiKey(one!.key)).code).toBe('INVALID_KEY')
  })

  test('lets an adopted key be regenerated with a grace period', async () => {
    const { id, key: old } = keys.at(-1)!
    const { key: fresh } = await updateApiKey({ id, regenerateKey: true, gracePeriodSeconds: 60 })
    for (const key of [old, fresh!]) {
      expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
    }
  })

  test('adopts up to the given number of rows, and returns how many are left', async () => {
    await insertOldKeys(setting.sql, 25)
    await insertOldToken(setting.sql, jwtSecret)
    const reports = []
    for (;;) {
      const report = await migrate({ adopt: true, limit: 10 })
      reports.push([report.adopted, report.remaining])
      if (report.remaining === 0) break
    }
    expect(reports).toEqual([
      [10, 16],
      [10, 6],
      [6, 0],
    ])
    expect(await migrate({ adopt: true })).toEqual({ applied: [], adopted: 0, remaining: 0 })
  })
})

test('a lookup that is not the digest of what stood there is a change', async () => {
  const { id, key } = await insertOldKey(setting.sql)
  await setting.caughtUp()
  expect((await verifyApiKey(key)).valid).toBe(true)
  await setting.sql(
    `UPDATE "ApiKey" SET "key" = '$argon2id$' || "id", "lookup" = $2 WHERE "id" = $1`,
    [id, digestOf(oldKey())],
  )
  await promptly('the key is refused', async () => !(await verifyApiKey(key)).valid)
})

describe("adopt: 'hash'", () => {
  beforeAll(async () => {
    await setting.sql(`DELETE FROM "ApiKey" WHERE "lookup" IS NULL`)
    await addon.close()
    addon.configure({ ...setting.options, adopt: 'hash' })
    await migrate()
  })

  const remaining = async (): Promise<number> => (await migrate()).remaining

  test('adopts what is there in the background, beside the answers', async () => {
    const { id, key } = await insertOldKey(setting.sql)
    const used = await insertOldToken(setting.sql, jwtSecret)
    expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
    expect((await verifyAdminToken(used.token)).valid).toBe(true)
    await eventually(async () => expect(await remaining()).toBe(0))
    const [row] = await setting.sql(`SELECT "key", "lookup" FROM "ApiKey" WHERE "id" = $1`, [id])
    expect(row!.key).toMatch(/^\$argon2id\$/)
    expect(row!.lookup).toBe(digestOf(key))
    expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
    expect((await verifyAdminToken(used.token)).valid).toBe(true)
  })

  test('sweeps from the start on, whether or not anybody comes', async () => {
    await addon.close()
    const keys = await insertOldKeys(setting.sql, 100)
    const unverifiable = await insertOldToken(setting.sql, jwtSecret, { token: 'not a token' })
    addon.configure({ ...setting.options, adopt: 'hash' })
    await health()
    await eventually(async () => expect(await remaining()).toBe(0), 30_000)
    expect(
      occurring([...keys.map(({ key }) => key), unverifiable.token], await dump(setting.sql)),
    ).toEqual([])
    expect((await health()).problems).toEqual([])
  })

  test('names what is left', async () => {
    const { key } = await insertOldKey(setting.sql)
    await eventually(async () => expect(await remaining()).toBe(0), 30_000)
    // Another row has its hash already.
    await insertOldKey(setting.sql, { key })
    const { status, problems } = await health()
    expect(status).toBe('degraded')
    expect(problems.join()).toMatch(/plaintext .*: 1$/)
    expect(await migrate({ adopt: true })).toEqual({ applied: [], adopted: 0, remaining: 1 })
  })
})
