import { Client } from 'pg'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { addon, untyped } from '../support/addon.js'
import { runScript } from '../support/child.js'
import { eventually } from '../support/eventually.js'
import { faultOf } from '../support/faults.js'
import { useSetting, type Issued, type Options } from '../support/setting.js'
import { startPeer } from '../support/peer.js'

// The purge of keys that were revoked long ago: `purgeRevokedDays`.

const { close, configure, flush, getApiKey, listAuditEvents, metrics, onEvent } = addon
const { deleteApiKey, restoreApiKey, revokeApiKey, verifyApiKey } = addon

const setting = useSetting({ statementTimeoutMs: 5_000 })

const DAYS = 30
const LOOK = /FROM "ApiKey"\s+WHERE "revokedAt" </
const PURGE = /AS due \(id, entry_id, at, event\)/

type Event = Parameters<Parameters<typeof onEvent>[0]>[0]
const told: Event[] = []
afterAll(onEvent((event) => void told.push(event)))

/** Starts this process anew, with a purge unless the options say otherwise. */
const start = async (options: Options = {}): Promise<void> => {
  await close()
  told.length = 0
  configure({ ...setting.options, purgeRevokedDays: DAYS, ...options })
  await addon.listApiKeys()
}
afterEach(async () => {
  await start({ purgeRevokedDays: null })
  await setting.sql(`DELETE FROM "ApiKey" WHERE "clientId" <> 'marker'`)
  await setting.sql(`DELETE FROM sophra_api_keys.audit`)
})

/** Says that the key was revoked so long ago, by the clock of the database. */
const date = (id: string, ago: string) =>
  setting.sql(
    `UPDATE "ApiKey" SET "revokedAt" = (now() AT TIME ZONE 'UTC') - $2::interval WHERE "id" = $1`,
    [id, ago],
  )
const revokedKeys = async (ago: string, count: number): Promise<Issued[]> => {
  const keys = await setting.coldKeys(count)
  for (const { id } of keys) {
    await revokeApiKey({ id })
    await date(id, ago)
  }
  return keys
}
const revokedKey = async (ago: string): Promise<Issued> => (await revokedKeys(ago, 1))[0]!

/** Rows of keys that were revoked long ago, and that nobody knows. */
const revokedRows = (count: number) =>
  setting.sql(
    `INSERT INTO "ApiKey" ("id", "key", "lookup", "clientId", "name", "updatedAt", "isActive", "revokedAt")
     SELECT id, '$argon2id$' || id, id, 'bulk', 'n', now(), false, '2020-01-01'
     FROM generate_series(1, $1) AS n, concat('bulk-', n) AS id`,
    [count],
  )

const exist = async (ids: string[]): Promise<string[]> => {
  const rows = await setting.sql(`SELECT "id" FROM "ApiKey" WHERE "id" = ANY ($1)`, [ids])
  return rows.map(({ id }) => id as string).sort()
}
const areGone = (keys: { id: string }[], deadlineMs?: number): Promise<void> =>
  eventually(async () => expect(await exist(keys.map(({ id }) => id))).toEqual([]), deadlineMs)
const count = async (from: string): Promise<number> =>
  (await setting.sql(`SELECT count(*)::int AS count FROM ${from}`))[0]!.count as number
const metric = (series: string): number =>
  Number(metrics().split(`\nsophra_api_key_${series} `)[1]!.split('\n')[0])
const codeOf = async (key: string): Promise<string> => (await verifyApiKey(key)).code
const codeThere = (key: string): Promise<string> =>
  setting.peer.run(async ({ api }, key) => (await api.verifyApiKey(key)).code, key)

/** Longer than the first tries again of a purge. */
const SOME_TRIES = 30_000

/** Another session, which holds what it has locked until it commits. */
const session = async (): Promise<Client> => {
  const client = new Client({ connectionString: setting.database.url })
  await client.connect()
  await client.query('BEGIN')
  return client
}

