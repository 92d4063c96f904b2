import { createHash, createHmac, pbkdf2Sync, scryptSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { addon, untyped } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { occurring, dump } from '../support/leaks.js'
import { useSetting } from '../support/setting.js'

// Keys of other programs, of which only hashes are known.

const { importApiKeys, verifyApiKey, updateApiKey, deleteApiKey, listAuditEvents } = addon
type Item = Parameters<typeof importApiKeys>[0][number]
type Hash = NonNullable<Item['hash']>

const setting = useSetting({ jwtSecret: 'the JWT secret of this test, of 32 bytes or more' })

const sha = (algorithm: string, text: string) => createHash(algorithm).update(text).digest('hex')
const hex = (text: string) => Buffer.from(text).toString('hex')
const item = (fields: Partial<Item>): Item => ({ name: 'Old', clientId: 'acme', ...fields })
const imported = (count: number) => ({ imported: count, skipped: 0, failed: [] })
const rows = () =>
  setting.sql(`SELECT "id", "key", "lookup", "coldDigest" FROM "ApiKey" ORDER BY "name", "id"`)
const rowOf = async (id: string) => (await rows()).find((row) => row.id === id)!

const byRow = { separator: '.', hashed: 'whole', before: 'row' } as const
const SALT = 'a salt of bytes!'
let number = 0
/** A key of at least 16 characters that no other test has. */
const newKey = (before = '') => `${before}oldkey-${++number}-of-another-program`

/** For each algorithm, an item of a key, with what finds its row if it is salted. */
const algorithms: Record<string, (key: string) => Partial<Item>> = {
  sha256: (key) => ({ hash: { algorithm: 'sha256', encoding: 'hex', value: sha('sha256', key) } }),
  'sha256 in base64url': (key) => ({
    hash: {
      algorithm: 'sha256',
      encoding: 'base64url',
      value: createHash('sha256').update(key).digest('base64url'),
    },
  }),
  sha512: (key) => ({ hash: { algorithm: 'sha512', encoding: 'hex', value: sha('sha512', key) } }),
  'salted sha256': (key) => ({
    prefix: key.split('.')[0]!,
    hash: {
      algorithm: 'sha256',
      encoding: 'hex',
      value: sha('sha256', SALT + key),
      salt: hex(SALT),
      part: byRow,
    },
  }),
  'hmac-sha256': (key) => ({
    prefix: key.split('.')[0]!,
    hash: {
      algorithm: 'hmac-sha256',
      encoding: 'hex',
      value: createHmac('sha256', SALT).update(key).digest('hex'),
      salt: hex(SALT),
      part: byRow,
    },
  }),
  'pbkdf2-sha256': (key) => ({
    prefix: key.split('.')[0]!,
    hash: {
      algorithm: 'pbkdf2-sha256',
      encoding: 'base64',
      value: pbkdf2Sync(key, SALT, 1_000, 32, 'sha256').toString('base64'),
      salt: Buffer.from(SALT).toString('base64'),
      parameters: { iterations: 1_000 },
      part: byRow,
    },
  }),
  scrypt: (key) => ({
    prefix: key.split('.')[0]!,
    hash: {
      algorithm: 'scrypt',
      encoding: 'hex',
      value: scryptSync(key, SALT, 64, { N: 1024, r: 8, p: 1 }).toString('hex'),
      salt: hex(SALT),
      parameters: { N: 1024, r: 8, p: 1 },
      part: byRow,
    },
  }),
  'scrypt in one text': (key) => ({
    prefix: key.split('.')[0]!,
    hash: {
      algorithm: 'scrypt',
      encoding: 'phc',
      value: `$scrypt$ln=10,r=8,p=1$${unpadded(Buffer.from(SALT))}$${unpadded(
        scryptSync(key, SALT, 32, { N: 1024, r: 8, p: 1 }),
      )}`,
      part: byRow,
    },
  }),
  'what follows the separator': (key) => ({
    hash: {
      algorithm: 'sha256',
      encoding: 'hex',
      value: sha('sha256', key.slice(key.indexOf('.') + 1)),
      part: { separator: '.', hashed: 'after' },
    },
  }),
  'what follows the separator, of an id': (key) => ({
    id: key.split('.')[0]!,
    hash: {
      algorithm: 'sha512',
      encoding: 'hex',
      value: sha('sha512', key.slice(key.indexOf('.') + 1)),
      part: { separator: '.', hashed: 'after', before: 'row' },
    },
  }),
  'a plaintext': (key) => ({ key }),
}
const unpadded = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '')

