import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { faultOf, invalidFields } from '../support/faults.js'
import { startPeer, type Peer } from '../support/peer.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, deleteApiKey, listAuditEvents, flush, updateApiKey, verifyApiKey } = addon

const { sql, url } = useAddon({ defaultTtlDays: 30 })

const input = (
  fields: object = {},
): { name: string; clientId: string; idempotencyKey: string } => ({
  name: 'n',
  clientId: 'c',
  idempotencyKey: randomUUID(),
  ...fields,
})
const rows = (): Promise<number> => sql('SELECT 1 FROM "ApiKey"').then(({ length }) => length)

describe('a creation that is repeated with its idempotency key', () => {
  test('answers with the same key, and makes no second one', async () => {
    const wanted = input({ metadata: { plan: 'pro' }, scopes: ['docs:read'] })
    const first = await createApiKey(wanted)
    const before = await rows()
    expect(await createApiKey(wanted)).toEqual(first)
    expect(await rows()).toBe(before)
    expect((await verifyApiKey(first.key)).valid).toBe(true)
    await flush()
    const { events } = await listAuditEvents({ keyId: first.id })
    expect(events.map(({ type }) => type)).toEqual(['key.issued'])
  })

  test('makes one key, however many come at the same time', async () => {
    const wanted = input()
    const before = await rows()
    const issued = await Promise.all(Array.from({ length: 16 }, () => createApiKey(wanted)))
    expect(new Set(issued.map(({ key }) => key)).size).toBe(1)
    expect(await rows()).toBe(before + 1)
  })

  test('is refused with another input', async () => {
    const wanted = input()
    await createApiKey(wanted)
    const before = await rows()
    const fault = await faultOf(() => createApiKey({ ...wanted, rateLimit: 5 }))
    expect(fault).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED', status: 422 })
    expect(await rows()).toBe(before)
  })

  test('takes an absent field for one at its default', async () => {
    const wanted = input()
    const { key } = await createApiKey(wanted)
    expect((await createApiKey({ ...wanted, isActive: null, scopes: [] })).key).toBe(key)
  })

  test('is another creation with another idempotency key, or by another actor', async () => {
    const wanted = input()
    const { key } = await createApiKey(wanted, { actor: 'ann' })
    expect((await createApiKey(wanted, { actor: 'ann' })).key).toBe(key)
    const others = [
      await createApiKey(wanted, { actor: 'bob' }),
      await createApiKey(wanted),
      await createApiKey({ ...wanted, idempotencyKey: randomUUID() }, { actor: 'ann' }),
    ]
    expect(new Set([key, ...others.map((other) => other.key)]).size).toBe(4)
  })

  test('is a conflict once the key was rotated or deleted', async () => {
    const wanted = input()
    const { id } = await createApiKey(wanted)
    const conflict = { code: 'CONFLICT', status: 409, keyId: id }
    await updateApiKey({ id, regenerateKey: true })
    expect(await faultOf(() => createApiKey(wanted))).toMatchObject(conflict)
    await deleteApiKey(id)
    expect(await faultOf(() => createApiKey(wanted))).toMatchObject(conflict)
  })

  test('is a new one after a day', async () => {
    const wanted = input()
    const { key } = await createApiKey(wanted)
    const later = `UPDATE sophra_api_keys.idempotency_keys SET used_at = now() - INTERVAL '25 hours'`
    await sql(later)
    expect((await createApiKey(wanted)).key).not.toBe(key)
  })

  test('stores neither the idempotency key nor the input', async () => {
    const idempotencyKey = 'hunter2-'.repeat(8)
    await createApiKey(input({ idempotencyKey, name: 'hunter2' }))
    const stored = await sql(
      `SELECT encode(digest, 'escape') || encode(input, 'escape') AS text
       FROM sophra_api_keys.idempotency_keys`,
    )
    expect(JSON.stringify(stored)).not.toContain('hunter2')
  })
})

test.each(['', 'x'.repeat(256), 'a\nb', 'a b', 'schlüssel', 5, {}])(
  '%j is no idempotency key',
  async (value) => {
    const ask = (): unknown => createApiKey(input({ idempotencyKey: value }))
    expect(await invalidFields(ask)).toEqual(['idempotencyKey'])
  },
)

describe('in another process', () => {
  let peer: Peer
  beforeAll(async () => {
    peer = await startPeer({ databaseUrl: url(), ...cheapHashing })
  })
  afterAll(() => peer.stop())

  test('the key is known, but not its plaintext', async () => {
    const wanted = input()
    const { id } = await peer.run(({ api }, wanted) => api.createApiKey(wanted), wanted)
    const before = await rows()
    const fault = await faultOf(() => createApiKey(wanted))
    expect(fault).toMatchObject({ code: 'CONFLICT', status: 409, keyId: id })
    expect(fault.message).toContain(id)
    expect(await rows()).toBe(before)
  })
})
