import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { jwt } from '../support/jwt.js'
import { dump } from '../support/leaks.js'
import { promptly } from '../support/promptly.js'
import { refusalOf } from '../support/refusal.js'
import { useSetting } from '../support/setting.js'
import { digestOf, inSeconds, insertOldKey, insertOldToken, oldKey } from '../support/old-rows.js'

const { createAdminToken, health, migrate, onEvent, updateApiKey } = addon
const { verifyAdminToken, verifyApiKey } = addon

const jwtSecret = 'the JWT secret of this test, of 32 bytes or more'
const setting = useSetting({ jwtSecret })

const unreadable: string[] = []
afterAll(onEvent((event) => void (event.type === 'key.unreadable' && unreadable.push(event.keyId))))

interface Row {
  id: string
  /** What is accepted before the row is overwritten. */
  keys: string[]
}

const kinds: [string, () => Promise<Row>][] = [
  [
    'an issued key with a previous one',
    async () => {
      const [issued] = await setting.warmKeys(1)
      const { id, key } = issued!
      const rotated = await updateApiKey({ id, regenerateKey: true, gracePeriodSeconds: 600 })
      await setting.sql(
        `UPDATE "ApiKey" SET "coldDigest" = '\\x00', "previousColdDigest" = '\\x01' WHERE "id" = $1`,
        [id],
      )
      return { id, keys: [key, rotated.key!] }
    },
  ],
  [
    'an adopted key',
    async () => {
      const { id, key } = await insertOldKey(setting.sql)
      await migrate({ adopt: true })
      return { id, keys: [key] }
    },
  ],
]

/** Writes a plaintext over the key, as an instance does that knows nothing of the other columns. */
async function overwrite(id: string, key = oldKey()): Promise<string> {
  await setting.sql(`UPDATE "ApiKey" SET "key" = $2 WHERE "id" = $1`, [id, key])
  return key
}

/** A token of an old instance, for everything. */
const anotherToken = (): string =>
  jwt(
    { alg: 'HS256', typ: 'JWT' },
    { type: 'admin', name: 'prod-api-1', sub: oldKey(), iat: inSeconds(0), exp: inSeconds(600) },
    jwtSecret,
  )

const overwriteToken = (id: string, token: string): Promise<unknown> =>
  setting.sql(`UPDATE "AdminToken" SET "token" = $2 WHERE "id" = $1`, [id, token])

const isAccepted = async (key: string): Promise<boolean> => (await verifyApiKey(key)).valid

const isAcceptedThere = (key: string): Promise<boolean> =>
  setting.peer.run(async ({ api }, key) => (await api.verifyApiKey(key)).valid, key)

const credentialOf = async (id: string): Promise<Record<string, unknown>> => {
  const [row] = await setting.sql(
    `SELECT "key", "lookup", "start", "signingKey", "coldDigest", "previousKey", "previousLookup",
       "previousSigningKey", "previousColdDigest", "previousKeyExpiresAt" FROM "ApiKey" WHERE "id" = $1`,
    [id],
  )
  return row!
}

const plaintextAlone = (key: string): Record<string, unknown> => ({
  key,
  lookup: null,
  start: null,
  signingKey: null,
  coldDigest: null,
  previousKey: null,
  previousLookup: null,
  previousSigningKey: null,
  previousColdDigest: null,
  previousKeyExpiresAt: null,
})

async function withTriggerOff(table: string, write: () => Promise<unknown>): Promise<void> {
  await setting.sql(`ALTER TABLE "${table}" DISABLE TRIGGER sophra_api_keys_plaintext`)
  await write()
  await setting.sql(`ALTER TABLE "${table}" ENABLE ALWAYS TRIGGER sophra_api_keys_plaintext`)
}