/** Hashes that others have published, of keys in their documents; the part after the dot is what was hashed. */
const published: [string, string, Hash][] = [
  [
    'RFC 7914, scrypt',
    'pleaseletmein',
    {
      algorithm: 'scrypt',
      encoding: 'hex',
      value:
        '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887',
      salt: hex('SodiumChloride'),
      parameters: { N: 16384, r: 8, p: 1 },
    },
  ],
  [
    'RFC 7914, PBKDF2-HMAC-SHA-256',
    'passwd',
    {
      algorithm: 'pbkdf2-sha256',
      encoding: 'hex',
      value: '55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc',
      salt: hex('salt'),
      parameters: { iterations: 1 },
    },
  ],
  [
    'RFC 4231, HMAC-SHA-256, with a key of the shape of keys',
    'what-do-ya-want-for-nothing?',
    {
      algorithm: 'hmac-sha256',
      encoding: 'hex',
      value: createHmac('sha256', 'Jefe').update('what-do-ya-want-for-nothing?').digest('hex'),
      salt: hex('Jefe'),
    },
  ],
  [
    'crypt_blowfish, bcrypt',
    'U*U',
    {
      algorithm: 'bcrypt',
      encoding: 'phc',
      value: '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW',
    },
  ],
  [
    'argon2id of the reference implementation',
    'sophra_live_0123456789ab_an-interop-vector',
    {
      algorithm: 'argon2id',
      encoding: 'phc',
      value:
        '$argon2id$v=19$m=64,t=2,p=4$AAECAwQFBgcICQoLDA0ODw$5wjCqJWQmwzC9RpqlZ5aWkMM6/xuWDY0Gl2BuPJdZ7Q',
    },
  ],
  [
    'the tests of the reference implementation, argon2id',
    'password',
    {
      algorithm: 'argon2id',
      encoding: 'phc',
      value:
        '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
    },
  ],
  [
    'crypt_blowfish, bcrypt of 72 bytes',
    '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789',
    {
      algorithm: 'bcrypt',
      encoding: 'phc',
      value: '$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui',
    },
  ],
  [
    'RFC 7914, PBKDF2-HMAC-SHA-256 of 80,000 iterations',
    'Password',
    {
      algorithm: 'pbkdf2-sha256',
      encoding: 'hex',
      value:
        '4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d',
      salt: hex('NaCl'),
      parameters: { iterations: 80_000 },
    },
  ],
  [
    'FIPS 180, SHA-512',
    'abc',
    {
      algorithm: 'sha512',
      encoding: 'hex',
      value:
        'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
    },
  ],
  [
    'FIPS 180, SHA-256',
    'abc',
    {
      algorithm: 'sha256',
      encoding: 'hex',
      value: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    },
  ],
]

const upgraded = (id: string) =>
  eventually(async () => {
    const { key } = await rowOf(id)
    expect(key).toMatch(/^\$argon2id\$/)
  })

