import { afterEach, beforeEach, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { Server } from '../support/postgres-server.js'
import { startTap, type Tap } from '../support/tap.js'

const { close, configure, createApiKey, flush, getQuota, verifyApiKey } = addon

let server: Server
let tap: Tap
beforeEach(async () => {
  server = await Server.start()
  tap = await startTap(server.url)
  configure({ databaseUrl: tap.url, ...cheapHashing })
})
afterEach(async () => {
  await close().catch(() => {})
  await tap.close()
  await server.remove()
})

const AMOUNT = 1_000
type Created = Awaited<ReturnType<typeof createApiKey>>
const create = (): Promise<Created> =>
  createApiKey({
    name: 'n',
    clientId: 'c',
    quotas: [{ name: 'calls', amount: AMOUNT, period: 'month' }],
  })
const stateOf = ({ id }: Created): ReturnType<typeof getQuota> =>
  getQuota({ keyId: id, name: 'calls' })

/** Verifies one after the other until one is not accepted: how many were, and the code of that one. */
async function passUntilRefused({ key }: Created): Promise<{ passed: number; code: string }> {
  for (let passed = 0; ; passed += 1) {
    const code = await verifyApiKey(key).then(
      ({ code }) => code,
      (fault: { code: string }) => fault.code,
    )
    if (code !== 'VALID') return { passed, code }
  }
}

async function pass({ key }: Created, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1)
    expect(await verifyApiKey(key)).toMatchObject({ valid: true })
}

test('while the database is away, what is leased may be spent, and limits go on', async () => {
  const key = await create()
  const limited = await createApiKey({ name: 'n', clientId: 'c', rateLimit: 5 })
  await pass(key, 300)
  // The process holds a part of the rest.
  await eventually(async () => expect((await stateOf(key)).withheld).toBeGreaterThan(0))
  const { withheld } = await stateOf(key)
  expect(withheld).toBeLessThanOrEqual(AMOUNT / 10)
  // Its creation is known by now.
  expect((await verifyApiKey(limited.key)).valid).toBe(true)
  tap.cut()
  await server.stop()

  const away = await passUntilRefused(key)
  expect(away.code).toBe('DATABASE_UNAVAILABLE')
  expect(away.passed).toBeGreaterThan(0)
  expect(away.passed).toBeLessThanOrEqual(AMOUNT / 10)
  expect(await passUntilRefused(key)).toEqual({ passed: 0, code: 'DATABASE_UNAVAILABLE' })
  expect((await passUntilRefused(limited)).code).toBe('RATE_LIMITED')

  await server.restart()
  tap.mend()
  await eventually(() => flush())
  const rest = await passUntilRefused(key)
  expect([300 + away.passed + rest.passed, rest.code]).toEqual([AMOUNT, 'QUOTA_EXCEEDED'])
  expect(await stateOf(key)).toMatchObject({ used: AMOUNT, remaining: 0, withheld: 0 })
})

test('an answer that never arrived is no lease that is lost', async () => {
  const key = await create()
  await pass(key, 1)
  for (let cut = 0; cut < 20; cut += 1) {
    const asked = Promise.allSettled(Array.from({ length: 60 }, () => verifyApiKey(key.key)))
    tap.cut()
    await asked
    tap.mend()
    await eventually(async () =>
      expect((await verifyApiKey(key.key, { cost: 0 })).valid).toBe(true),
    )
  }
  await eventually(() => flush())
  const before = await stateOf(key)
  expect(before).toMatchObject({ withheld: 0, remaining: AMOUNT - before.used })
  expect(await passUntilRefused(key)).toEqual({ passed: before.remaining, code: 'QUOTA_EXCEEDED' })
})

test('a database that was put back to an earlier state learns what this process has spent', async () => {
  const key = await create()
  await pass(key, 10)
  await flush()
  tap.cut()
  await server.stop()
  server.save()
  await server.restart()
  tap.mend()
  await eventually(() => pass(key, 1))
  await pass(key, 400)
  await flush()
  const { used } = await stateOf(key)
  tap.cut()
  await server.stop()
  await server.restore()
  await server.restart()
  tap.mend()
  await eventually(() => flush())
  const rest = await eventually(async () => {
    const rest = await passUntilRefused(key)
    expect(rest.code).toBe('QUOTA_EXCEEDED')
    return rest
  })
  expect(used + rest.passed).toBeLessThanOrEqual(AMOUNT)
})
