import { afterEach, beforeEach, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { startPeer } from '../support/peer.js'
import { startReceiver, type Receiver } from '../support/receiver.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, deleteWebhook, flush, listWebhooks, setClient, setWebhook, verifyApiKey } =
  addon

const options = { webhookAllowedNetworks: ['127.0.0.0/8'] }
const { sql, url } = useAddon(options)

const DAY = 86_400_000
const inDays = (days: number): Date => new Date(Date.now() + days * DAY)

/** What the process that delivers does every minute. */
async function look(): Promise<void> {
  const part = `SELECT sophra_api_keys.write_due_notices('{30,7,1}', 90, 200) AS "hasMore"`
  while ((await sql(part))[0]?.['hasMore']);
}

let receiver: Receiver
beforeEach(async () => {
  receiver = await startReceiver()
})
afterEach(async () => {
  for (const { id } of await listWebhooks()) await deleteWebhook(id)
  await look()
  await receiver.close()
})

const told = (type: string, name: string): unknown[] =>
  receiver.of(type).filter((data) => data['name'] === name)

test('keys that expire soon are told of at the start, with the fewest days that hold', async () => {
  for (const days of [40, 20, 5, 0.5])
    await createApiKey({ name: `in ${days}`, clientId: 'c', expiresAt: inDays(days) })
  await setWebhook({ url: receiver.url })
  await eventually(() => expect(receiver.of('key.expiring')).toHaveLength(3), 60_000)
  expect(
    receiver
      .of('key.expiring')
      .map(({ name, days }) => [name, days])
      .sort(),
  ).toEqual([
    ['in 0.5', 1],
    ['in 20', 30],
    ['in 5', 7],
  ])
  expect(receiver.of('key.expiring')[0]).toEqual({
    keyId: expect.any(String),
    name: expect.any(String),
    clientId: 'c',
    actor: null,
    days: expect.any(Number),
    expiresAt: expect.stringMatching(/^\d{4}-.*Z$/),
  })
  // A new one, and one whose expiry is moved.
  const { id } = await createApiKey({ name: 'new', clientId: 'c', expiresAt: inDays(3) })
  await look()
  await eventually(() => expect(told('key.expiring', 'new')).toMatchObject([{ days: 7 }]))
  await addon.patchApiKey({ id, expiresAt: inDays(100) })
  await look()
  await addon.patchApiKey({ id, expiresAt: inDays(29) })
  await look()
  await eventually(() =>
    expect(told('key.expiring', 'new')).toMatchObject([{ days: 7 }, { days: 30 }]),
  )
  await look()
  expect(receiver.of('key.expiring')).toHaveLength(5)
})

/** The process that delivers ends, another one takes its place and is killed, and this one begins again. */
async function restart(): Promise<void> {
  await addon.close()
  const peer = await startPeer({ databaseUrl: url(), ...cheapHashing, ...options })
  const delivers = (): Promise<number> =>
    sql(`SELECT FROM sophra_api_keys.deliverer WHERE until > clock_timestamp()`).then(
      ({ length }) => length,
    )
  await peer.run(({ api }) => api.listWebhooks())
  await eventually(async () => expect(await delivers()).toBe(1))
  peer.signal('SIGKILL')
  await listWebhooks()
}

test('a year, day by day, with restarts and clocks that jump: each notice once', async () => {
  await setWebhook({ url: receiver.url, types: ['key.expiring', 'key.expired'] })
  await look()
  const names = Array.from({ length: 40 }, (_, i) => `year ${i}`)
  for (const [i, name] of names.entries())
    await createApiKey({ name, clientId: 'c', expiresAt: inDays(40 + 8 * i) })
  await look()
  /** The database reads the rows' expiries against its clock: both move, so that time passes. */
  let day = 0
  const goTo = async (to: number): Promise<void> => {
    const by = day - to
    day = to
    await sql(`ALTER TABLE "ApiKey" DISABLE TRIGGER USER`)
    await sql(`UPDATE "ApiKey" SET "expiresAt" = "expiresAt" + make_interval(days => $1)`, [by])
    await sql(`ALTER TABLE "ApiKey" ENABLE TRIGGER USER`)
    for (const [table, column] of [
      ['notice_scans', 'scanned_to'],
      ['due_notices', 'expires_at'],
    ])
      await sql(
        `UPDATE sophra_api_keys.${table} SET ${column} = ${column} + make_interval(days => $1)
         WHERE isfinite(${column})`,
        [by],
      )
    await look()
  }
  for (let to = 1; to <= 365; to += 1 + (to % 3)) {
    await goTo(to)
    // Back by up to two days, and ahead for a moment by a week.
    if (to % 10 === 0) for (const jump of [to - 2, to + 7, to]) await goTo(jump)
    if (to % 45 === 0) await restart()
  }
  const count = async (): Promise<unknown> =>
    (
      await sql(`
        SELECT type, coalesce((data ->> 'days')::integer, 0) AS days, count(*)::integer,
          count(DISTINCT data ->> 'keyId')::integer AS keys
        FROM sophra_api_keys.notices WHERE data ->> 'name' LIKE 'year %'
        GROUP BY 1, 2 ORDER BY 2`)
    ).map(({ type, days, count, keys }) => [type, days, count === keys ? count : 'repeated'])
  const within = (days: number): number => names.filter((_, i) => 40 + 8 * i - days <= 365).length
  expect(await count()).toEqual([
    ['key.expired', 0, within(0)],
    ['key.expiring', 1, within(1)],
    ['key.expiring', 7, within(7)],
    ['key.expiring', 30, within(30)],
  ])
  const all = [0, 1, 7, 30].reduce((sum, days) => sum + within(days), 0)
  const ofYear = () => receiver.arrived.filter(({ notice }) => names.includes(notice.data['name']))
  const arrived = (): Set<string> => new Set(ofYear().map(({ id }) => id))
  await eventually(() => expect(arrived().size).toBe(all), 60_000)
})

test('unused keys are told of once, and again after another use', async () => {
  const { id, key } = await createApiKey({ name: 'unused', clientId: 'c' })
  await createApiKey({ name: 'used', clientId: 'c' })
  await sql(`UPDATE "ApiKey" SET "createdAt" = now() - interval '100 days' WHERE "id" = $1`, [id])
  await sql(`SELECT sophra_api_keys.list_usage(ARRAY[$1])`, [id])
  await setWebhook({ url: receiver.url })
  await look()
  await eventually(() => expect(receiver.of('key.unused')).toHaveLength(1))
  expect(receiver.of('key.unused')).toEqual([
    { keyId: id, name: 'unused', clientId: 'c', actor: null, days: 90, lastUsedAt: null },
  ])
  await look()
  expect((await verifyApiKey(key)).valid).toBe(true)
  await flush()
  await sql(`SELECT sophra_api_keys.list_usage(ARRAY[$1])`, [id])
  await sql(`UPDATE "ApiKey" SET "lastUsedAt" = now() - interval '95 days' WHERE "id" = $1`, [id])
  await sql(`SELECT sophra_api_keys.list_usage(ARRAY[$1])`, [id])
  await look()
  await look()
  await eventually(() => expect(receiver.of('key.unused')).toHaveLength(2))
  expect(receiver.of('key.unused')[1]).toMatchObject({ lastUsedAt: expect.any(String) })
})

test('thresholds of a quota are told once a period, of keys and of clients', async () => {
  await setWebhook({ url: receiver.url, types: ['quota.threshold'] })
  const quotas = [{ name: 'calls', amount: 100, period: 'month' as const }]
  await setClient({ clientId: 'quoted', quotas: [{ ...quotas[0]!, name: 'shared', amount: 200 }] })
  const { id, key } = await createApiKey({ name: 'n', clientId: 'quoted', quotas })
  const refused = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) expect((await verifyApiKey(key)).valid).toBe(false)
    await flush()
  }
  const use = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++)
      await eventually(async () => expect((await verifyApiKey(key)).valid).toBe(true))
    await flush()
  }
  await use(79)
  expect(receiver.arrived).toHaveLength(0)
  await use(1)
  await eventually(() => expect(receiver.arrived).toHaveLength(1))
  expect(receiver.of('quota.threshold')[0]).toEqual({
    keyId: id,
    clientId: 'quoted',
    actor: null,
    name: 'calls',
    threshold: 80,
    used: 80,
    amount: 100,
  })
  await use(20)
  await refused(20)
  await eventually(() => expect(receiver.arrived).toHaveLength(3))
  expect(receiver.of('quota.threshold').map(({ threshold }) => threshold)).toEqual([80, 95, 100])
  // No flapping: a grant lowers the share, which rises again.
  await addon.grantQuota({ keyId: id, name: 'calls', amount: 100 })
  await use(100)
  await eventually(() => expect(receiver.arrived.length).toBeGreaterThanOrEqual(6))
  const shared = receiver.of('quota.threshold').filter(({ name }) => name === 'shared')
  expect(shared.map(({ threshold }) => threshold)).toEqual([80, 95, 100])
  expect(shared[0]).toMatchObject({ keyId: null, clientId: 'quoted', amount: 200 })
  expect(receiver.arrived).toHaveLength(6)
})