test('exactly the keys are deleted that were revoked long enough ago, in every process', async () => {
  // A session's time zone must not matter.
  await setting.sql(
    `DO $$ BEGIN
       EXECUTE format('ALTER DATABASE %I SET timezone TO %L', current_database(), 'Pacific/Kiritimati');
     END $$`,
  )
  const old = await revokedKeys(`${DAYS} days 1 minute`, 2)
  const ancient = await revokedKey('9 years')
  // Another writer has enabled the row, but it is revoked all the same.
  await setting.sql(`UPDATE "ApiKey" SET "isActive" = true WHERE "id" = $1`, [ancient.id])
  const purged = [...old, ancient]
  const young = await revokedKeys(`${DAYS} days -1 minute`, 2)
  const future = await revokedKey('-9 years')
  const restored = await revokedKey('9 years')
  await restoreApiKey(restored.id)
  const [valid, disabled] = (await setting.warmKeys(2)) as [Issued, Issued]
  await addon.patchApiKey({ id: disabled.id, isActive: false })
  await setting.sql(`UPDATE "ApiKey" SET "updatedAt" = '2020-01-01' WHERE "id" = $1`, [disabled.id])
  const kept = [...young, future, restored, valid, disabled]
  for (const { key } of purged)
    await eventually(async () => expect(await codeThere(key)).toBe('REVOKED'))

  const before = metric('purged_keys_total')
  await start()
  await areGone(purged)
  await eventually(() => expect(metric('purged_keys_total')).toBe(before + purged.length))
  expect(await exist(kept.map(({ id }) => id))).toHaveLength(kept.length)
  for (const { key } of purged) {
    expect(await codeOf(key)).toBe('INVALID_KEY')
    await eventually(async () => expect(await codeThere(key)).toBe('INVALID_KEY'))
  }
  expect(await Promise.all(kept.map(({ key }) => codeOf(key)))).toEqual([
    'REVOKED',
    'REVOKED',
    'REVOKED',
    'VALID',
    'VALID',
    'DISABLED',
  ])

  const event = (keyId: string) => ({
    type: 'key.deleted',
    at: expect.any(Date),
    keyId,
    reason: 'purged',
  })
  for (const { id } of purged) {
    const { events } = await listAuditEvents({ keyId: id, type: 'key.deleted' })
    expect(events).toEqual([{ ...event(id), id: expect.any(String), count: 1 }])
  }
  const deleted = () => told.filter(({ type }) => type === 'key.deleted')
  await eventually(() => expect(deleted()).toHaveLength(purged.length))
  expect(deleted()).toEqual(
    expect.arrayContaining(purged.map(({ id }) => ({ ...event(id), severity: 'info' }))),
  )
})

test('it is off unless it is configured', async () => {
  const { id } = await revokedKey('9 years')
  const mark = setting.tap.statements.length
  await start({ purgeRevokedDays: null })
  const since = () => setting.tap.statements.slice(mark).join()
  // The last of what is pruned otherwise.
  await eventually(() => expect(since()).toContain('DELETE FROM sophra_api_keys.audit'))
  expect(since()).not.toMatch(LOOK)
  expect(await exist([id])).toEqual([id])
})

test.each([0, -1, 3_651, 1.5, Number.NaN, '30', true, [30], {}])(
  'it is not configured by %j',
  async (purgeRevokedDays) => {
    await close()
    const fault = await faultOf(async () =>
      untyped.configure!({ ...setting.options, purgeRevokedDays }),
    )
    expect(fault).toMatchObject({ code: 'CONFIGURATION' })
    expect(fault.message).toContain(
      'purgeRevokedDays (API_KEYS_PURGE_REVOKED_DAYS) must be a whole number from 1 to 3650',
    )
  },
)

describe('the variable of the environment', () => {
  const program = `await api.listApiKeys().catch(({ message }) => report(message)); await api.close()`
  const run = (days: string) =>
    runScript(program, {
      env: { DATABASE_URL: setting.database.url, API_KEYS_PURGE_REVOKED_DAYS: days },
    })

  test.each(['0', '3651', '1d', '-1', '1.5'])('is refused if it is %j', async (days) => {
    const { reports } = await run(days)
    expect(reports[0]).toContain('API_KEYS_PURGE_REVOKED_DAYS')
  })

  test.each(['', '1', '3650'])('may be %j', async (days) => {
    expect((await run(days)).reports).toEqual([])
  })
})

test('a locked row holds up no other, and is purged once it is free', async () => {
  const [locked, ...free] = (await revokedKeys('1 year', 5)) as [Issued, ...Issued[]]
  const holder = await session()
  await holder.query(`SELECT FROM "ApiKey" WHERE "id" = $1 FOR UPDATE`, [locked.id])
  await start()
  await areGone(free)
  expect(await exist([locked.id])).toEqual([locked.id])
  await holder.query('COMMIT')
  await holder.end()
  await areGone([locked], SOME_TRIES)
})

