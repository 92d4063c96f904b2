import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { faultOf } from '../support/faults.js'
import { startPeer, type Peer } from '../support/peer.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, deleteApiKey, deleteClient, getApiKey, getClient } = addon
const { patchApiKey, setClient, updateApiKey, verifyApiKey } = addon

const { sql, url } = useAddon()

let peer: Peer
beforeAll(async () => {
  await addon.migrate()
  // As behind a pooler, where each operation is a transaction.
  peer = await startPeer({ databaseUrl: `${url()}?pgbouncer=true`, ...cheapHashing })
})
afterAll(() => peer.stop())

let clients = 0
/** A client of its own, which may have so many keys. */
async function clientOf(maxKeys: number | null): Promise<string> {
  const clientId = `client-${++clients}`
  await setClient({ clientId, maxKeys })
  return clientId
}
const create = (clientId: string, more: object = {}): ReturnType<typeof createApiKey> =>
  createApiKey({ name: 'n', clientId, ...more })
const countOf = async (clientId: string): Promise<number> =>
  (await sql('SELECT FROM "ApiKey" WHERE "clientId" = $1', [clientId])).length

async function expectFull(call: () => unknown): Promise<void> {
  const fault = await faultOf(call)
  expect(fault).toMatchObject({
    code: 'CONFLICT',
    status: 409,
    message:
      'The client has as many keys as its maxKeys permits: delete or revoke one, or raise maxKeys',
  })
  expect(fault.keyId).toBeUndefined()
  expect(fault.issues).toBeUndefined()
}

describe('a creation', () => {
  test('is refused when the client is full, and leaves nothing behind', async () => {
    const clientId = await clientOf(2)
    const keys = [await create(clientId), await create(clientId)]
    await expectFull(() => create(clientId))
    await expectFull(() => create(clientId, { idempotencyKey: randomUUID() }))
    expect(await countOf(clientId)).toBe(2)
    const [used] = await sql('SELECT count(*)::integer FROM sophra_api_keys.idempotency_keys')
    expect(used).toEqual({ count: 0 })
    for (const { key } of keys) expect(await verifyApiKey(key)).toMatchObject({ valid: true })
  })

  test('is refused from the first on with 0', async () => {
    const clientId = await clientOf(0)
    await expectFull(() => create(clientId))
  })

  test('finds room in the place of a deleted key, and none in that of a disabled or expired one', async () => {
    const clientId = await clientOf(2)
    const [first, second] = [await create(clientId), await create(clientId)]
    await patchApiKey({ id: first.id, isActive: false })
    await patchApiKey({ id: second.id, expiresAt: '2020-01-01' })
    await expectFull(() => create(clientId))
    await deleteApiKey(first.id)
    await create(clientId)
    await expectFull(() => create(clientId))
  })

  test('follows a change of maxKeys, and keys beyond it stay', async () => {
    const clientId = await clientOf(null)
    const keys = [await create(clientId), await create(clientId), await create(clientId)]
    expect(await setClient({ clientId, maxKeys: 1 })).toMatchObject({ maxKeys: 1, keyCount: 3 })
    await expectFull(() => create(clientId))
    for (const { key } of keys) expect(await verifyApiKey(key)).toMatchObject({ valid: true })
    // One that is there can be changed and rotated.
    expect(await patchApiKey({ id: keys[0]!.id, name: 'Renamed', clientId })).toMatchObject({
      name: 'Renamed',
    })
    await updateApiKey({ id: keys[0]!.id, clientId, regenerateKey: true })
    await setClient({ clientId, maxKeys: 4 })
    await create(clientId)
    await expectFull(() => create(clientId))
    await setClient({ clientId, maxKeys: null })
    await create(clientId)
    await setClient({ clientId, maxKeys: 0 })
    await deleteClient(clientId)
    await create(clientId)
  })

  test('is not counted for the parent, whose maxKeys is its own', async () => {
    const parentId = await clientOf(0)
    const clientId = await clientOf(1)
    await setClient({ clientId, parentId })
    await create(clientId)
    expect(await getClient(parentId)).toMatchObject({ keyCount: 0 })
  })
})

