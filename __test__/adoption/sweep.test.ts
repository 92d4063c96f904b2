import { Client } from 'pg'
import { beforeEach, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { runScript } from '../support/child.js'
import { eventually } from '../support/eventually.js'
import { dump, occurring } from '../support/leaks.js'
import { useSetting } from '../support/setting.js'
import { insertOldKeys, oldKey, type OldKey } from '../support/old-rows.js'

const { migrate, verifyApiKey } = addon

const setting = useSetting()

beforeEach(async () => {
  await setting.sql(`DELETE FROM "ApiKey" WHERE "clientId" <> 'marker'`)
})

async function allVerify(keys: OldKey[]): Promise<void> {
  for (const { id, key } of keys) {
    expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
  }
}

async function noneIsStored(keys: OldKey[]): Promise<void> {
  const texts = keys.map(({ key }) => key)
  expect(occurring(texts, await dump(setting.sql))).toEqual([])
}

test('several processes share the work, each row is adopted once', async () => {
  const keys = await insertOldKeys(setting.sql, 1_000)
  const sweep = async (): Promise<number> => (await migrate({ adopt: true })).adopted
  let adoptedHere = 0
  const here = setting.cost(async () => {
    for (const adopted of await Promise.all([sweep(), sweep()])) adoptedHere += adopted
  })
  const sweepThere = setting.peer.run(async ({ api, stats }) => {
    const before = stats().hashes
    const { adopted } = await api.migrate({ adopt: true })
    return { adopted, hashes: stats().hashes - before }
  })
  const [cost, there] = await Promise.all([here, sweepThere])
  expect(adoptedHere + there.adopted).toBe(keys.length)
  expect(there.adopted).toBeGreaterThan(0)
  console.log(`${keys.length} rows took three sweeps ${cost.hashes + there.hashes} hashes`)
  expect(await migrate()).toMatchObject({ remaining: 0 })
  await noneIsStored(keys)
  await allVerify(keys)
})

test('keys that are changed by hand in the middle are not overwritten', async () => {
  // So many that the first part that a sweep reads cannot be empty.
  const keys = await insertOldKeys(setting.sql, 2_000)
  const [deleted, ...changed] = keys.slice(0, 100) as [OldKey, ...OldKey[]]
  const held = setting.tap.hold(/SELECT "id", "key", sophra_api_keys/)
  const swept = migrate({ adopt: true })
  const batch = await held
  await setting.sql(`UPDATE "ApiKey" SET "key" = "key" || '-new', "name" = 'Renamed'
    WHERE "lookup" IS NULL`)
  await setting.sql(`DELETE FROM "ApiKey" WHERE "id" = $1`, [deleted.id])
  batch.release()
  expect(await swept).toMatchObject({ adopted: 1_999, remaining: 0 })
  await setting.caughtUp()
  expect((await verifyApiKey(`${deleted.key}-new`)).code).toBe('INVALID_KEY')
  for (const { id, key } of changed) {
    expect((await verifyApiKey(key)).code).toBe('INVALID_KEY')
    expect(await verifyApiKey(`${key}-new`)).toMatchObject({
      valid: true,
      keyId: id,
      name: 'Renamed',
    })
  }
})

test('a key that is changed by hand while it is regenerated gets no grace period', async () => {
  const [{ id, key }] = (await insertOldKeys(setting.sql, 1)) as [OldKey]
  const held = setting.tap.hold(/SELECT "key", sophra_api_keys/)
  const regenerated = addon.updateApiKey({ id, regenerateKey: true, gracePeriodSeconds: 600 })
  const read = await held
  await read.answered
  const other = oldKey()
  await setting.sql(`UPDATE "ApiKey" SET "key" = $2 WHERE "id" = $1`, [id, other])
  read.release()
  const { key: fresh, previousKeyExpiresAt } = await regenerated
  expect(previousKeyExpiresAt).toBeNull()
  await setting.caughtUp()
  for (const gone of [key, other]) expect((await verifyApiKey(gone)).code).toBe('INVALID_KEY')
  expect((await verifyApiKey(fresh!)).valid).toBe(true)
})

test('a locked row is left for later, and nothing waits for it', async () => {
  const [locked, ...others] = await insertOldKeys(setting.sql, 20)
  const client = new Client({ connectionString: setting.database.url })
  await client.connect()
  await client.query('BEGIN')
  await client.query(`SELECT FROM "ApiKey" WHERE "id" = $1 FOR UPDATE`, [locked!.id])
  expect(await migrate({ adopt: true })).toMatchObject({ adopted: 19, remaining: 1 })
  await client.query('ROLLBACK')
  await client.end()
  expect(await migrate({ adopt: true })).toMatchObject({ adopted: 1, remaining: 0 })
  await allVerify([locked!, ...others])
})

test('a process that is killed in the middle loses nothing, and another one goes on', async () => {
  const keys = await insertOldKeys(setting.sql, 3_000)
  const child = await runScript(
    `
    api.migrate({ adopt: true })
    for (;;) {
      const { remaining } = await api.migrate()
      if (remaining < 2000) process.kill(process.pid, 'SIGKILL')
    }`,
    {
      env: {
        DATABASE_URL: setting.database.url,
        API_KEYS_ARGON2_MEMORY_KIB: '8',
        API_KEYS_ARGON2_ITERATIONS: '1',
      },
    },
  )
  expect(child.signal).toBe('SIGKILL')
  const { remaining } = await migrate()
  expect(remaining).toBeGreaterThan(0)
  expect(remaining).toBeLessThan(2_000)
  await allVerify(keys.slice(0, 200))

  expect(await migrate({ adopt: true })).toMatchObject({ adopted: remaining, remaining: 0 })
  await noneIsStored(keys)
  await allVerify(keys)
})

test('a close in the middle ends it after the row that it is at', async () => {
  await insertOldKeys(setting.sql, 3_000)
  const swept = migrate({ adopt: true })
  for (let left = 3_000; left === 3_000;) left = (await migrate()).remaining
  await addon.close()
  const { adopted, remaining } = await swept
  expect(adopted + remaining).toBe(3_000)
  expect(remaining).toBeGreaterThan(0)
  addon.configure(setting.options)
})

test('a key that another row keeps the hash of already is left, and said to be', async () => {
  const [first] = await insertOldKeys(setting.sql, 1)
  await migrate({ adopt: true })
  await setting.sql(
    `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "updatedAt")
     VALUES ('again', $1, 'c', 'Again', now())`,
    [first!.key],
  )
  expect(await migrate({ adopt: true })).toMatchObject({ adopted: 0, remaining: 1 })
  await setting.caughtUp()
  expect(await verifyApiKey(first!.key)).toMatchObject({ valid: true, keyId: first!.id })
})
