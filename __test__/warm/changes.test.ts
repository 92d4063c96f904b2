import { Client } from 'pg'
import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { refusalOf } from '../support/refusal.js'
import { useSetting, type Issued } from '../support/setting.js'

const { flush, verifyApiKey } = addon

const setting = useSetting()

/** A session of its own, with what is set up for it. */
async function session(...statements: string[]): Promise<Client> {
  const client = new Client({ connectionString: setting.database.url })
  await client.connect()
  for (const text of statements) await client.query(text)
  return client
}

async function through(client: Client, text: string, params: unknown[] = []): Promise<void> {
  await client.query(text, params)
  await client.end()
}

const changesOf = async ({ id }: Issued): Promise<number> => {
  const [row] = await setting.sql(
    `SELECT count(*)::int AS count FROM sophra_api_keys.changes WHERE key_id = $1`,
    [id],
  )
  return row!.count as number
}

const DISABLE = `UPDATE public."ApiKey" SET "isActive" = false WHERE "id" = $1`

describe('a change is noticed', () => {
  test('by a session that fires no ordinary triggers', async () => {
    const [updated, deleted] = await setting.warmKeys(2)
    const replica = await session(`SET session_replication_role = replica`)
    await replica.query(DISABLE, [updated!.id])
    await refusalOf(updated!.key)
    await through(replica, `DELETE FROM "ApiKey" WHERE "id" = $1`, [deleted!.id])
    await refusalOf(deleted!.key)
  })

  test('by a role that has no rights but on the keys', async () => {
    const [warm] = await setting.warmKeys(1)
    const role = `app_${process.pid}`
    const client = await session(
      `CREATE ROLE ${role}`,
      `GRANT SELECT, UPDATE ON "ApiKey" TO ${role}`,
      `SET ROLE ${role}`,
    )
    await client.query(DISABLE, [warm!.id])
    await refusalOf(warm!.key)
    await through(await session(), `DROP OWNED BY ${role}`)
    await through(client, `RESET ROLE; DROP ROLE ${role}`)
  })

  test('by a session with another search path', async () => {
    const [warm] = await setting.warmKeys(1)
    await through(await session(`SET search_path = pg_temp`), DISABLE, [warm!.id])
    await refusalOf(warm!.key)
  })

  test('by MERGE and by INSERT … ON CONFLICT', async () => {
    const [merged, inserted] = await setting.warmKeys(2)
    await setting.sql(
      `MERGE INTO "ApiKey" AS k USING (SELECT $1::text AS id) AS s ON k."id" = s.id
       WHEN MATCHED THEN UPDATE SET "isActive" = false`,
      [merged!.id],
    )
    await refusalOf(merged!.key)
    await setting.sql(
      `INSERT INTO "ApiKey" SELECT * FROM "ApiKey" WHERE "id" = $1
       ON CONFLICT ("id") DO UPDATE SET "isActive" = false`,
      [inserted!.id],
    )
    await refusalOf(inserted!.key)
  })

  test("by a trigger of the app's own, on a column that was not named", async () => {
    const [warm] = await setting.warmKeys(1)
    await setting.sql(
      `CREATE FUNCTION app_disables() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         NEW."isActive" := NEW."description" IS DISTINCT FROM 'leaked';
         RETURN NEW;
       END $$`,
    )
    await setting.sql(
      `CREATE TRIGGER app_disables BEFORE UPDATE ON "ApiKey" FOR EACH ROW
       EXECUTE FUNCTION app_disables()`,
    )
    try {
      await setting.sql(`UPDATE "ApiKey" SET "description" = 'leaked' WHERE "id" = $1`, [warm!.id])
      await refusalOf(warm!.key)
    } finally {
      await setting.sql(`DROP FUNCTION app_disables CASCADE`)
    }
  })

  test('of a thousand keys by one statement', async () => {
    const keys = await setting.warmKeys(1_000)
    const ids = keys.map(({ id }) => id)
    await setting.sql(`UPDATE "ApiKey" SET "isActive" = false WHERE "id" = ANY ($1)`, [ids])
    await setting.caughtUp()
    for (const { key } of keys) expect((await verifyApiKey(key)).code).toBe('DISABLED')
  })

  test('and TRUNCATE of all, by a session that fires no ordinary triggers', async () => {
    await setting.sql(`CREATE TABLE kept AS TABLE "ApiKey"`)
    const keys = await setting.warmKeys(10)
    await through(await session(`SET session_replication_role = replica`), `TRUNCATE "ApiKey"`)
    await Promise.all(keys.map(({ key }) => refusalOf(key)))
    await setting.sql(`INSERT INTO "ApiKey" TABLE kept`)
  })
})

test('usage, descriptions and old rows read again are no changes', async () => {
  const [warm] = await setting.warmKeys(1)
  const before = await changesOf(warm!)
  for (let time = 0; time < 10; time++) await verifyApiKey(warm!.key)
  await flush()
  await setting.sql(
    `UPDATE "ApiKey" SET "description" = 'x', "coldDigest" = '\\x00', "lastUsedAt" = now()
     WHERE "id" = $1`,
    [warm!.id],
  )
  expect(await changesOf(warm!)).toBe(before)
})

test('a change in a transaction that is still open lies beyond all that may be forgotten', async () => {
  const [slow, quick] = await setting.warmKeys(2)
  const open = await session('BEGIN')
  await open.query(DISABLE, [slow!.id])
  const { rows } = await open.query(`SELECT pg_current_xact_id()::text AS xid`)
  // Much later, as it were: others have come and gone.
  for (let time = 0; time < 100; time++) {
    await setting.sql(`UPDATE "ApiKey" SET "name" = $2 WHERE "id" = $1`, [quick!.id, String(time)])
  }
  const [{ horizon } = {}] = await setting.sql(
    `SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS horizon`,
  )
  await open.query('COMMIT')
  await open.end()
  expect(
    await setting.sql(
      `SELECT xid < $3::xid8 AS forgettable FROM sophra_api_keys.changes
       WHERE key_id = $1 AND xid = $2::xid8`,
      [slow!.id, (rows[0] as { xid: string }).xid, horizon],
    ),
  ).toEqual([{ forgettable: false }])
  await refusalOf(slow!.key)
  await eventually(async () => {
    expect(await verifyApiKey(quick!.key)).toMatchObject({ valid: true, name: '99' })
  })
})
