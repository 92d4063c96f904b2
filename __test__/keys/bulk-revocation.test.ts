import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { faultOf, invalidFields } from '../support/faults.js'
import { startPeer, type Peer } from '../support/peer.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, flush, getApiKey, listApiKeys, listAuditEvents, patchApiKey } = addon
const { restoreApiKey, revokeApiKey, revokeApiKeys, verifyApiKey } = addon
type Input = Parameters<typeof revokeApiKeys>[0]

const database = useAddon()

let peer: Peer
beforeAll(async () => {
  await addon.migrate()
  peer = await startPeer({ databaseUrl: database.url() })
})
afterAll(() => peer.stop())

const create = (clientId: string, more: object = {}) =>
  createApiKey({ name: 'Bulk', clientId, ...more })

const codeThere = (key: string): Promise<string> =>
  peer.run(async ({ api }, key) => (await api.verifyApiKey(key)).code, key)

const rowsOf = (clientId: string) =>
  database.sql(
    `SELECT "isActive", "wasActive", "revokedBy", "revokedReason" FROM "ApiKey"
     WHERE "clientId" = $1 ORDER BY "createdAt", "id"`,
    [clientId],
  )

test('revokes all keys of a filter, everywhere, and no other', async () => {
  const keys = [await create('leaving'), await create('leaving'), await create('leaving')]
  const other = await create('staying')
  for (const { key } of [...keys, other]) {
    expect(await verifyApiKey(key)).toMatchObject({ valid: true })
    expect(await codeThere(key)).toBe('VALID')
  }
  const where = { clientId: 'leaving' }
  expect(
    await revokeApiKeys({ where, reason: 'cessation', note: 'Contract ended' }, { actor: 'ann' }),
  ).toEqual({ count: 3 })
  for (const { id, key } of keys) {
    expect(await verifyApiKey(key)).toMatchObject({ code: 'REVOKED', status: 401 })
    await eventually(async () => expect(await codeThere(key)).toBe('REVOKED'))
    expect(await getApiKey(id)).toMatchObject({
      status: 'revoked',
      isActive: false,
      revokedAt: expect.any(Date),
      revokedBy: 'ann',
      revokedReason: 'cessation',
    })
  }
  expect(await verifyApiKey(other.key)).toMatchObject({ valid: true })
  expect(await codeThere(other.key)).toBe('VALID')
})

test('each of them can be restored to what it was', async () => {
  const on = await create('back')
  const off = await create('back', { isActive: false })
  await revokeApiKeys({ where: { clientId: 'back' } })
  expect(await restoreApiKey(on.id)).toMatchObject({ status: 'active' })
  expect(await restoreApiKey(off.id)).toMatchObject({ status: 'disabled' })
  expect(await verifyApiKey(on.key)).toMatchObject({ valid: true })
})

test('keys that are revoked already stay as they are, and do not count', async () => {
  const { id } = await create('twice')
  await create('twice')
  await revokeApiKey({ id, reason: 'compromised' }, { actor: 'bob' })
  const where = { clientId: 'twice' }
  expect(await revokeApiKeys({ where, dryRun: true })).toEqual({ count: 1 })
  expect(await revokeApiKeys({ where, reason: 'unused', expectedCount: 1 })).toEqual({ count: 1 })
  expect(await getApiKey(id)).toMatchObject({ revokedBy: 'bob', revokedReason: 'compromised' })
  expect(await revokeApiKeys({ where })).toEqual({ count: 0 })
})

test('a dry run counts, and changes nothing', async () => {
  const { key } = await create('dry')
  const before = await rowsOf('dry')
  expect(await revokeApiKeys({ where: { clientId: 'dry' }, dryRun: true })).toEqual({ count: 1 })
  expect(await rowsOf('dry')).toEqual(before)
  expect(await verifyApiKey(key)).toMatchObject({ valid: true })
})

