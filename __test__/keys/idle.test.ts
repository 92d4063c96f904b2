import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { faultOf } from '../support/faults.js'
import { startPeer, type Peer } from '../support/peer.js'
import { useAddon } from '../support/use-addon.js'

const { close, configure, createApiKey, flush, getApiKey, listApiKeys, metrics } = addon
const { patchApiKey, revokeApiKeys, restoreApiKey, updateApiKey, verifyApiKey } = addon

type Input = Parameters<typeof createApiKey>[0]
type Issued = Awaited<ReturnType<typeof createApiKey>>

const database = useAddon()

const idle = (keyId: string): object => ({
  valid: false,
  code: 'EXPIRED',
  reason: 'idle',
  status: 401,
  message: 'Invalid API key',
  keyId,
})

const create = (input: Partial<Input> = {}): Promise<Issued> =>
  createApiKey({ name: 'n', clientId: 'c', ...input })

/** As if the key had been created, and last used, so long ago. The change log says nothing of it. */
const age = (id: string, created: string, used: string | null): Promise<unknown> =>
  database.sql(
    `UPDATE "ApiKey" SET
       "createdAt" = now() AT TIME ZONE 'UTC' - $2::interval,
       "lastUsedAt" = now() AT TIME ZONE 'UTC' - $3::interval
     WHERE "id" = $1`,
    [id, created, used],
  )

async function aged(input: Partial<Input>, created: string, used: string | null): Promise<Issued> {
  const issued = await create(input)
  await age(issued.id, created, used)
  return issued
}

describe('a key that was not used for its maxIdleDays', () => {
  test('is refused as expired, warm and cold alike', async () => {
    const { id, key } = await aged({ maxIdleDays: 30 }, '40 days', '30 days 1 minute')
    for (let verify = 0; verify < 3; verify++) expect(await verifyApiKey(key)).toEqual(idle(id))
    expect(await verifyApiKey(key, { peek: true })).toEqual(idle(id))
    expect(metrics()).toContain('verifications_total{result="EXPIRED"}')
  })

  test('is accepted a moment before, and used again from then on', async () => {
    const { id, key } = await aged({ maxIdleDays: 30 }, '40 days', '29 days 23:59:58')
    expect(await verifyApiKey(key)).toMatchObject({ valid: true })
    await flush()
    await age(id, '40 days', '31 days')
    // What this process knows of the use counts.
    await patchApiKey({ id, name: 'Read again' })
    await eventually(async () =>
      expect(await verifyApiKey(key)).toMatchObject({ valid: true, name: 'Read again' }),
    )
  })

  test('counts from its creation if it was never used', async () => {
    const old = await aged({ maxIdleDays: 1 }, '1 day 1 second', null)
    expect(await verifyApiKey(old.key)).toEqual(idle(old.id))
    const fresh = await create({ maxIdleDays: 1 })
    expect(await verifyApiKey(fresh.key)).toMatchObject({ valid: true })
  })

  test('has expired by its date rather than for want of use', async () => {
    const { id, key } = await aged({ maxIdleDays: 1 }, '9 days', null)
    await patchApiKey({ id, expiresAt: new Date(Date.now() - 1_000) })
    await eventually(async () => {
      const { reason, ...rest } = (await verifyApiKey(key)) as { reason?: string }
      expect(rest).toMatchObject({ code: 'EXPIRED' })
      expect(reason).toBeUndefined()
    })
  })

  test('becomes idle in memory, and is read again before it is refused', async () => {
    const { id, key } = await aged({ maxIdleDays: 1 }, '9 days', '23:59:58.5')
    expect(await verifyApiKey(key, { peek: true })).toMatchObject({ valid: true })
    await eventually(async () => expect(await verifyApiKey(key, { peek: true })).toEqual(idle(id)))
    // Another process has used it meanwhile: only the row shows it.
    await age(id, '9 days', '0')
    await eventually(async () =>
      expect(await verifyApiKey(key, { peek: true })).toMatchObject({ valid: true }),
    )
  })

  test('is accepted again if it is given more days, or no limit', async () => {
    const { id, key } = await aged({ maxIdleDays: 1 }, '9 days', null)
    expect(await verifyApiKey(key)).toEqual(idle(id))
    await patchApiKey({ id, maxIdleDays: 10 })
    expect(await verifyApiKey(key)).toMatchObject({ valid: true })
    const other = await aged({ maxIdleDays: 1 }, '9 days', null)
    expect(await verifyApiKey(other.key)).toEqual(idle(other.id))
    await patchApiKey({ id: other.id, maxIdleDays: null })
    expect(await verifyApiKey(other.key)).toMatchObject({ valid: true })
  })

  test('is not idle any more once it is rotated', async () => {
    const { id, key: old } = await aged({ maxIdleDays: 1 }, '9 days', '5 days')
    const rotated = await updateApiKey({ id, regenerateKey: true, gracePeriodSeconds: 60 })
    expect(rotated.status).toBe('active')
    expect(await getApiKey(id)).toMatchObject({ status: 'active' })
    for (const key of [rotated.key!, old]) {
      expect(await verifyApiKey(key)).toMatchObject({ valid: true })
    }
  })

  test('is still idle after a change of another field, and after it was restored', async () => {
    const { id, key } = await aged({ maxIdleDays: 1 }, '9 days', null)
    expect(await patchApiKey({ id, name: 'Other' })).toMatchObject({ status: 'expired' })
    await revokeApiKeys({ where: { clientId: 'c', status: 'expired' } })
    expect(await getApiKey(id)).toMatchObject({ status: 'revoked' })
    expect(await restoreApiKey(id)).toMatchObject({ status: 'expired' })
    expect(await verifyApiKey(key)).toEqual(idle(id))
  })
})