describe('with an idempotency key', () => {
  test('a repeated creation is answered with the same key when the client is full', async () => {
    const clientId = await clientOf(1)
    const idempotencyKey = randomUUID()
    const first = await create(clientId, { idempotencyKey })
    expect(await create(clientId, { idempotencyKey })).toEqual(first)
    await expectFull(() => create(clientId, { idempotencyKey: randomUUID() }))
    const other = await faultOf(() => create(clientId, { idempotencyKey, name: 'other' }))
    expect(other).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' })
    // In another process the plaintext is not known.
    const there = peer.run(({ api }, input) => api.createApiKey(input), {
      name: 'n',
      clientId,
      idempotencyKey,
    })
    await expect(there).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining(first.id),
    })
    expect(await countOf(clientId)).toBe(1)
  })

  test('a creation that was refused can be repeated when there is room', async () => {
    const clientId = await clientOf(0)
    const idempotencyKey = randomUUID()
    await expectFull(() => create(clientId, { idempotencyKey }))
    await setClient({ clientId, maxKeys: 1 })
    const first = await create(clientId, { idempotencyKey })
    expect(await create(clientId, { idempotencyKey })).toEqual(first)
    expect(await countOf(clientId)).toBe(1)
  })

  test('a use of yesterday does not stand for a key', async () => {
    const clientId = await clientOf(1)
    const idempotencyKey = randomUUID()
    await create(clientId, { idempotencyKey })
    await sql(`UPDATE sophra_api_keys.idempotency_keys SET used_at = now() - INTERVAL '25 hours'`)
    await expectFull(() => create(clientId, { idempotencyKey }))
  })

  test('sixteen at the same time make one key of the last place', async () => {
    const clientId = await clientOf(1)
    const input = { idempotencyKey: randomUUID() }
    const issued = await Promise.all(Array.from({ length: 16 }, () => create(clientId, input)))
    expect(new Set(issued.map(({ key }) => key)).size).toBe(1)
    expect(await countOf(clientId)).toBe(1)
  })
})

describe('a key that is moved to another client', () => {
  const moves = {
    updateApiKey: (id: string, clientId: string) => updateApiKey({ id, clientId }),
    patchApiKey: (id: string, clientId: string) => patchApiKey({ id, clientId }),
    'updateApiKey that rotates': (id: string, clientId: string) =>
      updateApiKey({ id, clientId, regenerateKey: true, gracePeriodSeconds: 60 }),
  }
  test.each(Object.entries(moves))('needs room there: %s', async (_name, move) => {
    const [from, to] = [await clientOf(1), await clientOf(1)]
    const moved = await create(from)
    const there = await create(to)
    const before = await getApiKey(moved.id)
    await expectFull(() => move(moved.id, to))
    // Nothing of the change was made.
    expect(await getApiKey(moved.id)).toEqual(before)
    expect(await verifyApiKey(moved.key)).toMatchObject({ valid: true, clientId: from })
    await deleteApiKey(there.id)
    expect(await move(moved.id, to)).toMatchObject({ clientId: to })
    await expectFull(() => create(to))
    // Its place is free again.
    await create(from)
    await expectFull(() => move(moved.id, from))
    // A client without settings has room for any number.
    expect(await move(moved.id, 'without settings')).toMatchObject({ clientId: 'without settings' })
  })
})

/** How many of the calls succeed; all others must be refused because the client is full. */
async function successes(calls: Promise<unknown>[]): Promise<number> {
  const ends = await Promise.allSettled(calls)
  const refused = ends.filter((end) => end.status === 'rejected')
  for (const { reason } of refused) expect(reason).toMatchObject({ code: 'CONFLICT' })
  return ends.length - refused.length
}
const times = (count: number, call: (number: number) => Promise<unknown>): Promise<unknown>[] =>
  Array.from({ length: count }, (_, number) => call(number))
const createThere = (clientId: string): Promise<unknown> =>
  peer.run(({ api }, id) => api.createApiKey({ name: 'n', clientId: id }), clientId)

describe('at the same time', () => {
  test('50 creations at maxKeys 10 make exactly 10 keys', async () => {
    const clientId = await clientOf(10)
    expect(await successes(times(50, () => create(clientId)))).toBe(10)
    expect(await countOf(clientId)).toBe(10)
  })

  test('50 creations in two processes at maxKeys 10 make exactly 10 keys', async () => {
    const clientId = await clientOf(10)
    const calls = times(50, (n) => (n % 2 ? create(clientId) : createThere(clientId)))
    expect(await successes(calls)).toBe(10)
    expect(await countOf(clientId)).toBe(10)
  })

  test('moves and creations in two processes share the places', async () => {
    const [from, to] = [await clientOf(null), await clientOf(5)]
    const keys = await Promise.all(Array.from({ length: 10 }, () => create(from)))
    const calls = [
      ...keys.map(({ id }) => patchApiKey({ id, clientId: to })),
      ...times(10, () => createThere(to)),
      ...times(10, () => create(to)),
    ]
    expect(await successes(calls)).toBe(5)
    expect(await countOf(to)).toBe(5)
  })

  test('a place that is freed is taken once', async () => {
    const clientId = await clientOf(3)
    const keys = [await create(clientId), await create(clientId), await create(clientId)]
    for (const { id } of keys) {
      const deleted = deleteApiKey(id)
      const made = await successes(
        times(6, (n) => (n % 2 ? create(clientId) : createThere(clientId))),
      )
      await deleted
      expect(made).toBeLessThanOrEqual(1)
      if (made === 0) await create(clientId)
      expect(await countOf(clientId)).toBe(3)
    }
  })

  test('a client without settings is no bottleneck, nor is one without maxKeys', async () => {
    const clientId = await clientOf(null)
    expect(await successes(times(30, (n) => create(n % 2 ? clientId : 'free')))).toBe(30)
  })
})