describe.each(kinds)('a plaintext written over %s', (_what, make) => {
  test('is accepted at once, and what it replaced is refused everywhere', async () => {
    const { id, keys } = await make()
    for (const key of keys) {
      expect([await isAccepted(key), await isAcceptedThere(key)]).toEqual([true, true])
    }
    const written = await overwrite(id)
    expect(await credentialOf(id)).toEqual(plaintextAlone(written))
    expect(await verifyApiKey(written)).toMatchObject({ valid: true, keyId: id })
    for (const key of keys) {
      await refusalOf(key)
      await promptly('the key is refused there', async () => !(await isAcceptedThere(key)))
    }
    expect([await isAccepted(written), await isAcceptedThere(written)]).toEqual([true, true])
  })

  test('is counted, adopted, and valid after that', async () => {
    const { id } = await make()
    const written = await overwrite(id)
    const { remaining } = await migrate()
    expect(remaining).toBeGreaterThanOrEqual(1)
    expect(await migrate({ adopt: true })).toMatchObject({ adopted: remaining, remaining: 0 })
    expect(await credentialOf(id)).toMatchObject({ lookup: digestOf(written) })
    expect(await verifyApiKey(written)).toMatchObject({ valid: true, keyId: id })
    expect((await dump(setting.sql)).includes(written)).toBe(false)
  })

  test('is kept for a grace period as a hash only', async () => {
    const { id } = await make()
    const written = await overwrite(id)
    const { key } = await updateApiKey({ id, regenerateKey: true, gracePeriodSeconds: 600 })
    for (const accepted of [written, key!]) {
      expect(await verifyApiKey(accepted)).toMatchObject({ valid: true, keyId: id })
    }
    expect((await dump(setting.sql)).includes(written)).toBe(false)
  })
})

test.each([
  'hunter2',
  '',
  '$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g',
  '$2b$12$no-hash-of-ours',
])('what is no hash of ours, like %j, has no lookup', async (text) => {
  const [issued] = await setting.warmKeys(1)
  await overwrite(issued!.id, text)
  expect(await credentialOf(issued!.id)).toEqual(plaintextAlone(text))
  await refusalOf(issued!.key)
  await setting.sql(`DELETE FROM "ApiKey" WHERE "id" = $1`, [issued!.id])
})

test('no lookup can be inserted beside plaintext, or set later', async () => {
  const { id, key } = await insertOldKey(setting.sql, { lookup: 'lookup', start: 'start' })
  expect(await credentialOf(id)).toEqual(plaintextAlone(key))
  await setting.sql(`UPDATE "ApiKey" SET "lookup" = 'lookup' WHERE "id" = $1`, [id])
  expect(await credentialOf(id)).toEqual(plaintextAlone(key))
  expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
})

test('a column that another tool has dropped does not keep the app from writing', async () => {
  const [issued] = await setting.warmKeys(1)
  const written = oldKey()
  const { id } = issued!
  await setting.sql(
    `ALTER TABLE "ApiKey" DROP COLUMN "coldDigest";
     UPDATE "ApiKey" SET "key" = '${written}' WHERE "id" = '${id}';
     ALTER TABLE "ApiKey" ADD COLUMN "coldDigest" BYTEA`,
  )
  expect(await credentialOf(id)).toEqual(plaintextAlone(written))
})

