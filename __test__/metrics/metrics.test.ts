import { describe, expect, test } from 'vitest'
import { addon, untyped } from '../support/addon.js'
import { runScript } from '../support/child.js'
import { faultOf } from '../support/faults.js'
import { insertOldKey } from '../support/old-rows.js'
import { samples } from '../support/prometheus.js'
import { useSetting } from '../support/setting.js'

const { close, configure, createAdminToken, flush, metrics, patchApiKey } = addon
const { verifyAdminToken, verifyApiKey } = addon

const setting = useSetting({
  jwtSecret: 'a secret that is long enough to be one',
  // Hashes are to be counted.
  coldDigest: 'off',
})

const PREFIX = 'sophra_api_key_'
const read = (): Map<string, number> => samples(metrics())
const value = (series: string): number | undefined => read().get(PREFIX + series)

/** The metrics that count verifies and the work that they cause. */
const COUNTED = /verifications_total|lookups|duration_seconds_count|hashes|key_reads|suspensions/

/** By how much the counters of verifies rise through `action`, without those that stay. */
async function rise(action: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = read()
  await action()
  const rises = [...read()]
    .filter(([series]) => COUNTED.test(series) && !series.includes('flush'))
    .map(([series, count]) => [series.slice(PREFIX.length), count - (before.get(series) ?? 0)])
  return Object.fromEntries(rises.filter(([, rise]) => rise !== 0)) as Record<string, number>
}

const times = async (count: number, action: () => Promise<unknown>): Promise<void> => {
  for (let time = 0; time < count; time++) await action()
}

const verified = (result: string): string => `verifications_total{result="${result}"}`
const looked = (result: string): string => `cache_lookups_total{result="${result}"}`
const timed = (path: string): string => `verification_duration_seconds_count{path="${path}"}`
const cold = { [timed('database')]: 1, database_key_reads_total: 1 }

describe('verifies are counted', () => {
  test('by what they needed, cold and warm', async () => {
    const [key] = await setting.coldKeys(1)
    expect(await rise(() => verifyApiKey(key!.key))).toEqual({
      [verified('VALID')]: 1,
      [looked('miss')]: 1,
      ...cold,
      argon2_hashes_total: 1,
    })
    // One of 64 is timed.
    expect(await rise(() => times(640, () => verifyApiKey(key!.key)))).toEqual({
      [verified('VALID')]: 640,
      [looked('hit')]: 640,
      [timed('cache')]: 10,
    })
    await setting.sql(`UPDATE "ApiKey" SET "name" = 'other' WHERE "id" = $1`, [key!.id])
    await setting.caughtUp()
    expect(await rise(() => verifyApiKey(key!.key))).toEqual({
      [verified('VALID')]: 1,
      [looked('stale')]: 1,
      ...cold,
    })
  })

  test('by the reason of a refusal', async () => {
    const fields = { allowedIps: ['10.0.0.0/8'], scopes: ['a'], rateLimit: 1 }
    const [key] = await setting.warmKeys(1, fields)
    const ip = '10.0.0.1'
    const refusals = await rise(async () => {
      await times(5, () => verifyApiKey(key!.key))
      await times(4, () => verifyApiKey(key!.key, { ip, scopes: ['b'] }))
      await times(3, () => verifyApiKey(key!.key, { ip }))
      await times(2, () => verifyApiKey('junk'))
    })
    delete refusals[timed('cache')]
    expect(refusals).toEqual({
      [verified('IP_NOT_ALLOWED')]: 5,
      [verified('INSUFFICIENT_SCOPE')]: 4,
      [verified('VALID')]: 1,
      [verified('RATE_LIMITED')]: 2,
      // A text that cannot be a key is not looked up.
      [verified('INVALID_KEY')]: 2,
      [looked('hit')]: 12,
    })
  })

  test('of a key that does not exist: first from the database, then from the cache', async () => {
    // As long as there are none, strings in the shape of legacy keys need no database.
    await insertOldKey(setting.sql)
    await setting.caughtUp()
    await verifyApiKey('B'.repeat(43))
    const unknown = 'A'.repeat(43)
    const unheld = { [verified('INVALID_KEY')]: 1 }
    expect(await rise(() => verifyApiKey(unknown))).toEqual({
      ...unheld,
      [looked('miss')]: 1,
      ...cold,
    })
    const again = await rise(() => verifyApiKey(unknown))
    delete again[timed('cache')]
    expect(again).toEqual({ ...unheld, [looked('hit')]: 1 })
  })

  test('by the code of a fault', async () => {
    const faults = await rise(async () => {
      await faultOf(() => untyped.verifyApiKey!(7))
      await faultOf(() => untyped.verifyApiKey!('key', { cost: 'much' }))
      await faultOf(() => untyped.verifyAdminToken!(7))
    })
    expect(faults).toEqual({
      [verified('INVALID_INPUT')]: 2,
      [`admin_${verified('INVALID_INPUT')}`]: 1,
    })
  })

  test('of admin tokens too', async () => {
    const { token } = await createAdminToken({ name: 'Ops', permissions: ['a'] })
    const counted = await rise(async () => {
      await times(3, () => verifyAdminToken(token, { permission: 'a' }))
      await times(2, () => verifyAdminToken(token, { permission: 'b' }))
      await verifyAdminToken('nonsense')
    })
    expect(counted).toEqual({
      [`admin_${verified('VALID')}`]: 3,
      [`admin_${verified('INSUFFICIENT_PERMISSION')}`]: 2,
      [`admin_${verified('INVALID_TOKEN')}`]: 1,
    })
  })
})