test('another count than expected changes nothing', async () => {
  const { key } = await create('expected')
  await create('expected')
  const before = await rowsOf('expected')
  const where = { clientId: 'expected' }
  for (const expectedCount of [0, 1, 3]) {
    for (const dryRun of [false, true]) {
      expect(await faultOf(() => revokeApiKeys({ where, expectedCount, dryRun }))).toMatchObject({
        code: 'CONFLICT',
        status: 409,
        message: expect.stringContaining('2 keys'),
      })
    }
  }
  expect(await rowsOf('expected')).toEqual(before)
  expect(await verifyApiKey(key)).toMatchObject({ valid: true })
  expect(await revokeApiKeys({ where, expectedCount: 2 })).toEqual({ count: 2 })
})

test('each filter chooses what a list with it shows', async () => {
  const old = new Date(Date.now() - 100 * 86_400_000)
  const wheres: Input['where'][] = [
    { clientId: 'chosen', createdBy: 'maker' },
    { clientId: 'chosen', scope: 'docs:read' },
    { clientId: 'chosen', metadata: { plan: 'free' } },
    { clientId: 'chosen', search: 'needle' },
    { clientId: 'chosen', status: 'expired' },
    { clientId: 'chosen', status: 'disabled' },
    { clientId: 'chosen', expiresBefore: new Date() },
    { clientId: 'chosen', unusedSince: new Date(Date.now() - 86_400_000) },
    { clientId: 'chosen', createdBefore: new Date(Date.now() - 86_400_000) },
    { clientId: 'chosen', isActive: true },
  ]
  const make = async (): Promise<void> => {
    await createApiKey({ name: 'a', clientId: 'chosen' }, { actor: 'maker' })
    await create('chosen', { scopes: ['docs:*'], metadata: { plan: 'free', n: 1 } })
    await create('chosen', { description: 'a needle' })
    const expired = await create('chosen')
    await patchApiKey({ id: expired.id, expiresAt: old })
    await create('chosen', { isActive: false })
    // As if it were old, for the copy of its use as well.
    await database.sql(
      `INSERT INTO "ApiKey" ("id", "key", "lookup", "clientId", "name", "createdAt", "updatedAt")
       SELECT id, id, id, 'chosen', 'Old', now() - interval '90 days', now()
       FROM (SELECT gen_random_uuid()::text AS id) AS made`,
    )
  }
  for (const where of wheres) {
    await make()
    const { keys } = await listApiKeys({ ...where, limit: 1_000 })
    const expected = keys.filter(({ status }) => status !== 'revoked').map(({ id }) => id)
    expect(expected.length).toBeGreaterThan(0)
    const before = await listApiKeys({ clientId: 'chosen', status: 'revoked', limit: 1_000 })
    expect(await revokeApiKeys({ where, dryRun: true })).toEqual({ count: expected.length })
    expect(await revokeApiKeys({ where })).toEqual({ count: expected.length })
    const after = await listApiKeys({ clientId: 'chosen', status: 'revoked', limit: 1_000 })
    const known = new Set(before.keys.map(({ id }) => id))
    const revoked = after.keys.map(({ id }) => id).filter((id) => !known.has(id))
    expect(revoked.sort()).toEqual(expected.sort())
  }
})