describe.each(Object.entries(algorithms))('a key by %s', (_, hashed) => {
  test('verifies at once, is ours after its first use, and stays the same', async () => {
    const key = newKey(`p${number}x.`)
    const fields = item(hashed(key))
    expect(await importApiKeys([fields], { dryRun: true })).toEqual(imported(1))
    expect(await importApiKeys([fields])).toEqual(imported(1))
    const before = (await rows()).find(({ key }) => key.startsWith('$import$'))!
    // What is stored is no key, and neither is another text with the same beginning.
    for (const wrong of [before.key, `${key}x`, `${key.split('.')[0]}.${newKey()}`]) {
      expect(await verifyApiKey(wrong)).toMatchObject({ valid: false, code: 'INVALID_KEY' })
    }
    expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: before.id })
    await upgraded(before.id)
    const after = await rowOf(before.id)
    expect(after).toMatchObject({ lookup: before.lookup, coldDigest: expect.anything() })
    expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: before.id })
    expect(await verifyApiKey(`${key}x`)).toMatchObject({ valid: false, code: 'INVALID_KEY' })
    expect(await importApiKeys([fields])).toEqual({ imported: 0, skipped: 1, failed: [] })
    await deleteApiKey(before.id)
    expect(await verifyApiKey(key)).toMatchObject({ valid: false })
    expect(await importApiKeys([fields])).toEqual({ imported: 0, skipped: 1, failed: [] })
  })
})

test.each(published)('%s', async (_, hashed, hash) => {
  const prefix = `published-vector-${++number}`
  const part = { separator: '.', hashed: 'after', before: 'row' } as const
  expect(await importApiKeys([item({ prefix, hash: { ...hash, part } })])).toEqual(imported(1))
  expect(await verifyApiKey(`${prefix}.${hashed}-`)).toMatchObject({ valid: false })
  const verified = await verifyApiKey(`${prefix}.${hashed}`)
  expect(verified).toMatchObject({ valid: true })
  await upgraded(verified.valid ? verified.keyId : '')
  expect(await verifyApiKey(`${prefix}.${hashed}`)).toMatchObject({ valid: true })
})

test('expired, disabled and revoked keys are imported, and answer so', async () => {
  const [expired, disabled, revoked] = [newKey(), newKey(), newKey()]
  const items = [
    item({ key: expired, expiresAt: '2020-01-01T00:00:00Z' }),
    item({ key: disabled, isActive: false }),
    item({ key: revoked, revokedAt: '2024-01-01T00:00:00Z', revokedReason: 'superseded' }),
  ]
  expect(await importApiKeys(items)).toEqual(imported(3))
  expect(await verifyApiKey(expired)).toMatchObject({ code: 'EXPIRED' })
  expect(await verifyApiKey(disabled)).toMatchObject({ code: 'DISABLED' })
  expect(await verifyApiKey(revoked)).toMatchObject({ code: 'REVOKED' })
})

