import { createHash, createHmac } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'

// Exported keys get the same answers in another database, whatever was written into their rows.

const { createApiKey, exportApiKeys, importApiKeys, updateApiKey, verifyApiKey } = addon
type Item = Parameters<typeof importApiKeys>[0][number]

let [here, there] = [] as unknown as [Database, Database]
const use = async ({ url: databaseUrl }: Database) => {
  await addon.close()
  const signingKeys = [Buffer.alloc(32, 'a signing key').toString('base64')]
  addon.configure({ databaseUrl, signingKeys, ...cheapHashing })
  await addon.migrate()
}
beforeEach(async () => {
  ;[here, there] = await Promise.all([freshDatabase(), freshDatabase()])
  await use(here)
})
afterEach(async () => {
  await addon.close()
  await Promise.all([here.drop(), there.drop()])
})

const codesOf = (keys: string[]) =>
  Promise.all(keys.map(async (key) => (await verifyApiKey(key, { ip: '10.0.0.1' })).code))
/** Exports all keys of this database, and imports them into the other one. */
async function moveOver() {
  const { lines } = await exportApiKeys({ hashes: true, limit: 1_000 })
  await use(there)
  return { lines, answer: await importApiKeys(lines.map((line) => JSON.parse(line) as Item)) }
}
const imported = (count: number) => ({ imported: count, skipped: 0, failed: [] })

test('an instant that no input can have does not make a refused key valid', async () => {
  const written = [
    `"expiresAt" = '-infinity'`,
    `"expiresAt" = '0044-03-15 BC'`,
    `"expiresAt" = 'infinity'`,
    `"expiresAt" = '20000-01-01'`,
    `"suspendedUntil" = 'infinity'`,
    `"suspendedUntil" = '20000-01-01'`,
    `"revokedAt" = 'infinity'`,
    `"revokedAt" = '-infinity'`,
    `"maxIdleDays" = 1, "createdAt" = '-infinity'`,
  ]
  const keys = []
  for (const change of written) {
    const { id, key } = await createApiKey({ name: change.slice(0, 20), clientId: 'acme' })
    await here.sql(`UPDATE "ApiKey" SET ${change} WHERE "id" = $1`, [id])
    keys.push(key)
  }
  // A process that has verified none of them.
  await use(here)
  const codes = ['EXPIRED', 'EXPIRED', 'VALID', 'VALID', 'SUSPENDED', 'SUSPENDED', 'REVOKED']
  const expected = [...codes, 'REVOKED', 'EXPIRED']
  expect(await codesOf(keys)).toEqual(expected)
  expect((await moveOver()).answer).toEqual(imported(keys.length))
  expect(await codesOf(keys)).toEqual(expected)
})

test('an imported key that was rotated is accepted there too, as long as its grace period lasts', async () => {
  const part = (separator: string) => ({ separator, hashed: 'whole', before: 'row' }) as const
  const hashed = createHash('sha256')
    .update('salt' + 'p1#of-another-program')
    .digest('hex')
  const keyed = createHmac('sha256', 'a key').update('p2~of-another-program').digest('hex')
  const hex = (text: string) => Buffer.from(text).toString('hex')
  const of = { encoding: 'hex' } as const
  const items: Item[] = [
    { id: 'salted', prefix: 'p1', name: 'S', clientId: 'acme' },
    { id: 'keyed', prefix: 'p2', name: 'K', clientId: 'acme' },
  ]
  items[0]!.hash = { ...of, algorithm: 'sha256', value: hashed, salt: hex('salt'), part: part('#') }
  items[1]!.hash = {
    ...of,
    algorithm: 'hmac-sha256',
    value: keyed,
    salt: hex('a key'),
    part: part('~'),
  }
  expect(await importApiKeys(items)).toEqual(imported(2))
  const keys = ['p1#of-another-program', 'p2~of-another-program']
  for (const { id } of items) {
    const change = { id: id!, regenerateKey: true, gracePeriodSeconds: 3_600 }
    keys.push((await updateApiKey(change)).key!)
  }
  await here.sql(`UPDATE "ApiKey" SET "previousKeyExpiresAt" = 'infinity' WHERE "id" = 'salted'`)
  expect(await codesOf(keys)).toEqual(['VALID', 'VALID', 'VALID', 'VALID'])
  expect((await moveOver()).answer).toEqual(imported(2))
  expect(await codesOf(keys)).toEqual(['VALID', 'VALID', 'VALID', 'VALID'])
  expect(await codesOf(['p1#of-another-person!', 'p2~of-another-person!'])).toEqual([
    'INVALID_KEY',
    'INVALID_KEY',
  ])
})

test('a plaintext beside which a lookup was left is exported by its digest', async () => {
  const { id } = await createApiKey({ name: 'Stray', clientId: 'acme' })
  const plaintext = 'written-while-the-trigger-was-off'
  const trigger = (state: string) =>
    here.sql(`ALTER TABLE "ApiKey" ${state} TRIGGER sophra_api_keys_plaintext`)
  await trigger('DISABLE')
  await here.sql(`UPDATE "ApiKey" SET "key" = $1 WHERE "id" = $2`, [plaintext, id])
  await trigger('ENABLE ALWAYS')
  const { lines, answer } = await moveOver()
  expect(lines.join()).not.toContain(plaintext)
  expect(answer).toEqual(imported(1))
  expect(await codesOf([plaintext])).toEqual(['VALID'])
})