test('there is one event, one change in the log, and an audit entry for each key', async () => {
  const told: { type: string }[] = []
  const stop = addon.onEvent((event) => told.push(event))
  const ids = [(await create('told')).id, (await create('told')).id]
  const logged = (): Promise<unknown[]> =>
    database.sql(
      `SELECT key_id, client_id, ARRAY(SELECT unnest(key_ids) ORDER BY 1) AS key_ids FROM sophra_api_keys.changes
      WHERE key_ids && $1 OR key_id = ANY ($1)`,
      [ids],
    )
  const before = await logged()
  await revokeApiKeys(
    { where: { clientId: 'told' }, reason: 'abuse', note: 'Spam' },
    { actor: 'ann' },
  )
  const after = await logged()
  expect(after.slice(before.length)).toEqual([
    { key_id: null, client_id: null, key_ids: [...ids].sort() },
  ])
  const event = { type: 'keys.revoked', count: 2, reason: 'abuse', note: 'Spam', actor: 'ann' }
  await eventually(() =>
    expect(told.filter(({ type }) => type.endsWith('.revoked'))).toEqual([
      { ...event, severity: 'info', at: expect.any(Date) },
    ]),
  )
  stop()
  await flush()
  const { events } = await listAuditEvents({ type: 'key.revoked' })
  const mine = events.filter((entry) => ids.includes((entry as { keyId: string }).keyId))
  expect(mine).toHaveLength(2)
  for (const entry of mine)
    expect(entry).toMatchObject({
      name: 'Bulk',
      clientId: 'told',
      reason: 'abuse',
      note: 'Spam',
      actor: 'ann',
      count: 1,
    })
  // As one that a single revocation writes.
  const single = await create('told')
  await revokeApiKey({ id: single.id, reason: 'abuse', note: 'Spam' }, { actor: 'ann' })
  await flush()
  const [latest] = (await listAuditEvents({ keyId: single.id, type: 'key.revoked' })).events
  const { id, at, ...shape } = latest as unknown as Record<string, unknown>
  const { id: _, at: __, ...bulk } = mine[0] as unknown as Record<string, unknown>
  expect(bulk).toEqual({ ...shape, keyId: bulk.keyId })
})

test('only the keys that it revokes are read again elsewhere', async () => {
  const kept = await Promise.all(Array.from({ length: 20 }, () => create('warm')))
  const gone = await Promise.all(Array.from({ length: 20 }, () => create('cold')))
  const verifyAll = (keys: string[]): Promise<{ selects: number; codes: string[] }> =>
    peer.run(async ({ api, stats }, keys) => {
      const before = stats().selects
      const codes: string[] = []
      for (const key of keys) codes.push((await api.verifyApiKey(key)).code)
      return { selects: stats().selects - before, codes: [...new Set(codes)] }
    }, keys)
  const plain = (keys: { key: string }[]): string[] => keys.map(({ key }) => key)
  await eventually(async () => {
    await verifyAll([...plain(kept), ...plain(gone)])
    expect((await verifyAll([...plain(kept), ...plain(gone)])).selects).toBe(0)
  })
  await revokeApiKeys({ where: { clientId: 'cold' } })
  await eventually(async () => expect(await codeThere(gone[0]!.key)).toBe('REVOKED'))
  expect(await verifyAll(plain(kept))).toEqual({ selects: 0, codes: ['VALID'] })
  expect((await verifyAll(plain(gone))).codes).toEqual(['REVOKED'])
})

test('a change of a revoked row in the same transaction, by another writer, is logged all the same', async () => {
  const { id, key } = await create('writer')
  await verifyApiKey(key)
  await database.sql(`BEGIN;
    SELECT sophra_api_keys.revoke_keys('{"now": 0, "clientId": "nobody"}', 'unused', NULL, NULL, now()::timestamp, NULL, false);
    UPDATE "ApiKey" SET "isActive" = false WHERE "id" = '${id}';
    COMMIT`)
  await eventually(async () => expect(await verifyApiKey(key)).toMatchObject({ valid: false }))
})

describe('wrong input is refused by name', () => {
  test.each([
    [{}, ['where']],
    [{ where: null }, ['where']],
    [{ where: {} }, ['where']],
    [{ where: { clientId: null } }, ['where']],
    [{ where: 'all' }, ['where']],
    [{ where: { clientId: 7, color: 'red' } }, ['where.clientId', 'where.color']],
    [{ where: { clientId: 'a', limit: 1 } }, ['where.limit']],
    [{ where: { clientId: 'a' }, reason: 'bored' }, ['reason']],
    [{ where: { clientId: 'a' }, note: '' }, ['note']],
    [{ where: { clientId: 'a' }, expectedCount: -1 }, ['expectedCount']],
    [{ where: { clientId: 'a' }, dryRun: 'yes' }, ['dryRun']],
    [{ where: { clientId: 'a' }, id: 'x' }, ['id']],
  ])('%j', async (input, fields) => {
    expect((await invalidFields(() => revokeApiKeys(input as never))).sort()).toEqual(fields)
  })
})

