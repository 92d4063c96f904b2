import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { startPeer, type Peer } from '../support/peer.js'
import { useAddon } from '../support/use-addon.js'

// What `revokeApiKeys` counts is what it changes, whatever others do to the keys meanwhile.

const { createApiKey, revokeApiKeys } = addon
type Where = Parameters<typeof revokeApiKeys>[0]['where']
type Row = Record<'clientId' | 'name', string> & {
  isActive: boolean
  expiresAt: string | null
  metadata: { plan: string }
}

const database = useAddon()
const CLIENT = 'churn'

let peer: Peer
let sql: Client
beforeAll(async () => {
  await addon.migrate()
  peer = await startPeer({ databaseUrl: database.url() })
  sql = new Client({ connectionString: database.url() })
  await sql.connect()
  // Each row as it was when it was revoked, by the transaction that revoked it.
  await database.sql(`
    CREATE TABLE revoked_rows (by TEXT, id TEXT, at TIMESTAMP, before JSONB);
    CREATE FUNCTION keep_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO revoked_rows VALUES (NEW."revokedBy", NEW."id", NEW."revokedAt", to_jsonb(OLD));
      RETURN NULL;
    END $$;
    CREATE TRIGGER keep_revoked AFTER UPDATE ON "ApiKey" FOR EACH ROW
    WHEN (OLD."revokedAt" IS NULL AND NEW."revokedAt" IS NOT NULL) EXECUTE FUNCTION keep_revoked()`)
})
afterAll(async () => {
  await sql.end()
  await peer.stop()
})

/** Filters, and what a row must be for each. */
const filters: [Where, (row: Row) => boolean][] = [
  [
    { clientId: CLIENT, isActive: true, metadata: { plan: 'free' } },
    ({ isActive, metadata }) => isActive && metadata.plan === 'free',
  ],
  [{ clientId: CLIENT, search: 'needle' }, ({ name }) => name.includes('needle')],
  [
    { clientId: CLIENT, status: 'active' },
    ({ isActive, expiresAt }) => isActive && expiresAt === null,
  ],
  [{ clientId: CLIENT, status: 'disabled' }, ({ isActive }) => !isActive],
  [{ clientId: CLIENT, unusedSince: new Date(Date.now() + 60_000) }, () => true],
]

/** Some changes by another process. */
const changeThere = () =>
  peer.run(async ({ api }, clientId) => {
    const one = <T>(list: T[]): T => list[Math.floor(Math.random() * list.length)]!
    for (let n = 0; n < 4; n++)
      await api.createApiKey({
        name: one(['hay', 'a needle']),
        clientId,
        isActive: one([true, false]),
        metadata: { plan: one(['free', 'paid']) },
      })
    const { keys } = await api.listApiKeys({ clientId, limit: 20 })
    const changes = [
      { isActive: false },
      { isActive: true },
      { metadata: { plan: 'paid' } },
      { name: 'hay' },
      { clientId: 'elsewhere' },
    ]
    for (const { id } of keys) {
      // It may be revoked or gone by now.
      const change =
        Math.random() < 0.2
          ? api.deleteApiKey(id)
          : Math.random() < 0.2
            ? api.restoreApiKey(id)
            : api.patchApiKey({ id, ...one(changes) })
      await change.catch(({ code }) => {
        if (!['NOT_FOUND', 'CONFLICT', 'INVALID_INPUT'].includes(code)) throw new Error(code)
      })
    }
  }, CLIENT)

/** A change of one row by SQL, which is not committed at once, and at times never. */
async function changeBySql(): Promise<void> {
  const changes = [
    `"isActive" = NOT "isActive"`,
    `"metadata" = '{"plan": "paid"}'`,
    `"name" = 'a needle'`,
    `"expiresAt" = '2020-01-01'`,
    `"clientId" = 'elsewhere'`,
  ]
  const change = changes[Math.floor(Math.random() * changes.length)]!
  await sql.query('BEGIN')
  await sql.query(
    `UPDATE "ApiKey" SET ${change} WHERE "id" =
      (SELECT "id" FROM "ApiKey" WHERE "clientId" = $1 AND "revokedAt" IS NULL ORDER BY random() LIMIT 1)`,
    [CLIENT],
  )
  await sql.query('SELECT count(*) FROM "ApiKey"')
  await sql.query(Math.random() < 0.3 ? 'ROLLBACK' : 'COMMIT')
}

/** Makes changes until the work has ended. */
async function amid<T>(changes: (() => Promise<unknown>)[], work: () => Promise<T>): Promise<T> {
  let ended = false
  const writers = changes.map(async (change) => {
    while (!ended) await change()
  })
  try {
    return await work()
  } finally {
    ended = true
    await Promise.all(writers)
  }
}

/** The rows that a call has revoked, after a check that each is one of the filter and has its entry in the audit log. */
async function revokedBy(actor: string, matches: (row: Row) => boolean): Promise<number> {
  const rows = await database.sql(
    `SELECT id, at, before FROM revoked_rows WHERE by = $1 ORDER BY id`,
    [actor],
  )
  const entries = await database.sql(
    `SELECT key_id AS id, at, event FROM sophra_api_keys.audit
     WHERE type = 'key.revoked' AND event ->> 'actor' = $1 ORDER BY key_id`,
    [actor],
  )
  expect(entries.map(({ id, at }) => ({ id, at }))).toEqual(rows.map(({ id, at }) => ({ id, at })))
  for (const [n, { before }] of rows.entries()) {
    expect(before.clientId).toBe(CLIENT)
    expect(matches(before as Row), JSON.stringify(before)).toBe(true)
    expect(entries[n]!.event).toMatchObject({ name: before.name, clientId: CLIENT })
  }
  return rows.length
}

test('a dry run counts what a call with this count then changes, or it is a conflict', async () => {
  const ENOUGH = 15
  let [revoked, conflicts, calls] = [0, 0, 0]
  const call = async (): Promise<void> => {
    const actor = `expected-${++calls}`
    const [where, matches] = filters[calls % filters.length]!
    const { count } = await revokeApiKeys({ where, dryRun: true })
    const answer = await revokeApiKeys({ where, expectedCount: count }, { actor }).catch(
      (fault: Error) => fault,
    )
    if (answer instanceof Error) {
      expect(answer).toMatchObject({ code: 'CONFLICT' })
      expect(await revokedBy(actor, matches)).toBe(0)
      conflicts++
    } else {
      expect(answer).toEqual({ count })
      expect(await revokedBy(actor, matches)).toBe(count)
      if (count > 0) revoked++
    }
  }
  await amid([changeThere, changeBySql], async () => {
    while (revoked < ENOUGH || conflicts < ENOUGH) await call()
  })
  console.log(`${calls} calls: ${revoked} revoked some keys, ${conflicts} were conflicts`)
}, 180_000)

test('a call without an expected count says how many keys it has changed', async () => {
  const CALLS = 60
  let total = 0
  await amid([changeThere, changeBySql], async () => {
    for (let n = 0; n < CALLS; n++) {
      const [where, matches] = filters[n % filters.length]!
      const { count } = await revokeApiKeys({ where }, { actor: `plain-${n}` })
      expect(await revokedBy(`plain-${n}`, matches)).toBe(count)
      total += count
      await createApiKey({ name: 'a needle', clientId: CLIENT, metadata: { plan: 'free' } })
    }
  })
  expect(total).toBeGreaterThan(0)
}, 180_000)
