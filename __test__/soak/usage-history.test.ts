import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { printTimes } from '../support/times.js'
import { useSetting, type Issued } from '../support/setting.js'

const { flush, getUsage, exportUsage, verifyApiKey } = addon

const setting = useSetting({ flushIntervalMs: 600_000, usageIntervalMaxMs: 300_000 })

const HOUR = 3_600_000
const DAYS = 30
const KEYS = 2_000
const CLIENTS = 100
/** Combinations of tag and outcome of each key in each hour: 10,080,000 rows in all. */
const GROUPS = 7

/** Hours as they are once they are closed, of all keys and of the sums above them. */
async function fill(): Promise<void> {
  const { sql } = setting
  const series = `INSERT INTO sophra_api_keys.usage_series (level, key_id, client_id, tag, outcome)`
  const groups = `generate_series(0, ${GROUPS - 1}) AS t`
  const outcome = `CASE t WHEN 0 THEN 'RATE_LIMITED' ELSE 'VALID' END`
  await sql(
    `${series} SELECT 'key', 'key-' || k, 'client-' || k % ${CLIENTS}, '/' || t, ${outcome}
     FROM generate_series(1, ${KEYS}) AS k, ${groups}`,
  )
  await sql(
    `${series} SELECT 'client', '', 'client-' || c, '/' || t, ${outcome}
     FROM generate_series(0, ${CLIENTS - 1}) AS c, ${groups}`,
  )
  await sql(`${series} SELECT 'all', '', '', '/' || t, ${outcome} FROM ${groups}`)
  await sql(
    `${series} SELECT DISTINCT level || '_sum', key_id, client_id, '', '' FROM sophra_api_keys.usage_series`,
  )
  const hours = `generate_series(now_hour - interval '${DAYS} days', now_hour - interval '1 hour', interval '1 hour')`
  for (const [table, condition] of [
    ['usage_hours', `level = 'key'`],
    ['usage_rollups', `level <> 'key'`],
  ]) {
    await sql(
      `INSERT INTO sophra_api_keys.${table} (series_id, hour, count, cost)
       SELECT id, hour, 10, 20
       FROM (SELECT to_timestamp(floor(extract(epoch FROM now()) / 3600) * 3600) AS now_hour) AS now,
         LATERAL ${hours} AS hour, sophra_api_keys.usage_series
       WHERE ${condition} ORDER BY hour, id`,
    )
    await sql(`VACUUM ANALYZE sophra_api_keys.${table}`)
  }
  await sql(`VACUUM ANALYZE sophra_api_keys.usage_series`)
}

async function times(count: number, call: (round: number) => Promise<unknown>): Promise<number[]> {
  const times: number[] = []
  for (let round = 0; round < count; round++) {
    const start = performance.now()
    await call(round)
    times.push(performance.now() - start)
  }
  return times
}

const flushes = (keys: Issued[]): Promise<number[]> =>
  times(20, async () => {
    for (const { key } of keys) await verifyApiKey(key)
    await flush()
  })

test('10,000,000 hours', { timeout: 30 * 60_000 }, async () => {
  const keys = await setting.warmKeys(1_000)
  await flush()
  printTimes('1,000 verifies and a flush, no usage', await flushes(keys))
  await fill()
  printTimes('1,000 verifies and a flush, 10,000,000 hours', await flushes(keys))

  const range = { from: new Date(Date.now() - DAYS * 24 * HOUR), to: new Date() }
  for (const bucket of ['day', 'hour'] as const) {
    const of = (fields: object) => getUsage({ ...range, bucket, ...fields })
    const key = (round: number) => of({ keyId: `key-${1 + round}` })
    const client = (round: number) => of({ clientId: `client-${round}` })
    const [first] = await key(0)
    expect(first!.count).toBeGreaterThan(0)
    printTimes(`30 days of a key, by ${bucket} (aim 5 ms)`, await times(50, key))
    printTimes(`30 days of a client, by ${bucket} (aim 20 ms)`, await times(50, client))
    printTimes(`30 days of all keys, by ${bucket}`, await times(10, () => of({})))
  }
  const groupBy = ['tag' as const, 'outcome' as const]
  printTimes(
    '30 days of a client, by day, tag and outcome',
    await times(50, (round) =>
      getUsage({ ...range, bucket: 'day', clientId: `client-${round}`, groupBy }),
    ),
  )
  let after: string | undefined
  printTimes(
    'an export of 1,000 rows',
    await times(50, async () => {
      after = (await exportUsage({ after })).at(-1)!.id
    }),
  )
})