test('a bad item stops no other, and says what is wrong', async () => {
  const value = sha('sha256', 'x')
  const hash = { algorithm: 'sha256', encoding: 'hex', value }
  const polluted = Object.create({ name: 'inherited' })
  type Refused = [unknown, RegExp]
  const bad: Refused[] = [
    [null, /must be an object/],
    ['text', /must be an object/],
    [[], /must be an object/],
    [polluted, /name is required/],
    [
      {
        get name(): string {
          throw new Error('hostile')
        },
        clientId: 'c',
      },
      /name cannot be read/,
    ],
    [item({}), /must have one of hash, key and stored/],
    [item({ key: newKey(), hash: hash as Hash }), /must have one of/],
    [item({ key: 'short' }), /^key must have 16 to 255 visible/],
    [item({ key: `$import$whole$sha256$$$${'A'.repeat(43)}` }), /^key must have/],
    [item({ name: '', key: newKey() }), /^name /],
    [{ ...item({ key: newKey() }), surplus: 1 }, /surplus is not a known field/],
    [item({ hash: { ...hash, value: 'ff' } as Hash }), /hash must be a hash of the length/],
    [item({ hash: { ...hash, value: 'zz' } as Hash }), /hash.value must be a hash/],
    [item({ hash: { ...hash, algorithm: 'md5' } as never }), /hash.algorithm must be/],
    [item({ hash: { ...hash, encoding: 'utf8' } as never }), /hash.encoding must be/],
    [item({ hash: { ...hash, salt: 'ff' } as Hash }), /hash.part must have before: 'row'/],
    [
      item({ hash: { ...hash, salt: 'ff'.repeat(129), part: byRow } as Hash, prefix: 'p' }),
      /must have a salt/,
    ],
    [item({ hash: { ...hash, part: byRow } as Hash }), /prefix must be what is before/],
    [
      item({ hash: { ...hash, part: byRow } as Hash, prefix: 'a.b' }),
      /prefix must be what is before/,
    ],
    ...[
      { N: 2 ** 30, r: 8, p: 1 },
      // Little memory for N, but as much again, and much more work, for what goes in and comes out.
      { N: 2, r: 2 ** 20, p: 1 },
      { N: 2, r: 1, p: 2 ** 21 },
    ].map((parameters): Refused => [
      item({
        prefix: 'p',
        hash: { algorithm: 'scrypt', encoding: 'hex', value, salt: 'ff', parameters, part: byRow },
      }),
      /hash must have N as a power of two/,
    ]),
    [
      item({
        prefix: 'p',
        hash: {
          algorithm: 'pbkdf2-sha256',
          encoding: 'hex',
          value,
          salt: 'ff',
          parameters: { iterations: 4e9 },
          part: byRow,
        },
      }),
      /iterations/,
    ],
    [
      item({
        prefix: 'p',
        hash: {
          algorithm: 'bcrypt',
          encoding: 'phc',
          value: `$2b$15$${'a'.repeat(53)}`,
          part: byRow,
        },
      }),
      /hash must have a cost from 4 to 14/,
    ],
    [
      item({
        prefix: 'p',
        hash: {
          algorithm: 'argon2id',
          encoding: 'phc',
          value:
            '$argon2id$v=19$m=999999999,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$5wjCqJWQmwzC9RpqlZ5aWkMM6/xuWDY0Gl2BuPJdZ7Q',
          part: byRow,
        },
      }),
      /hash.value must be a hash/,
    ],
    [item({ key: newKey(), roles: ['nobody has set it'] }), /roles must be roles/],
  ]
  const good = item({ key: newKey() })
  const answer = await untyped.importApiKeys!([...bad.map(([item]) => item), good, good])
  expect(answer).toMatchObject({ imported: 1, skipped: 1 })
  const { failed } = answer as { failed: { index: number; message: string }[] }
  expect(failed.map(({ index }) => index)).toEqual(bad.map((_, index) => index))
  failed.forEach(({ message }, index) => expect(message).toMatch(bad[index]![1]))
})

test('more than 1,000 items, and what is no list, reject the call', async () => {
  const many = Array.from({ length: 1_001 }, () => item({ key: newKey() }))
  await expect(importApiKeys(many)).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  for (const wrong of [undefined, null, 'text', {}, new Array(100_000)]) {
    await expect(untyped.importApiKeys!(wrong)).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  }
  expect(await importApiKeys(many.slice(1))).toEqual(imported(1_000))
})

test('what the app forbids fails alone', async () => {
  await setting.sql(`ALTER TABLE "ApiKey" ADD CONSTRAINT no_bob CHECK ("clientId" <> 'bob')`)
  try {
    const items = [item({ key: newKey() }), item({ key: newKey(), clientId: 'bob' })]
    const failed = [{ index: 1, message: 'was refused by the database (SQLSTATE 23514)' }]
    expect(await importApiKeys(items)).toEqual({ imported: 1, skipped: 0, failed })
  } finally {
    await setting.sql(`ALTER TABLE "ApiKey" DROP CONSTRAINT no_bob`)
  }
})

test('imports at the same time import each key once', async () => {
  const items = Array.from({ length: 300 }, () => item({ key: newKey() }))
  const shuffled = [...items].reverse()
  const answers = await Promise.all([importApiKeys(items), importApiKeys(shuffled)])
  expect(answers.flatMap(({ failed }) => failed)).toEqual([])
  expect(answers[0].imported + answers[1].imported).toBe(300)
  for (const { key } of items.slice(0, 20)) {
    expect(await verifyApiKey(key!)).toMatchObject({ valid: true })
  }
})

