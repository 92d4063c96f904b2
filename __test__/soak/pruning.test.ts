import { Client } from 'pg'
import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { refusalOf } from '../support/refusal.js'
import { useSetting } from '../support/setting.js'

const { verifyApiKey } = addon

const setting = useSetting()

/** Entries older than ten minutes are pruned once a minute. */
const FORGOTTEN_MS = 14 * 60_000

test('old changes are forgotten, and those of a transaction that is still open are not', async () => {
  const [early, slow] = await setting.warmKeys(2)
  const open = new Client({ connectionString: setting.database.url })
  await open.connect()
  await setting.sql(`UPDATE "ApiKey" SET "name" = 'Early' WHERE "id" = $1`, [early!.id])
  await open.query('BEGIN')
  await open.query(`UPDATE "ApiKey" SET "isActive" = false WHERE "id" = $1`, [slow!.id])

  const kept = async (id: string): Promise<number> =>
    (await setting.sql(`SELECT 1 FROM sophra_api_keys.changes WHERE key_id = $1`, [id])).length
  expect(await kept(early!.id)).toBeGreaterThan(0)
  await eventually(async () => {
    // Other changes go on, and are seen.
    await setting.caughtUp()
    expect((await verifyApiKey(slow!.key)).valid).toBe(true)
    expect(await kept(early!.id)).toBe(0)
  }, FORGOTTEN_MS)

  await open.query('COMMIT')
  await open.end()
  expect(await kept(slow!.id)).toBeGreaterThan(0)
  await refusalOf(slow!.key)
})