test('many locked rows hold up no other', async () => {
  const LOCKED = 10_100
  await revokedRows(LOCKED)
  const holder = await session()
  await holder.query(`SELECT FROM "ApiKey" WHERE "clientId" = 'bulk' FOR UPDATE`)
  const free = await revokedKeys('1 year', 2)
  await start()
  await areGone(free)
  expect(await count(`"ApiKey" WHERE "clientId" = 'bulk'`)).toBe(LOCKED)
  await holder.query('ROLLBACK')
  await holder.end()
})

test('a key that is restored while it is looked for stays', async () => {
  const keys = await revokedKeys('1 year', 3)
  const [first, second, third] = keys as [Issued, Issued, Issued]
  const looked = setting.tap.hold(LOOK)
  await start()
  const answer = await looked
  await setting.peer.run(({ api }, id) => api.restoreApiKey(id), first.id)
  // Restored and revoked again: the time starts anew.
  await setting.peer.run(async ({ api }, id) => {
    await api.restoreApiKey(id)
    await api.revokeApiKey({ id })
  }, second.id)
  answer.release()
  await areGone([third])
  expect(await exist([first.id, second.id])).toEqual([first.id, second.id].sort())
  expect(await codeOf(first.key)).toBe('VALID')
  expect(await codeOf(second.key)).toBe('REVOKED')
})

test('a key whose restoration is not committed yet is not touched', async () => {
  const [restored, other] = (await revokedKeys('1 year', 2)) as [Issued, Issued]
  const holder = await session()
  await holder.query(`UPDATE "ApiKey" SET "revokedAt" = NULL, "isActive" = true WHERE "id" = $1`, [
    restored.id,
  ])
  const mark = setting.tap.statements.length
  await start()
  await areGone([other])
  await holder.query('COMMIT')
  await holder.end()
  // Nothing is left for the next round, which has come.
  const rounds = () => setting.tap.statements.slice(mark).filter((text) => LOOK.test(text))
  const before = rounds().length
  await eventually(() => expect(rounds().length).toBeGreaterThan(before), SOME_TRIES)
  expect(await codeOf(restored.key)).toBe('VALID')
})

test('verifies go on while thousands are purged, a few at a time, and none lacks its entry', async () => {
  const KEYS = 5_000
  await revokedRows(KEYS)
  const cold = await setting.coldKeys(20)
  const entries = `sophra_api_keys.audit WHERE type = 'key.deleted' AND key_id LIKE 'bulk-%'`
  const before = metric('purged_keys_total')
  const missed = metric('events_dropped_total')
  const mark = setting.tap.statements.length
  await start()
  const [{ key: warm }] = (await setting.warmKeys(1)) as [Issued]
  const times: number[] = []
  const verify = async (key: string): Promise<void> => {
    const begun = performance.now()
    expect(await codeOf(key)).toBe('VALID')
    times.push(performance.now() - begun)
  }
  for (let left = KEYS; left > 0; left = await count(`"ApiKey" WHERE "clientId" = 'bulk'`)) {
    await verify(warm)
    await verify(cold.pop()?.key ?? warm)
  }
  console.log(`longest verify beside the purge: ${Math.max(...times).toFixed()} ms`)
  await eventually(() => expect(metric('purged_keys_total')).toBe(before + KEYS))
  expect(await count(entries)).toBe(KEYS)
  expect(await count(`(SELECT DISTINCT key_id FROM ${entries}) AS keys`)).toBe(KEYS)
  const purges = setting.tap.statements.slice(mark).filter((text) => PURGE.test(text))
  expect(purges.length).toBeGreaterThanOrEqual(KEYS / 100)
  // A listener that falls behind misses events, which is counted.
  await eventually(() => {
    const heard = told.filter(({ type }) => type === 'key.deleted').length
    expect(heard + metric('events_dropped_total') - missed).toBe(KEYS)
  })
})

test('several processes purge at once, each key once', async () => {
  const KEYS = 1_000
  await revokedRows(KEYS)
  const options = { ...setting.options, databaseUrl: setting.database.url, purgeRevokedDays: DAYS }
  const others = await Promise.all([startPeer(options), startPeer(options)])
  const started = others.map((other) => other.run(({ api }) => api.listApiKeys({ limit: 1 })))
  await Promise.all([start(), ...started])
  await eventually(async () => expect(await count(`"ApiKey" WHERE "clientId" = 'bulk'`)).toBe(0))
  const entries = `sophra_api_keys.audit WHERE type = 'key.deleted' AND key_id LIKE 'bulk-%'`
  expect(await count(entries)).toBe(KEYS)
  for (const other of others) await other.stop()
})

