import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { faultOf } from '../support/faults.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, deleteApiKey, deleteClient, getApiKey, getClient, patchApiKey, setClient } =
  addon

const { sql } = useAddon()

const everything = {
  name: 'Acme, Inc.',
  isActive: false,
  metadata: { plan: 'pro', seats: 3, nested: { list: [1, 'two', null, true] } },
  allowedIps: ['10.0.0.0/8', '2001:db8::1'],
  limits: [
    { name: 'default', limit: 100, windowSeconds: 60 },
    { name: 'tokens', limit: 5_000, windowSeconds: 86_400, suspends: true },
  ],
  quotas: [
    { name: 'default', amount: 0, period: 'day' as const, timeZone: 'Europe/Oslo' },
    { name: 'tokens', amount: 1e12, period: 'week' as const, timeZone: 'UTC', anchorDay: 7 },
  ],
  maxKeys: 25,
}

const defaults = {
  name: null,
  isActive: true,
  metadata: null,
  allowedIps: [],
  limits: [],
  quotas: [],
  maxKeys: null,
  parentId: null,
  keyCount: 0,
}

describe('setClient', () => {
  test('fills in the defaults of a new client', async () => {
    const before = Date.now()
    const { createdAt, updatedAt, ...rest } = await setClient({ clientId: 'minimal' })
    expect(rest).toEqual({ ...defaults, clientId: 'minimal' })
    expect(createdAt).toBeInstanceOf(Date)
    expect(updatedAt).toEqual(createdAt)
    expect(createdAt.getTime()).toBeGreaterThanOrEqual(before - 1)
    expect(createdAt.getTime()).toBeLessThanOrEqual(Date.now() + 1)
  })

  test('stores every field', async () => {
    await setClient({ clientId: 'above' })
    const set = await setClient({ clientId: 'full', parentId: 'above', ...everything })
    expect(set).toMatchObject({ clientId: 'full', parentId: 'above', keyCount: 0, ...everything })
    expect(await getClient('full')).toEqual(set)
  })

  test('keeps what is absent, and the instant of its creation', async () => {
    await setClient({ clientId: 'above' })
    const first = await setClient({ clientId: 'kept', parentId: 'above', ...everything })
    const second = await setClient({ clientId: 'kept', isActive: undefined })
    expect(second).toEqual({ ...first, updatedAt: expect.any(Date) })
    const third = await setClient({ clientId: 'kept', name: 'Another', maxKeys: 0 })
    expect(third).toEqual({ ...second, name: 'Another', maxKeys: 0, updatedAt: expect.any(Date) })
    expect(third.updatedAt.getTime()).toBeGreaterThanOrEqual(first.updatedAt.getTime())
    expect(await getClient('kept')).toEqual(third)
  })

  test('clears what is null', async () => {
    await setClient({ clientId: 'above' })
    await setClient({ clientId: 'cleared', parentId: 'above', ...everything })
    const cleared = await setClient({
      clientId: 'cleared',
      name: null,
      metadata: null,
      allowedIps: null,
      limits: null,
      quotas: null,
      maxKeys: null,
      parentId: null,
    })
    expect(cleared).toMatchObject({ ...defaults, isActive: false })
    expect(await getClient('cleared')).toEqual(cleared)
  })

  test('keeps numbers, texts and names of metadata as they are', async () => {
    const metadata = { '': 0, __proto_: [1e21, -1.5e-7, 2 ** 53], 'ключ "\\': '\u2028😀\n' }
    await setClient({ clientId: 'exact', metadata })
    expect((await getClient('exact'))!.metadata).toEqual(metadata)
  })

  test('takes any text as an id, and tells letters of another case apart', async () => {
    const ids = [
      'Case',
      'case',
      'с пробелом',
      "'; DROP TABLE clients; --",
      '%',
      '_',
      '🔑',
      'x'.repeat(255),
    ]
    for (const clientId of ids)
      await setClient({ clientId, name: `name of ${clientId}`.slice(0, 255) })
    for (const clientId of ids) {
      expect(await getClient(clientId)).toMatchObject({
        clientId,
        name: `name of ${clientId}`.slice(0, 255),
      })
    }
  })
})

describe('keyCount', () => {
  test('counts keys in any state, until they are deleted or moved', async () => {
    const clientId = 'counted'
    const keys = []
    for (const name of ['active', 'disabled', 'expired', 'moved'])
      keys.push(await createApiKey({ name, clientId }))
    const [active, disabled, expired, moved] = keys.map(({ id }) => id) as [
      string,
      string,
      string,
      string,
    ]
    await patchApiKey({ id: disabled, isActive: false })
    await patchApiKey({ id: expired, expiresAt: '2020-01-01' })
    // A client that is set when it has keys already.
    expect((await setClient({ clientId })).keyCount).toBe(4)
    expect((await setClient({ clientId })).keyCount).toBe(4)
    await patchApiKey({ id: moved, clientId: 'elsewhere' })
    expect((await getClient(clientId))!.keyCount).toBe(3)
    await deleteApiKey(active)
    expect((await getClient(clientId))!.keyCount).toBe(2)
    const { clients } = await addon.listClients({ search: clientId })
    expect(clients).toMatchObject([{ clientId, keyCount: 2 }])
  })
})

describe('getClient', () => {
  test('answers null for a client without settings, although it has keys', async () => {
    await createApiKey({ name: 'n', clientId: 'bare' })
    expect(await getClient('bare')).toBeNull()
    expect(await getClient('never heard of')).toBeNull()
  })
})

describe('deleteClient', () => {
  test('deletes the settings, and leaves the keys', async () => {
    const { id } = await createApiKey({ name: 'n', clientId: 'deleted' })
    await setClient({ clientId: 'deleted', ...everything })
    expect(await deleteClient('deleted')).toBeUndefined()
    expect(await getClient('deleted')).toBeNull()
    expect(await getApiKey(id)).toMatchObject({ clientId: 'deleted' })
    // Nothing is left of them.
    expect(await setClient({ clientId: 'deleted' })).toMatchObject({ ...defaults, keyCount: 1 })
  })

  test('refuses a client that has no settings', async () => {
    const missing = { code: 'NOT_FOUND', status: 404, message: 'Client not found' }
    expect(await faultOf(() => deleteClient('nobody'))).toMatchObject(missing)
    await setClient({ clientId: 'once' })
    await deleteClient('once')
    expect(await faultOf(() => deleteClient('once'))).toMatchObject(missing)
  })

  test('refuses a client that is a parent, until it is none', async () => {
    await setClient({ clientId: 'mother' })
    await setClient({ clientId: 'child', parentId: 'mother' })
    const fault = await faultOf(() => deleteClient('mother'))
    expect(fault).toMatchObject({ code: 'CONFLICT', status: 409 })
    expect(fault.keyId).toBeUndefined()
    expect(await getClient('mother')).not.toBeNull()
    await setClient({ clientId: 'child', parentId: null })
    await deleteClient('mother')
    expect(await sql(`SELECT FROM sophra_api_keys.clients WHERE client_id = 'mother'`)).toEqual([])
  })
})
