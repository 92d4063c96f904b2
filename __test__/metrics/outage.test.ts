import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { faultOf } from '../support/faults.js'
import { samples } from '../support/prometheus.js'
import { Server } from '../support/postgres-server.js'

const { close, configure, createApiKey, flush, metrics, verifyApiKey } = addon

const value = (name: string): number => samples(metrics()).get(`sophra_api_key_${name}`)!

let server: Server
beforeAll(async () => {
  server = await Server.start()
  configure({ databaseUrl: server.url, ...cheapHashing })
})
afterAll(async () => {
  await close().catch(() => {})
  await server.remove()
})

test('an outage, its end and the usage that is not yet stored are shown', async () => {
  const { key } = await createApiKey({ name: 'n', clientId: 'c' })
  const created = performance.now()
  // The creation is a change too: once it has been read, the key stays cached.
  await eventually(() => {
    const readAt = performance.now() - value('change_log_age_seconds') * 1_000
    expect(readAt).toBeGreaterThan(created)
  })
  await eventually(async () => {
    const hits = value('cache_lookups_total{result="hit"}')
    await verifyApiKey(key)
    expect(value('cache_lookups_total{result="hit"}')).toBe(hits + 1)
  })
  await flush()
  expect(value('usage_pending')).toBe(0)

  await server.stop()
  const failures = value('flush_failures_total')
  expect((await verifyApiKey(key)).valid).toBe(true)
  await eventually(async () => {
    await faultOf(() => verifyApiKey('unknown'.padEnd(43, '-')))
    expect(value('database_up')).toBe(0)
  })
  expect(value('verifications_total{result="DATABASE_UNAVAILABLE"}')).toBeGreaterThan(0)
  expect(value('usage_pending')).toBe(1)
  await eventually(() => expect(value('flush_failures_total')).toBeGreaterThan(failures))

  await server.restart()
  await eventually(() => expect(value('database_up')).toBe(1))
  await eventually(() => expect(value('usage_pending')).toBe(0))
})

test('a statement that is repeated is counted', async () => {
  const retries = value('database_retries_total')
  const client = new Client({ connectionString: server.url })
  await client.connect()
  await client.query('BEGIN; LOCK TABLE "ApiKey"')
  const verified = verifyApiKey('nobody-has-this'.padEnd(43, '-'))
  await eventually(async () => {
    const ended = await server.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE wait_event_type = 'Lock' AND query LIKE '%"lookup"%'`,
    )
    expect(ended.length).toBeGreaterThan(0)
  })
  await client.end()
  expect((await verified).code).toBe('INVALID_KEY')
  expect(value('database_retries_total')).toBeGreaterThan(retries)
})
