import { expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { startPeer } from '../support/peer.js'
import { cutFlush, outage } from '../support/scenarios/cuts.js'
import { useSetting } from '../support/setting.js'

const { flush, getUsage, verifyApiKey } = addon

const setting = useSetting({ flushIntervalMs: 50 })

const HOUR = 3_600_000

const usage = (fields: object) =>
  getUsage({
    from: new Date(Date.now() - HOUR),
    to: new Date(Date.now() + 1),
    bucket: 'month',
    ...fields,
  })

const usesOf = async (ids: string[]): Promise<number> => {
  const [row] = await setting.sql(
    `SELECT sum("usageCount")::int AS uses FROM "ApiKey" WHERE "id" = ANY ($1)`,
    [ids],
  )
  return row!.uses as number
}

/** Stores everything, however long the database is away. */
const stored = (): Promise<void> => eventually(() => flush())

const ROUNDS = 200
const PER_ROUND = 1_000
const TAGS = ['/a', '/b', '/c', '/d', '/e']

test('200,000 verifies with connections cut 200 times sum up to what was answered', async () => {
  const keys = await setting.warmKeys(1_000, { scopes: ['read'] })
  await stored()
  const ids = keys.map(({ id }) => id)
  const usesBefore = await usesOf(ids)
  const answered = new Map<string, { count: number; cost: number }>()
  let verified = 0
  let uses = 0
  for (let round = 0; round < ROUNDS; round++) {
    const cutting = cutFlush(setting)
    for (let call = 0; call < PER_ROUND; call++) {
      const { id, key } = keys[(7 * round + call) % keys.length]!
      const tag = TAGS[(round + call) % TAGS.length]!
      const cost = call % 3
      const scopes = call % 10 === 0 ? ['write'] : ['read']
      const answer = await verifyApiKey(key, { tag, cost, scopes }).catch(outage)
      if (!answer) continue
      verified++
      if (answer.valid) uses++
      const group = JSON.stringify([id, tag, answer.code])
      const sum = answered.get(group) ?? { count: 0, cost: 0 }
      sum.count++
      if (answer.valid) sum.cost += cost
      answered.set(group, sum)
    }
    await cutting
  }
  await stored()
  await eventually(async () => {
    await usage({ keyId: ids[0] })
    expect(await setting.sql(`SELECT FROM sophra_api_keys.usage_log`)).toEqual([])
  })
  const counted = new Map<string, { count: number; cost: number }>()
  for (const keyId of ids) {
    for (const { tag, outcome, ...sum } of await usage({ keyId, groupBy: ['tag', 'outcome'] })) {
      if (tag === null) continue
      counted.set(JSON.stringify([keyId, tag, outcome]), { count: sum.count, cost: sum.cost })
    }
  }
  console.log(`${verified} of ${ROUNDS * PER_ROUND} verifies were answered`)
  expect(verified).toBeGreaterThan(0.9 * ROUNDS * PER_ROUND)
  expect(counted).toEqual(answered)
  expect((await usesOf(ids)) - usesBefore).toBe(uses)
}, 300_000)

test('a process that is killed loses at most what it had not stored, and uses and usage agree', async () => {
  const options = { databaseUrl: setting.database.url, ...cheapHashing, flushIntervalMs: 50 }
  const keys = await setting.coldKeys(20)
  const ids = keys.map(({ id }) => id)
  const peer = await startPeer(options)
  const before = await peer.run(async ({ api }, keys) => {
    for (let call = 0; call < 1_000; call++)
      await api.verifyApiKey(keys[call % keys.length]!.key, { tag: '/killed' })
    await api.flush()
    return 1_000
  }, keys)
  await expect(
    peer.run(async ({ api }, keys) => {
      for (let call = 0; call < 5_000; call++) {
        await api.verifyApiKey(keys[call % keys.length]!.key, { tag: '/killed' })
        if (call % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 3))
      }
      process.kill(process.pid, 'SIGKILL')
      await new Promise(() => {})
    }, keys),
  ).rejects.toThrow('SIGKILL')
  // What it had sent may still be under way.
  await eventually(async () =>
    expect(
      await setting.sql(
        `SELECT FROM pg_stat_activity WHERE state <> 'idle' AND query LIKE '%used AS MATERIALIZED%' AND pid <> pg_backend_pid()`,
      ),
    ).toEqual([]),
  )
  const rows = await usage({ clientId: keys[0]!.clientId, groupBy: ['tag'] })
  const count = rows.find(({ tag }) => tag === '/killed')?.count
  expect(count).toBeGreaterThanOrEqual(before)
  expect(count).toBeLessThanOrEqual(before + 5_000)
  expect(count).toBe(await usesOf(ids))
})

test('a row that cannot be written holds up no usage, and is counted once', async () => {
  const [bad, good] = await setting.warmKeys(2)
  await stored()
  await setting.sql(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'check_violation'; END $$`)
  await setting.sql(`CREATE TRIGGER refuse BEFORE UPDATE ON "ApiKey" FOR EACH ROW
    WHEN (OLD."id" = '${bad!.id}') EXECUTE FUNCTION refuse()`)
  const sum = async (keyId: string): Promise<number> =>
    (await usage({ keyId })).reduce((sum, { count }) => sum + count, 0)
  for (let round = 0; round < 3; round++) {
    for (const { key } of [bad!, good!]) await verifyApiKey(key, { tag: '/refused' })
    await flush().catch(() => {})
  }
  await eventually(async () => {
    await flush().catch(() => {})
    expect([await sum(bad!.id), await sum(good!.id)]).toEqual([4, 4])
  })
  await setting.sql(`DROP TRIGGER refuse ON "ApiKey"`)
  // The last flush tries it once more.
  await addon.close()
  expect(await usesOf([bad!.id, good!.id])).toBe(8)
  addon.configure(setting.options)
  expect([await sum(bad!.id), await sum(good!.id)]).toEqual([4, 4])
})
