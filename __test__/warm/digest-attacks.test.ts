import { createHash, createHmac, randomBytes, randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { pepperOfSecret, pepperOfSigningKey } from '../support/cold-digest.js'
import { useDatabaseEach } from '../support/database-each.js'
import { formsOf, occurring } from '../support/leaks.js'
import { insertOldKeys } from '../support/old-rows.js'
import { wrongAnswers } from '../support/scenarios/digests.js'

const database = useDatabaseEach()

test('no answer is wrong while keys are rotated, hashed anew and given other peppers', async () => {
  const seed = randomInt(2 ** 31)
  expect(await wrongAnswers(database, 300, seed), `seed ${seed}`).toEqual([])
}, 300_000)

/** Every row of every table as JSON. */
async function rows(): Promise<Record<string, unknown>[]> {
  const tables = await database.sql(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
     WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
  )
  const read = tables.map(({ name }) =>
    database.sql(`SELECT to_jsonb(t) AS row FROM ${name as string} AS t`),
  )
  return (await Promise.all(read)).flat().map(({ row }) => row as Record<string, unknown>)
}

/** All texts in a value, and what they are in binary. */
function texts(value: unknown): Buffer[] {
  if (value === null || value === undefined) return []
  if (typeof value === 'object') return Object.values(value).flatMap(texts)
  const text = String(value)
  const forms = [Buffer.from(text)]
  // How JSON writes BYTEA.
  if (text.startsWith('\\x')) forms.push(Buffer.from(text.slice(2), 'hex'))
  // The parts of a hash, and of a lookup.
  for (const part of text.split(/[$:,]/).slice(1)) {
    forms.push(Buffer.from(part), Buffer.from(part, 'base64'), Buffer.from(part, 'hex'))
  }
  return forms
}

/**
 * What this shows: no value in a dump is the pepper, nor the secret that it is derived from, and no digest is made without
 * one. It does not show that HMAC-SHA-256 is sound.
 */
test.each(['jwtSecret', 'signingKeys'] as const)(
  'a dump holds no plaintext, and no digest in it follows from it: %s',
  async (source) => {
    const jwtSecret = randomBytes(32).toString('base64')
    const signingKey = randomBytes(32).toString('base64')
    addon.configure({ databaseUrl: database.url, ...cheapHashing })
    // A signing key is stored too, and is no pepper.
    await addon.createApiKey({ name: 'first', clientId: 'c' })
    await database.sql(`DELETE FROM "ApiKey"`)
    await addon.close()
    addon.configure({
      databaseUrl: database.url,
      jwtSecret,
      ...(source === 'signingKeys' ? { signingKeys: [signingKey] } : {}),
      ...cheapHashing,
    })
    const old = await insertOldKeys(database.sql, 3)
    await addon.migrate({ adopt: true })
    const plaintexts = old.map(({ key }) => key)
    for (let n = 0; n < 4; n++) {
      const { id, key } = await addon.createApiKey({ name: `key ${n}`, clientId: 'c' })
      const grace = { id, regenerateKey: true, gracePeriodSeconds: 600 }
      const { key: next } = await addon.updateApiKey(grace)
      await addon.verifyApiKey(key)
      plaintexts.push(key, next!)
    }
    await addon.updateApiKey({ id: old[0]!.id, regenerateKey: true, gracePeriodSeconds: 600 })
    await addon.flush()

    const dump = await rows()
    const text = JSON.stringify(dump)
    const secrets = [...plaintexts, jwtSecret, signingKey].flatMap(formsOf)
    expect(occurring(secrets, text)).toEqual([])

    const digests = dump
      .flatMap((row) => [row.coldDigest, row.previousColdDigest])
      .filter((digest) => typeof digest === 'string')
      .map((digest) => Buffer.from(digest.slice(2), 'hex'))
    expect(digests).toHaveLength(plaintexts.length + 1)
    expect(new Set(digests.map(({ length }) => length))).toEqual(new Set([48]))
    const codes = new Set(digests.map((digest) => digest.subarray(16).toString('hex')))
    const ids = new Set(digests.map((digest) => digest.subarray(0, 8).toString('hex')))
    expect(ids.size).toBe(1)

    const hashes = dump
      .flatMap((row) => [row.key, row.previousKey])
      .filter((hash): hash is string => typeof hash === 'string' && hash.startsWith('$argon2id$'))
    const known = new Map(texts(dump).map((bytes) => [bytes.toString('hex'), bytes]))
    // With the right one this finds every digest, so that what it does not find is not there.
    const pepper =
      source === 'jwtSecret' ? pepperOfSecret(jwtSecret) : pepperOfSigningKey(signingKey)
    const found = (key: Buffer): number =>
      plaintexts
        .flatMap((plaintext) => [plaintext, ...hashes.map((hash) => `${plaintext}\n${hash}`)])
        .filter((message) => codes.has(createHmac('sha256', key).update(message).digest('hex')))
        .length
    expect(found(pepper)).toBe(plaintexts.length)
    const idOf = (key: Buffer): string =>
      createHmac('sha256', key)
        .update('sophra-api-keys cold digest pepper id v1')
        .digest()
        .subarray(0, 8)
        .toString('hex')
    expect(ids).toEqual(new Set([idOf(pepper)]))

    for (const bytes of [Buffer.alloc(0), ...known.values()]) {
      const derived = [bytes, pepperOfSecret(bytes), pepperOfSigningKey(bytes.toString('base64'))]
      for (const key of derived) {
        expect(ids.has(idOf(key))).toBe(false)
        expect(found(key)).toBe(0)
      }
      for (const plaintext of plaintexts) {
        for (const parts of [
          [bytes, plaintext],
          [plaintext, bytes],
          [plaintext, '\n', bytes],
        ]) {
          const sha256 = createHash('sha256')
          for (const part of parts) sha256.update(part)
          expect(codes.has(sha256.digest('hex'))).toBe(false)
        }
      }
    }
  },
)
