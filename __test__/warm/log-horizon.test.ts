import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { refusalOf } from '../support/refusal.js'
import { useSetting, type Issued } from '../support/setting.js'

const { verifyApiKey } = addon

const setting = useSetting()

/** What a process does that prunes the log up to now. */
const prune = (): Promise<unknown> =>
  setting.sql(
    `WITH pruned AS (DELETE FROM sophra_api_keys.changes RETURNING key_id)
     UPDATE sophra_api_keys.change_log
     SET pruned_before = pg_snapshot_xmax(pg_current_snapshot())
     WHERE EXISTS (SELECT FROM pruned)`,
  )

const codeThere = ({ key }: Issued): Promise<string> =>
  setting.peer.run(async ({ api }, key) => (await api.verifyApiKey(key)).code, key)

const disable = ({ id }: Issued): Promise<unknown> =>
  setting.sql(`UPDATE "ApiKey" SET "isActive" = false WHERE "id" = $1`, [id])

test('a process that stood still while the log was pruned refuses what was revoked meanwhile', async () => {
  const [kept, revoked] = await setting.coldKeys(2)
  for (const issued of [kept!, revoked!]) expect(await codeThere(issued)).toBe('VALID')
  // For a moment by its clock, as if the machine had been suspended for long.
  setting.peer.signal('SIGSTOP')
  await disable(revoked!)
  await prune()
  setting.peer.signal('SIGCONT')
  await eventually(async () => expect(await codeThere(revoked!)).toBe('DISABLED'))
  expect(await codeThere(kept!)).toBe('VALID')
})

test('a log that somebody emptied hides nothing', async () => {
  const [revoked] = await setting.coldKeys(1)
  expect(await codeThere(revoked!)).toBe('VALID')
  setting.peer.signal('SIGSTOP')
  await disable(revoked!)
  await setting.sql(`TRUNCATE sophra_api_keys.changes`)
  setting.peer.signal('SIGCONT')
  await eventually(async () => expect(await codeThere(revoked!)).toBe('DISABLED'))
})

test('a table of keys that was swapped for another counts as changed', async () => {
  const [gone] = await setting.warmKeys(1)
  await setting.sql(`ALTER TABLE "ApiKey" RENAME TO swapped`)
  await setting.sql(`CREATE TABLE "ApiKey" (LIKE swapped INCLUDING ALL)`)
  await refusalOf(gone!.key)
  await setting.sql(`DROP TABLE "ApiKey"`)
  await setting.sql(`ALTER TABLE swapped RENAME TO "ApiKey"`)
  await eventually(async () => expect((await verifyApiKey(gone!.key)).valid).toBe(true))
})

/** The log as another server left it: its ids lie ahead of all that this one has assigned. */
const restoreElsewhere = async (): Promise<void> => {
  await setting.sql(
    `INSERT INTO sophra_api_keys.changes (xid, key_id)
     SELECT (pg_current_xact_id()::text::bigint + 1000000 + n)::text::xid8, "id"
     FROM "ApiKey", generate_series(1, 100) AS n`,
  )
  await setting.sql(
    `UPDATE sophra_api_keys.change_log
     SET id = 'elsewhere', system = system + 1,
       pruned_before = (pg_current_xact_id()::text::bigint + 1000000)::text::xid8`,
  )
}

test('keys of another server that need a signing key which is not here are noticed at once', async () => {
  const [foreign] = await setting.coldKeys(1)
  await setting.caughtUp()
  const health = async () => {
    const { status, problems } = await addon.health()
    return [status, problems]
  }
  expect(await health()).toEqual(['ok', []])
  // The change itself was made there: no log here tells of it.
  await setting.sql(
    `INSERT INTO sophra_api_keys.signing_keys (fingerprint) VALUES ('of elsewhere')`,
  )
  await setting.sql(`UPDATE "ApiKey" SET "signingKey" = 'of elsewhere' WHERE "id" = $1`, [
    foreign!.id,
  ])
  await setting.sql(`TRUNCATE sophra_api_keys.changes`)
  await setting.sql(
    `UPDATE sophra_api_keys.change_log SET id = 'another', system = system + 1,
       pruned_before = (pg_current_xact_id()::text::bigint + 1000000)::text::xid8`,
  )
  await eventually(async () =>
    expect(await health()).toEqual([
      'degraded',
      [expect.stringContaining('signing keys that are not configured')],
    ]),
  )
  await addon.deleteApiKey(foreign!.id)
})

test('a log that was restored from another server is begun anew, and all counts as changed once', async () => {
  const keys = await setting.warmKeys(20)
  const verifyAll = async (): Promise<void> => {
    for (const { key } of keys) expect((await verifyApiKey(key)).valid).toBe(true)
  }
  await restoreElsewhere()
  const logs = () =>
    setting.sql(
      `SELECT id = 'elsewhere' AS old, system = system_identifier AS ours,
         pruned_before <= pg_snapshot_xmin(pg_current_snapshot()) AS passed
       FROM sophra_api_keys.change_log, pg_control_system()`,
    )
  await eventually(async () =>
    expect(await logs()).toEqual([{ old: false, ours: true, passed: true }]),
  )
  await setting.caughtUp()
  await verifyAll()
  // The entries that lie ahead count as changes in no read.
  const cost = await setting.cost(async () => {
    for (let round = 0; round < 3; round++) {
      await setting.caughtUp()
      await verifyAll()
    }
  })
  expect(cost).toMatchObject({ selects: 0, hashes: 0 })
  // And changes are followed as before.
  await disable(keys[0]!)
  await refusalOf(keys[0]!.key)
  expect(await eventually(() => codeThere(keys[0]!))).toBe('DISABLED')
})