describe('a lookup beside plaintext, written while the trigger was off', () => {
  const left = async (): Promise<string> => {
    const [issued] = await setting.warmKeys(1)
    await withTriggerOff('ApiKey', () => overwrite(issued!.id))
    expect(await credentialOf(issued!.id)).toMatchObject({ lookup: expect.any(String) })
    return issued!.id
  }

  test('is counted and adopted', async () => {
    await migrate({ adopt: true })
    const id = await left()
    const { key } = await credentialOf(id)
    expect(await migrate()).toMatchObject({ remaining: 1 })
    expect(await migrate({ adopt: true })).toMatchObject({ adopted: 1, remaining: 0 })
    expect(await verifyApiKey(key as string)).toMatchObject({ valid: true, keyId: id })
    expect(await credentialOf(id)).toMatchObject({ start: null, signingKey: null })
  })

  test('is not kept for a grace period', async () => {
    const id = await left()
    const { key } = await credentialOf(id)
    const { previousKeyExpiresAt } = await updateApiKey({
      id,
      regenerateKey: true,
      gracePeriodSeconds: 600,
    })
    expect(previousKeyExpiresAt).toBeNull()
    expect((await dump(setting.sql)).includes(key as string)).toBe(false)
  })

  test('of a token is counted and adopted', async () => {
    await migrate({ adopt: true })
    const { id, token } = await createAdminToken({ name: 'Left' })
    const written = anotherToken()
    await withTriggerOff('AdminToken', () => overwriteToken(id, written))
    expect(await migrate()).toMatchObject({ remaining: 1 })
    expect(await migrate({ adopt: true })).toMatchObject({ adopted: 1, remaining: 0 })
    expect(await verifyAdminToken(written)).toMatchObject({ valid: true, tokenId: id })
    expect((await verifyAdminToken(token)).valid).toBe(false)
  })
})

describe('a token written over the digest of', () => {
  const isValid = async (token: string): Promise<boolean> => (await verifyAdminToken(token)).valid
  const isValidThere = (token: string): Promise<boolean> =>
    setting.peer.run(async ({ api }, token) => (await api.verifyAdminToken(token)).valid, token)
  const tokens: [string, () => Promise<{ id: string; token: string }>][] = [
    ['an issued one', () => createAdminToken({ name: 'Ours', permissions: ['keys:read'] })],
    [
      'an adopted one',
      async () => {
        const row = await insertOldToken(setting.sql, jwtSecret)
        await setting.sql(`UPDATE "AdminToken" SET "permissions" = '{keys:read}' WHERE "id" = $1`, [
          row.id,
        ])
        await migrate({ adopt: true })
        return row
      },
    ],
  ]

  test.each(tokens)(
    '%s is accepted at once with the permissions of the row, and the other refused everywhere',
    async (_what, make) => {
      const { id, token } = await make()
      expect([await isValid(token), await isValidThere(token)]).toEqual([true, true])
      const written = anotherToken()
      await overwriteToken(id, written)
      const [row] = await setting.sql(
        `SELECT "token", "lookup", "expiresAt", "permissions" FROM "AdminToken" WHERE "id" = $1`,
        [id],
      )
      expect(row).toEqual({
        token: written,
        lookup: null,
        expiresAt: null,
        permissions: ['keys:read'],
      })
      const accepted = { valid: true, tokenId: id, permissions: ['keys:read'] }
      expect(await verifyAdminToken(written)).toMatchObject(accepted)
      await promptly('the token is refused', async () => !(await isValid(token)))
      await promptly('the token is refused there', async () => !(await isValidThere(token)))
      expect(await migrate({ adopt: true })).toMatchObject({ remaining: 0 })
      expect(await verifyAdminToken(written)).toMatchObject(accepted)
      expect(await isValidThere(written)).toBe(true)
      await setting.sql(`DELETE FROM "AdminToken" WHERE "id" = $1`, [id])
    },
  )

  test('an issued one keeps an expiry that the writer sets with it', async () => {
    const { id } = await createAdminToken({ name: 'Ours' })
    const expiresAt = new Date(Date.now() + 60_000)
    await setting.sql(`UPDATE "AdminToken" SET "token" = $2, "expiresAt" = $3 WHERE "id" = $1`, [
      id,
      anotherToken(),
      expiresAt.toISOString(),
    ])
    const [row] = await setting.sql(
      `SELECT "expiresAt" IS NOT NULL AS kept FROM "AdminToken" WHERE "id" = $1`,
      [id],
    )
    expect(row).toEqual({ kept: true })
    await setting.sql(`DELETE FROM "AdminToken" WHERE "id" = $1`, [id])
  })
})