test('the state of the service is shown', async () => {
  const [key] = await setting.warmKeys(1)
  await flush()
  await verifyApiKey(key!.key)
  const state = (name: string): number => value(name)!
  expect(state('database_up')).toBe(1)
  expect(state('cache_entries')).toBeGreaterThan(0)
  expect(state('cache_capacity')).toBe(100_000)
  expect(state('argon2_queue_length')).toBe(0)
  expect(state('argon2_permits')).toBeGreaterThan(0)
  expect(state('database_connections{state="idle"}')).toBeGreaterThan(0)
  expect(state('database_connections_max')).toBe(10)
  expect(state('change_log_age_seconds')).toBeLessThan(60)
  expect(state('flush_duration_seconds_count')).toBeGreaterThan(0)
  expect(state('flush_duration_seconds_sum')).toBeGreaterThan(0)
  expect(state('argon2_seconds_total')).toBeGreaterThan(0)
})

describe('before the addon has started', () => {
  const asked = `await api.verifyApiKey('x'.repeat(43)).catch(() => {}); report(api.metrics())`
  const told = async (source: string, env = {}): Promise<Map<string, number>> =>
    samples((await runScript(source, { env })).reports[0] as string)

  test('there are the counters, and nothing is said of the database', async () => {
    const first = await told('report(api.metrics())')
    const counters = [...first].filter(([series]) => !series.includes('build_info'))
    expect(counters.every(([, count]) => count === 0)).toBe(true)
    expect([...first.keys()]).toContainEqual(expect.stringMatching(/build_info\{version="\d.*"\}/))
    expect(first.has(`${PREFIX}database_up`)).toBe(false)
    expect(first.has(`${PREFIX}cache_entries`)).toBe(false)
  })

  test('a start that fails is counted', async () => {
    const unset = await told(asked)
    expect(unset.get(PREFIX + verified('CONFIGURATION'))).toBe(1)
    const away = await told(asked, { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' })
    expect(away.get(PREFIX + verified('DATABASE_UNAVAILABLE'))).toBe(1)
    expect(away.get(`${PREFIX}database_up`)).toBe(0)
  })
})

test('counters go on where they were when the addon is closed and configured anew', async () => {
  const [key] = await setting.coldKeys(1, { rateLimit: 1 })
  await close()
  const closed = read()
  expect(closed.get(`${PREFIX}argon2_hashes_total`)).toBeGreaterThan(0)
  expect(closed.has(`${PREFIX}database_up`)).toBe(false)

  configure({ ...setting.options, suspensionSeconds: 60 })
  const suspended = await rise(async () => {
    await times(3, () => verifyApiKey(key!.key))
    await flush()
  })
  delete suspended[timed('cache')]
  expect(suspended).toEqual({
    [verified('VALID')]: 1,
    [verified('RATE_LIMITED')]: 1,
    [verified('SUSPENDED')]: 1,
    [looked('miss')]: 1,
    [looked('hit')]: 2,
    ...cold,
    argon2_hashes_total: 1,
    suspensions_total: 1,
  })
  const now = read()
  const fell = [...closed].filter(
    ([series, count]) => /_total|_count|_sum|_bucket/.test(series) && now.get(series)! < count,
  )
  expect(fell).toEqual([])
  await patchApiKey({ id: key!.id, suspendedUntil: null })
})