test('maxIdleDays is a whole number from 1 to 3,650', async () => {
  for (const maxIdleDays of [0, -1, 3_651, 1.5, '7' as never]) {
    const fault = await faultOf(() => create({ maxIdleDays }))
    expect(fault).toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: 'maxIdleDays' }] })
  }
  for (const maxIdleDays of [1, 3_650, null]) {
    expect(await create({ maxIdleDays })).toMatchObject({ maxIdleDays })
  }
})

test('a list has idle keys among the expired ones, in every order, and not among the active', async () => {
  const clientId = 'lists'
  const made: Record<string, Issued> = {
    idle: await aged({ clientId, name: 'idle', maxIdleDays: 30 }, '90 days', '31 days'),
    never: await aged({ clientId, name: 'never', maxIdleDays: 30 }, '60 days', null),
    used: await aged({ clientId, name: 'used', maxIdleDays: 30 }, '80 days', '29 days'),
    old: await aged({ clientId, name: 'old' }, '99 days', '98 days'),
    past: await create({ clientId, name: 'past' }),
    off: await aged({ clientId, name: 'off', maxIdleDays: 30, isActive: false }, '90 days', null),
  }
  await patchApiKey({ id: made.past!.id, expiresAt: new Date(0) })
  const names = async (query: Parameters<typeof listApiKeys>[0]): Promise<string[]> =>
    (await listApiKeys({ clientId, ...query })).keys.map(({ name }) => name)
  expect(await names({ status: 'expired' })).toEqual(['past', 'never', 'idle'])
  expect(await names({ status: 'expired', order: 'asc' })).toEqual(['idle', 'never', 'past'])
  expect(await names({ status: 'expired', sort: 'name', order: 'asc' })).toEqual([
    'idle',
    'never',
    'past',
  ])
  for (const sort of ['lastUsedAt', 'expiresAt', 'usageCount'] as const) {
    expect((await names({ status: 'expired', sort })).sort()).toEqual(['idle', 'never', 'past'])
  }
  expect((await names({ status: 'active' })).sort()).toEqual(['old', 'used'])
  expect(await names({ status: 'disabled' })).toEqual(['off'])
  for (const { id } of Object.values(made)) {
    const { status, name } = (await getApiKey(id))!
    expect(await names({ status })).toContain(name)
  }
  const pages: string[] = []
  let cursor: string | null = null
  do {
    const page = await listApiKeys({ clientId, status: 'expired', limit: 1, cursor })
    pages.push(...page.keys.map(({ name }) => name))
    cursor = page.nextCursor
  } while (cursor)
  expect(pages).toEqual(['past', 'never', 'idle'])
  const where = { clientId, status: 'expired' } as const
  expect(await revokeApiKeys({ where, dryRun: true })).toEqual({ count: 3 })
  expect(await revokeApiKeys({ where })).toEqual({ count: 3 })
  expect(await names({ status: 'expired' })).toEqual([])
})

describe('with maxIdleDays configured', () => {
  beforeEach(async () => {
    await close()
    configure({ databaseUrl: database.url(), maxIdleDays: 10, ...cheapHashing })
  })
  afterAll(() => close())

  test('the fewer days count, whoever gave them', async () => {
    const expected = [
      [null, '11 days', 'expired'],
      [null, '9 days', 'active'],
      [5, '6 days', 'expired'],
      [5, '4 days', 'active'],
      [20, '11 days', 'expired'],
    ] as const
    for (const [maxIdleDays, used, status] of expected) {
      const { id, key } = await aged({ maxIdleDays, clientId: used }, '99 days', used)
      expect(await getApiKey(id)).toMatchObject({ maxIdleDays, status })
      const result = await verifyApiKey(key)
      if (status === 'expired') expect(result).toEqual(idle(id))
      else expect(result).toMatchObject({ valid: true })
      const listed = (await listApiKeys({ clientId: used, status, limit: 1 })).keys
      expect(listed).toMatchObject([{ status }])
    }
  })
})

describe('a key that another process uses', () => {
  let peer: Peer
  beforeAll(async () => {
    await close()
    configure({ databaseUrl: database.url(), ...cheapHashing })
    peer = await startPeer({ databaseUrl: database.url(), ...cheapHashing })
  })
  afterAll(() => peer.stop())

  test('is not idle here', async () => {
    const { key } = await aged({ maxIdleDays: 1 }, '9 days', '23:59:57')
    expect(await verifyApiKey(key, { peek: true })).toMatchObject({ valid: true })
    await peer.run(async ({ api }, key) => {
      await api.verifyApiKey(key)
      await api.flush()
    }, key)
    const idleAt = Date.now() + 3_500
    await eventually(async () => {
      expect(await verifyApiKey(key, { peek: true })).toMatchObject({ valid: true })
      expect(Date.now()).toBeGreaterThan(idleAt)
    })
  })
})