describe('rows that the database refuses to delete', () => {
  const failures = 'background_failures_total{task="pruning"}'

  test('hold up no other, are reported, and are purged once they can be', async () => {
    await revokedRows(1_000)
    await setting.sql(`
      CREATE TABLE invoices (key_id TEXT REFERENCES "ApiKey" ("id"));
      INSERT INTO invoices VALUES ('bulk-1'), ('bulk-500'), ('bulk-501'), ('bulk-1000')`)
    const before = metric(failures)
    await start()
    const left = () => exist(['bulk-1', 'bulk-2', 'bulk-499', 'bulk-500', 'bulk-501', 'bulk-1000'])
    const bad = ['bulk-1', 'bulk-1000', 'bulk-500', 'bulk-501']
    await eventually(async () => expect(await left()).toEqual(bad))
    await eventually(async () => expect(await count(`"ApiKey" WHERE "clientId" = 'bulk'`)).toBe(4))
    await eventually(() => expect(metric(failures)).toBeGreaterThan(before))
    await eventually(() =>
      expect(told).toContainEqual(
        expect.objectContaining({
          type: 'internal.error',
          statement: 'purge_keys',
          sqlstate: '23503',
          task: 'pruning',
        }),
      ),
    )
    expect((await listAuditEvents({ keyId: 'bulk-1' })).events).toEqual([])
    await setting.sql(`DROP TABLE invoices`)
    await areGone(
      bad.map((id) => ({ id })),
      SOME_TRIES,
    )
  })

  test('hold up no other even if they fill a batch', async () => {
    await revokedRows(500)
    // The oldest ones come first.
    await setting.sql(
      `UPDATE "ApiKey" SET "revokedAt" = '2019-01-01' WHERE "id" IN (SELECT 'bulk-' || n FROM generate_series(1, 250) AS n)`,
    )
    await setting.sql(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
      CREATE TRIGGER refused BEFORE DELETE ON "ApiKey"
        FOR EACH ROW WHEN (OLD."revokedAt" = '2019-01-01') EXECUTE FUNCTION refuse()`)
    await start()
    await eventually(async () =>
      expect(await count(`"ApiKey" WHERE "clientId" = 'bulk'`)).toBe(250),
    )
    await setting.sql(`DROP TRIGGER refused ON "ApiKey"; DROP FUNCTION refuse()`)
  })

  test('hold up no other even if nearly all of a batch are refused', async () => {
    await revokedRows(1_000)
    await setting.sql(`
      UPDATE "ApiKey" SET "revokedAt" = "revokedAt" + substr("id", 6)::int * interval '1 second'
      WHERE "clientId" = 'bulk';
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
      CREATE TRIGGER refused BEFORE DELETE ON "ApiKey"
        FOR EACH ROW WHEN (OLD."id" NOT LIKE 'bulk-%99') EXECUTE FUNCTION refuse()`)
    const before = metric(failures)
    await start()
    await eventually(async () =>
      expect(await count(`"ApiKey" WHERE "clientId" = 'bulk'`)).toBe(990),
    )
    await eventually(() => expect(metric(failures)).toBeGreaterThan(before))
    await setting.sql(`DROP TRIGGER refused ON "ApiKey"; DROP FUNCTION refuse()`)
  })

  test('hold up no other even if their revocation was at an odd instant', async () => {
    await revokedRows(20)
    await setting.sql(`
      UPDATE "ApiKey" SET "revokedAt" = '-infinity' WHERE "id" IN ('bulk-1', 'bulk-2');
      UPDATE "ApiKey" SET "revokedAt" = '1 January 4000 BC' WHERE "id" IN ('bulk-3', 'bulk-4');
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
      CREATE TRIGGER refused BEFORE DELETE ON "ApiKey"
        FOR EACH ROW WHEN (OLD."id" IN ('bulk-1', 'bulk-3', 'bulk-5')) EXECUTE FUNCTION refuse()`)
    const before = metric(failures)
    const ids = () => setting.sql(`SELECT "id" FROM "ApiKey" WHERE "clientId" = 'bulk' ORDER BY 1`)
    await start()
    await eventually(async () =>
      expect((await ids()).map(({ id }) => id)).toEqual(['bulk-1', 'bulk-3', 'bulk-5']),
    )
    // The walk comes to its end.
    await eventually(() => expect(metric(failures)).toBeGreaterThan(before))
    await setting.sql(`DROP TRIGGER refused ON "ApiKey"; DROP FUNCTION refuse()`)
  })

  test('are not tried for ever if a trigger keeps them without a word', async () => {
    await revokedRows(10)
    await setting.sql(`
      CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
      CREATE TRIGGER kept BEFORE DELETE ON "ApiKey"
        FOR EACH ROW WHEN (OLD."id" = 'bulk-1') EXECUTE FUNCTION keep()`)
    const mark = setting.tap.statements.length
    await start()
    await eventually(async () => expect(await exist(['bulk-1', 'bulk-2'])).toEqual(['bulk-1']))
    const purges = () => setting.tap.statements.slice(mark).filter((text) => PURGE.test(text))
    // A pass with progress, one without it, and the same in each round.
    await eventually(() => expect(purges().length).toBeGreaterThanOrEqual(3), SOME_TRIES)
    expect(purges().length).toBeLessThan(10)
    expect((await listAuditEvents({ keyId: 'bulk-1' })).events).toEqual([])
    await setting.sql(`DROP TRIGGER kept ON "ApiKey"; DROP FUNCTION keep()`)
  })
})

test('an entry that cannot be written keeps its key', async () => {
  const key = await revokedKey('1 year')
  await flush()
  await setting.sql(
    `ALTER TABLE sophra_api_keys.audit ADD CONSTRAINT planted CHECK (event ->> 'reason' <> 'purged') NOT VALID`,
  )
  const failed = metric('background_failures_total{task="pruning"}')
  await start()
  await eventually(() =>
    expect(metric('background_failures_total{task="pruning"}')).toBeGreaterThan(failed),
  )
  expect(await exist([key.id])).toEqual([key.id])
  await setting.sql(`ALTER TABLE sophra_api_keys.audit DROP CONSTRAINT planted`)
  await areGone([key], SOME_TRIES)
})

test('it uses its index, and works without it and with migrations by hand', async () => {
  const plan = async (): Promise<string> => {
    const client = await session()
    await client.query('SET LOCAL enable_seqscan = off')
    const { rows } = await client.query(
      `EXPLAIN SELECT "id", sophra_api_keys.instant_value("revokedAt") FROM "ApiKey"
       WHERE "revokedAt" < (now() AT TIME ZONE 'UTC') - make_interval(days => 30)
         AND ("revokedAt", "id") > (coalesce(sophra_api_keys.instant_of('0'), '-infinity'), coalesce('x', ''))
       ORDER BY "revokedAt", "id" LIMIT 100`,
    )
    await client.end()
    return JSON.stringify(rows)
  }
  expect(await plan()).not.toContain('Sort')
  expect(await plan()).toContain('ApiKey_revokedAt_id_idx')
  const key = await revokedKey('1 year')
  await setting.sql(`DROP INDEX "ApiKey_revokedAt_id_idx"`)
  await start({ migrate: 'manual' })
  await areGone([key])
  await addon.migrate()
  expect(await plan()).toContain('ApiKey_revokedAt_id_idx')
})

test('it works behind a pooler in transaction mode', async () => {
  const key = await revokedKey('1 year')
  await start({
    databaseUrl: `${setting.tap.url}?pgbouncer=true`,
    directDatabaseUrl: setting.tap.url,
  })
  await areGone([key])
  expect((await listAuditEvents({ keyId: key.id, type: 'key.deleted' })).events).toHaveLength(1)
})

test('it leaves what a deletion leaves', async () => {
  const fields = { rateLimit: 5, quotas: [{ name: 'calls', amount: 9, period: 'month' as const }] }
  const [deleted, purged] = (await setting.coldKeys(2, fields)) as [Issued, Issued]
  for (const { id, key } of [deleted, purged]) {
    expect(await codeOf(key)).toBe('VALID')
    await revokeApiKey({ id })
  }
  await flush()
  await date(purged.id, '1 year')
  const left = async ({ id }: Issued) => ({
    spent: await count(`sophra_api_keys.spent WHERE limit_id LIKE 'key/${id}/%'`),
    quotas: await count(`sophra_api_keys.quota_balances WHERE quota_id LIKE 'key/${id}/%'`),
  })
  await deleteApiKey(deleted.id)
  await start()
  await areGone([purged])
  expect(await left(purged)).toEqual(await left(deleted))
  expect(await getApiKey(purged.id)).toBeNull()
})