test('a key that changes while it is hashed is hashed again at once', async () => {
  await migrate({ adopt: true })
  const { id } = await insertOldKey(setting.sql)
  const read = setting.tap.hold(/SELECT "id", "key", sophra_api_keys/)
  const swept = migrate({ adopt: true })
  const batch = await read
  const written = await overwrite(id)
  batch.release()
  expect(await swept).toMatchObject({ adopted: 1, remaining: 0 })
  expect(await credentialOf(id)).toMatchObject({ lookup: digestOf(written) })
})

test('a token that changes while it is hashed is hashed again at once', async () => {
  const { id } = await insertOldToken(setting.sql, jwtSecret)
  const read = setting.tap.hold(/FROM "AdminToken"\s+WHERE "lookup" IS NULL AND "token"[^]*LIMIT/)
  const swept = migrate({ adopt: true })
  const batch = await read
  await setting.sql(`UPDATE "AdminToken" SET "name" = 'Renamed' WHERE "id" = $1`, [id])
  batch.release()
  expect(await swept).toMatchObject({ adopted: 1, remaining: 0 })
})

/** A hash that is stored elsewhere too, so that whose key it is cannot be told. */
const hashOfAnother = async (): Promise<string> => {
  const [other] = await setting.coldKeys(1)
  const [row] = await setting.sql(`DELETE FROM "ApiKey" WHERE "id" = $1 RETURNING "key"`, [
    other!.id,
  ])
  return row!.key as string
}

test('a hash that is written without its lookup is reported when the key is used', async () => {
  const [issued] = await setting.warmKeys(1)
  const { id, key } = issued!
  await overwrite(id, await hashOfAnother())
  await refusalOf(key)
  await eventually(() => expect(unreadable.filter((it) => it === id)).toHaveLength(1))
})

describe.each(['verify', 'hash'] as const)("adopt: '%s'", (adopt) => {
  beforeAll(async () => {
    await migrate({ adopt: true })
    await addon.close()
    addon.configure({ ...setting.options, adopt })
    await health()
  })

  test('a hash without a lookup is reported as soon as it is stored, and is no plaintext', async () => {
    const { id, key } = await insertOldKey(setting.sql)
    await overwrite(id, await hashOfAnother())
    await eventually(() => expect(unreadable.filter((it) => it === id)).toHaveLength(1))
    expect((await verifyApiKey(key)).code).toBe('INVALID_KEY')
    expect((await health()).problems).toEqual([])
    expect(await migrate({ adopt: true })).toMatchObject({ adopted: 0, remaining: 0 })
    // Nobody can be given a grace period for it.
    const { previousKeyExpiresAt } = await updateApiKey({
      id,
      regenerateKey: true,
      gracePeriodSeconds: 600,
    })
    expect(previousKeyExpiresAt).toBeNull()
  })

  test('a plaintext written over a hash stays valid', async () => {
    const [issued] = await setting.warmKeys(1)
    const { id } = issued!
    const written = await overwrite(id)
    expect(await verifyApiKey(written)).toMatchObject({ valid: true, keyId: id })
    await refusalOf(issued!.key)
    if (adopt === 'hash') {
      await eventually(async () =>
        expect(await credentialOf(id)).toMatchObject({ lookup: digestOf(written) }),
      )
    }
    expect(await verifyApiKey(written)).toMatchObject({ valid: true, keyId: id })
  })
})

test('rows that arrive later are hashed soon, though nobody uses them', async () => {
  // The sweep of the start is over.
  await eventually(async () => expect((await migrate()).remaining).toBe(0))
  for (let time = 0; time < 3; time++) {
    const { id, key } = await insertOldKey(setting.sql)
    await insertOldToken(setting.sql, jwtSecret)
    await eventually(async () => expect((await migrate()).remaining).toBe(0), 30_000)
    expect(await credentialOf(id)).toMatchObject({ lookup: digestOf(key) })
  }
})