test('a plaintext that is there already is skipped, and the key of an HMAC is gone after the first use', async () => {
  const key = newKey()
  await setting.sql(
    `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "updatedAt") VALUES ('legacy', $1, 'c', 'n', now())`,
    [key],
  )
  expect(await importApiKeys([item({ key })])).toEqual({ imported: 0, skipped: 1, failed: [] })
  await setting.sql(`DELETE FROM "ApiKey" WHERE "id" = 'legacy'`)

  const secret = 'the secret of the HMAC of the other program'
  const keyed = newKey('hm.')
  const hash: Hash = {
    algorithm: 'hmac-sha256',
    encoding: 'hex',
    value: createHmac('sha256', secret).update(keyed).digest('hex'),
    salt: hex(secret),
    part: byRow,
  }
  expect(await importApiKeys([item({ id: 'hm', hash })])).toEqual(imported(1))
  const secrets = () =>
    setting.sql(
      `SELECT secret FROM sophra_api_keys.imports WHERE key_id = 'hm' AND secret IS NOT NULL`,
    )
  expect(await secrets()).toHaveLength(1)
  expect(occurring([secret, hex(secret)], await dump(setting.sql))).toEqual([])
  expect(await verifyApiKey(keyed)).toMatchObject({ valid: true })
  await eventually(async () => expect(await secrets()).toEqual([]))
})

test('a rotated key stays valid for its grace period, also before its first use', async () => {
  const key = newKey('grace.')
  await importApiKeys([item({ id: 'graced', ...algorithms.scrypt!(key) })])
  const { key: next } = await updateApiKey({
    id: 'graced',
    regenerateKey: true,
    gracePeriodSeconds: 60,
  })
  expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: 'graced' })
  expect(await verifyApiKey(next!)).toMatchObject({ valid: true, keyId: 'graced' })
})

test('an import is an event and an entry of the audit log', async () => {
  await importApiKeys([item({ key: newKey() }), item({ key: newKey() })], { actor: 'ann' })
  await addon.flush()
  const { events } = await listAuditEvents({ type: 'keys.imported', limit: 1 })
  expect(events).toMatchObject([{ type: 'keys.imported', imported: 2, actor: 'ann' }])
})

test('imported keys are no plaintext', async () => {
  await importApiKeys([item({ key: newKey() })])
  expect((await addon.migrate()).remaining).toBe(0)
  expect((await addon.migrate({ adopt: true, limit: 10 })).adopted).toBe(0)
  expect((await addon.health()).problems).toEqual([])
})

test('a key that was replaced here is not brought back, and hides no other in its grace period', async () => {
  const key = newKey()
  const { sql } = setting
  await sql(
    `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "updatedAt") VALUES ('adopted', $1, 'acme', 'A', now())`,
    [key],
  )
  const change = { id: 'adopted', regenerateKey: true, gracePeriodSeconds: 3_600 }
  await updateApiKey(change)
  const before = 'replaced.'
  const salted = (secret: string) => ({
    prefix: 'replaced',
    hash: {
      algorithm: 'sha256' as const,
      encoding: 'hex' as const,
      value: sha('sha256', SALT + before + secret),
      salt: hex(SALT),
      part: byRow,
    },
  })
  expect(await importApiKeys([item({ id: 'of-row', ...salted('one') })])).toEqual(imported(1))
  await updateApiKey({ ...change, id: 'of-row' })

  const again = [item({ key }), item({ id: 'second', ...salted('two') })]
  expect(await importApiKeys(again)).toEqual({
    ...{ imported: 0, skipped: 1 },
    failed: [{ index: 1, message: expect.stringMatching(/^has the prefix or id of another/) }],
  })
  // Once the grace period has ended, the prefix is free. The key is not.
  await sql(
    `UPDATE "ApiKey" SET "previousKeyExpiresAt" = '2020-01-01' WHERE "id" IN ('adopted', 'of-row')`,
  )
  expect(await importApiKeys(again)).toEqual({ imported: 1, skipped: 1, failed: [] })
  expect(await verifyApiKey(key)).toMatchObject({ code: 'INVALID_KEY' })
})