test('an id is told where it belongs', async () => {
  for (const where of [undefined, { clientId: 'a' }]) {
    const fault = await faultOf(() => revokeApiKeys({ id: 'x', where } as never))
    expect(fault.issues).toContainEqual({
      path: 'id',
      message: expect.stringContaining('revokeApiKey takes the id of one key'),
    })
  }
})

test('100,000 keys at once are one transaction', async () => {
  const COUNT = 100_000
  await database.sql(
    `INSERT INTO "ApiKey" ("id", "key", "lookup", "clientId", "name", "description", "createdAt", "updatedAt", "scopes", "metadata")
     SELECT 'mass-' || n, 'hash ' || n, 'lookup ' || n, 'mass', 'Key ' || n, 'One of very many keys', now(), now(),
       '{docs:read}', '{"plan": "free"}'
     FROM generate_series(1, $1::integer) AS n`,
    [COUNT],
  )
  const { key } = await create('mass')
  expect(await codeThere(key)).toBe('VALID')
  const begun = performance.now()
  expect(await revokeApiKeys({ where: { clientId: 'mass' }, expectedCount: COUNT + 1 })).toEqual({
    count: COUNT + 1,
  })
  const took = performance.now() - begun
  await eventually(async () => expect(await codeThere(key)).toBe('REVOKED'))
  const told = performance.now() - begun - took
  console.log(`${COUNT} keys: ${took.toFixed(0)} ms, elsewhere ${told.toFixed(0)} ms later`)
  expect(
    await database.sql(`SELECT FROM sophra_api_keys.changes WHERE cardinality(key_ids) > 1000`),
  ).toHaveLength(1)
  const entries = await database.sql(
    `SELECT count(*) FROM sophra_api_keys.audit WHERE type = 'key.revoked' AND key_id LIKE 'mass-%'`,
  )
  expect(entries).toEqual([{ count: `${COUNT}` }])
}, 180_000)

test('goes by the keys themselves, not by the copy of their use', async () => {
  const since = new Date(Date.now() - 3_600_000)
  const used = await create('copied')
  const unused = await create('copied')
  await database.sql(`UPDATE "ApiKey" SET "createdAt" = '2020-01-01' WHERE "clientId" = 'copied'`)
  await database.sql(`UPDATE "ApiKey" SET "lastUsedAt" = now() WHERE "id" = $1`, [used.id])
  await database.sql(`DELETE FROM sophra_api_keys.key_usage WHERE key_id = $1`, [unused.id])
  const where = { clientId: 'copied', unusedSince: since }
  expect(await revokeApiKeys({ where })).toEqual({ count: 1 })
  expect(await getApiKey(used.id)).toMatchObject({ status: 'active' })
  expect(await getApiKey(unused.id)).toMatchObject({ status: 'revoked' })
})

test('what a trigger of the app changes along with it is noticed', async () => {
  const parent = await create('parent')
  const child = await create('child')
  await database.sql(`
    CREATE FUNCTION disable_child() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      UPDATE "ApiKey" SET "isActive" = false WHERE "clientId" = 'child';
      RETURN NULL;
    END $$;
    CREATE TRIGGER of_the_app AFTER UPDATE ON "ApiKey" FOR EACH ROW WHEN (OLD."isActive" AND NOT NEW."isActive" AND NEW."clientId" = 'parent')
    EXECUTE FUNCTION disable_child()`)
  for (const { key } of [parent, child])
    await eventually(async () => expect(await codeThere(key)).toBe('VALID'))
  await revokeApiKeys({ where: { clientId: 'parent' } })
  await eventually(async () => expect(await codeThere(child.key)).toBe('DISABLED'))
  await database.sql(`DROP TRIGGER of_the_app ON "ApiKey"; DROP FUNCTION disable_child()`)
})
