import { setImmediate as immediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { faultOf } from '../support/faults.js'
import { listeners } from '../support/scenarios/revalidated.js'
import { refusalOf } from '../support/refusal.js'
import { useSetting } from '../support/setting.js'
import { printTimes } from '../support/times.js'

const { close, configure, createApiKey, verifyApiKey } = addon

const setting = useSetting()

const TRIES = 60
/** Ten times what it takes to read the log once a second. */
const READ_MS = 10_000

/** Revokes many keys, spread over more than a second, and tells how long each was still accepted. */
async function revocations(meanwhile: () => Promise<unknown>): Promise<number[]> {
  const keys = await setting.warmKeys(TRIES)
  const times: Promise<number>[] = []
  for (const { id, key } of keys) {
    await meanwhile()
    expect((await verifyApiKey(key)).valid).toBe(true)
    times.push(refusalOf(key, performance.now()))
    await setting.sql(`UPDATE "ApiKey" SET "isActive" = false WHERE "id" = $1`, [id])
    // They must not all fall between the same two reads.
    const next = performance.now() + 20
    while (performance.now() < next) await immediate()
  }
  return Promise.all(times)
}

test('a listener that is killed again and again costs no more than the next read of the log', async () => {
  let killed = 0
  const times = await revocations(async () => {
    for (const pid of await listeners(setting)) {
      await setting.sql(`SELECT pg_terminate_backend($1)`, [pid])
      killed++
    }
  })
  expect(killed).toBeGreaterThan(5)
  printTimes('UPDATE elsewhere, with the listener killed, until it is refused here', times)
  expect(Math.max(...times)).toBeLessThan(READ_MS)
})

test('a listener that was killed comes back', async () => {
  const before = await listeners(setting)
  for (const pid of before) await setting.sql(`SELECT pg_terminate_backend($1)`, [pid])
  await expect
    .poll(() => listeners(setting), { timeout: 10_000 })
    .toSatisfy(
      (after: number[]) =>
        after.length === before.length && after.every((pid) => !before.includes(pid)),
    )
})

/** Somebody listens who did not before. */
const expectNewListener = (before: number[]): Promise<void> =>
  eventually(async () => {
    const after = await listeners(setting)
    expect(after.filter((pid) => !before.includes(pid))).not.toEqual([])
  }, 120_000)

test('a listener whose connection a firewall has forgotten is replaced', async () => {
  const before = await listeners(setting)
  setting.tap.forget(/^LISTEN/)
  await expectNewListener(before)
}, 150_000)

test('a primary that has become read-only is left, by the listener too', async () => {
  const [{ name }] = (await setting.sql('SELECT current_database() AS name')) as [{ name: string }]
  const setReadOnly = (value: 'on' | 'off') =>
    setting.sql(
      `BEGIN READ WRITE; ALTER DATABASE "${name}" SET default_transaction_read_only = ${value}; COMMIT`,
    )
  /** New connections are as the database is now. */
  const endConnections = () =>
    setting.sql(
      `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'sophra-api-keys'`,
    )
  const stood = await listeners(setting)
  await setReadOnly('on')
  await endConnections()
  await expectNewListener(stood)
  const before = await listeners(setting)
  const create = () => createApiKey({ name: 'n', clientId: 'c' })
  expect(await faultOf(create)).toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
  await expectNewListener(before)
  await setReadOnly('off')
  await eventually(async () => expect(await create()).toMatchObject({ name: 'n' }))
  // The other process may keep connections that are read-only still.
  await endConnections()
  await eventually(() => setting.coldKeys(TRIES))
})

describe('behind a pooler, without a direct URL', () => {
  test('a revocation elsewhere costs no more than the next read of the log', async () => {
    await close()
    const url = new URL(setting.tap.url)
    url.searchParams.set('pgbouncer', 'true')
    configure({ databaseUrl: url.href, suspensionSeconds: 0, ...cheapHashing })
    await verifyApiKey('nonsense, but long enough for a key')
    const mark = setting.tap.statements.length
    const times = await revocations(async () => {})
    printTimes('UPDATE elsewhere, without a listener, until it is refused here', times)
    expect(Math.max(...times)).toBeLessThan(READ_MS)
    expect(setting.tap.statements.slice(mark).filter((text) => /listen/i.test(text))).toEqual([])
  })

  test('a warm key still costs no statement', async () => {
    const [warm] = await setting.warmKeys(1)
    const cost = await setting.cost(async () => {
      for (let time = 0; time < 10_000; time++) await verifyApiKey(warm!.key)
    })
    expect(cost).toEqual({ selects: 0, hashes: 0, statements: [] })
  })
})
