import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { faultOf } from '../support/faults.js'
import { startPeer, type Peer } from '../support/peer.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, deleteApiKey, getApiKey, getClient, listApiKeys, listAuditEvents } = addon
const { patchApiKey, restoreApiKey, revokeApiKey, setClient, updateApiKey, verifyApiKey } = addon

const { sql, url } = useAddon()

let peer: Peer
beforeAll(async () => {
  await addon.migrate()
  peer = await startPeer({ databaseUrl: url(), ...cheapHashing })
})
afterAll(() => peer.stop())

const create = (more: object = {}): ReturnType<typeof createApiKey> =>
  createApiKey({ name: 'n', clientId: 'acme', ...more })
const codeOf = async (key: string): Promise<string> => (await verifyApiKey(key)).code
/** The changes of a key in the audit log, the last one first. */
const changesOf = async (keyId: string): Promise<object[]> => {
  await addon.flush()
  const { events } = await listAuditEvents({ keyId })
  return events.filter(({ type }) => type !== 'key.refused')
}

const CONFLICT = { code: 'CONFLICT', status: 409 }
const revoked = { isActive: false, revokedAt: expect.any(Date) }
const notRevoked = { revokedAt: null, revokedBy: null, revokedReason: null }

describe('a revoked key', () => {
  test('is refused as such in all processes, and says when, by whom and why', async () => {
    const { id, key } = await create()
    expect(await getApiKey(id)).toMatchObject({ isActive: true, ...notRevoked })
    expect(await codeOf(key)).toBe('VALID')
    expect(await peer.run(({ api }, key) => api.verifyApiKey(key), key)).toMatchObject({
      valid: true,
    })

    const answer = await revokeApiKey({ id, reason: 'abuse', note: 'Scraping' }, { actor: 'ann' })
    expect(answer).toMatchObject({ id, ...revoked, revokedBy: 'ann', revokedReason: 'abuse' })
    expect(await getApiKey(id)).toEqual(answer)
    expect(await verifyApiKey(key)).toEqual({
      valid: false,
      code: 'REVOKED',
      status: 401,
      message: 'Invalid API key',
      keyId: id,
    })
    await eventually(async () =>
      expect(await peer.run(({ api }, key) => api.verifyApiKey(key), key)).toMatchObject({
        code: 'REVOKED',
      }),
    )
  })

  test('takes the key with it that it has replaced', async () => {
    const { id, key: first } = await create()
    const { key: second } = await updateApiKey({
      id,
      regenerateKey: true,
      gracePeriodSeconds: 3_600,
    })
    expect(await codeOf(first)).toBe('VALID')
    await revokeApiKey({ id })
    expect([await codeOf(first), await codeOf(second!)]).toEqual(['REVOKED', 'REVOKED'])
    await restoreApiKey(id)
    expect([await codeOf(first), await codeOf(second!)]).toEqual(['VALID', 'VALID'])
  })

  test('is told as revoked even if it is disabled, expired or suspended too', async () => {
    const { id, key } = await create({ isActive: false })
    await patchApiKey({ id, expiresAt: '2020-01-01' })
    expect(await codeOf(key)).toBe('DISABLED')
    await revokeApiKey({ id })
    expect(await codeOf(key)).toBe('REVOKED')
  })

  test('is revoked for no stated reason by nobody, unless they are given', async () => {
    const { id } = await create()
    expect(await revokeApiKey({ id, reason: null, note: null })).toMatchObject({
      ...revoked,
      revokedBy: null,
      revokedReason: 'unspecified',
    })
  })

  test('gets another reason, and says still when and by whom it was revoked', async () => {
    const { id } = await create()
    const first = await revokeApiKey({ id, reason: 'unused' }, { actor: 'ann' })
    // Without a reason, it stays. The audit log has every call: the first one may have ended with an error.
    expect(await revokeApiKey({ id }, { actor: 'dan' })).toEqual(first)
    expect(await revokeApiKey({ id, note: 'Since 2024' }, { actor: 'ben' })).toEqual(first)
    const second = await revokeApiKey({ id, reason: 'compromised' }, { actor: 'cleo' })
    expect(second).toEqual({
      ...first,
      revokedReason: 'compromised',
      updatedAt: second.updatedAt,
    })
    expect(await changesOf(id)).toMatchObject([
      { type: 'key.revoked', reason: 'compromised', actor: 'cleo' },
      { type: 'key.revoked', reason: 'unused', note: 'Since 2024', actor: 'ben' },
      { type: 'key.revoked', reason: 'unused', actor: 'dan' },
      { type: 'key.revoked', reason: 'unused', actor: 'ann' },
      { type: 'key.issued' },
    ])
  })

  test('that is compromised gets no other reason, and is neither enabled nor rotated', async () => {
    const { id } = await create()
    const revoked = await revokeApiKey({ id, reason: 'compromised' })
    for (const call of [
      () => revokeApiKey({ id, reason: 'unused' }),
      () => restoreApiKey(id),
      () => patchApiKey({ id, isActive: true }),
      () => updateApiKey({ id, regenerateKey: true }),
    ])
      expect(await faultOf(call)).toMatchObject({
        ...CONFLICT,
        message: 'The key was revoked as compromised, which is final: create another one',
      })
    expect(await revokeApiKey({ id })).toEqual(revoked)
    expect(await revokeApiKey({ id, reason: 'compromised' })).toEqual(revoked)
    expect(await getApiKey(id)).toEqual(revoked)
  })

  test('can neither be enabled nor rotated, but its other fields change', async () => {
    const { id, key } = await create()
    await revokeApiKey({ id })
    const message = 'The key is revoked: restore it first'
    for (const change of [
      () => patchApiKey({ id, isActive: true }),
      () => updateApiKey({ id, isActive: true }),
      () => updateApiKey({ id, regenerateKey: true }),
    ])
      expect(await faultOf(change)).toMatchObject({ ...CONFLICT, message })
    const changed = await patchApiKey({ id, name: 'other', isActive: false })
    expect(changed).toMatchObject({ name: 'other', ...revoked })
    expect(await codeOf(key)).toBe('REVOKED')
  })

  test('stays revoked when another writer enables its row', async () => {
    const { id, key } = await create()
    await revokeApiKey({ id })
    await sql('UPDATE "ApiKey" SET "isActive" = true WHERE "id" = $1', [id])
    await eventually(async () => expect(await getApiKey(id)).toMatchObject({ isActive: true }))
    expect(await codeOf(key)).toBe('REVOKED')
  })

  test('and one that another writer has revoked is refused', async () => {
    const { id, key } = await create({ isActive: false })
    expect(await codeOf(key)).toBe('DISABLED')
    await sql('UPDATE "ApiKey" SET "revokedAt" = now() WHERE "id" = $1', [id])
    await eventually(async () => expect(await codeOf(key)).toBe('REVOKED'))
    expect(await getApiKey(id)).toMatchObject({ revokedReason: 'unspecified' })
    expect(await restoreApiKey(id)).toMatchObject({ isActive: false, ...notRevoked })
    // What it was before an earlier revocation that somebody undid by SQL is forgotten.
    await sql(`UPDATE "ApiKey" SET "wasActive" = true WHERE "id" = $1`, [id])
    await patchApiKey({ id, name: 'm' })
    await sql('UPDATE "ApiKey" SET "revokedAt" = now() WHERE "id" = $1', [id])
    expect(await restoreApiKey(id)).toMatchObject({ isActive: false, ...notRevoked })
  })

  test('is disabled again by a second call if another writer has enabled its row', async () => {
    const { id } = await create()
    await revokeApiKey({ id, reason: 'compromised' })
    await sql('UPDATE "ApiKey" SET "isActive" = true WHERE "id" = $1', [id])
    expect(await revokeApiKey({ id })).toMatchObject({ ...revoked, revokedReason: 'compromised' })
    expect(await getApiKey(id)).toMatchObject(revoked)
  })

  test('does not count towards maxKeys', async () => {
    await setClient({ clientId: 'full', maxKeys: 1 })
    const { id } = await create({ clientId: 'full' })
    expect(await faultOf(() => create({ clientId: 'full' }))).toMatchObject(CONFLICT)
    await revokeApiKey({ id })
    expect(await getClient('full')).toMatchObject({ keyCount: 0 })
    await create({ clientId: 'full' })
    expect(await faultOf(() => restoreApiKey(id))).toMatchObject({
      ...CONFLICT,
      message: expect.stringContaining('maxKeys'),
    })
    await setClient({ clientId: 'full', maxKeys: 2 })
    expect(await restoreApiKey(id)).toMatchObject(notRevoked)
    expect(await getClient('full')).toMatchObject({ keyCount: 2 })
  })

  test('is moved to a full client, and deleted', async () => {
    await setClient({ clientId: 'none', maxKeys: 0 })
    const { id, key } = await create()
    await revokeApiKey({ id })
    expect(await patchApiKey({ id, clientId: 'none' })).toMatchObject({ clientId: 'none' })
    await deleteApiKey(id)
    expect(await getApiKey(id)).toBeNull()
    expect(await codeOf(key)).toBe('INVALID_KEY')
  })
})

describe('restoring', () => {
  test('puts back what the key was', async () => {
    for (const isActive of [true, false]) {
      const { id, key } = await create({ isActive })
      const before = await getApiKey(id)
      await revokeApiKey({ id, reason: 'cessation' })
      await revokeApiKey({ id, reason: 'unused' })
      const restored = await restoreApiKey(id, { actor: 'ann' })
      expect(restored).toEqual({ ...before, updatedAt: restored.updatedAt })
      expect(await codeOf(key)).toBe(isActive ? 'VALID' : 'DISABLED')
      expect((await changesOf(id))[0]).toMatchObject({
        type: 'key.restored',
        actor: 'ann',
        changes: {
          revokedAt: { before: expect.any(Date), after: null },
          revokedReason: { before: 'unused', after: null },
        },
      })
    }
  })

  test('leaves a key as it is that is not revoked', async () => {
    const { id } = await create()
    const before = await getApiKey(id)
    expect(await restoreApiKey(id)).toEqual(before)
    expect(await changesOf(id)).toHaveLength(1)
  })
})

test('what cannot be revoked or restored is told', async () => {
  const { id } = await create()
  for (const call of [() => revokeApiKey({ id: 'nobody' }), () => restoreApiKey('nobody')])
    expect(await faultOf(call)).toMatchObject({ code: 'NOT_FOUND', status: 404 })
  for (const [input, path] of [
    [{}, 'id'],
    [{ id, reason: 'because' }, 'reason'],
    [{ id, reason: 1 }, 'reason'],
    [{ id, note: 'x'.repeat(256) }, 'note'],
    [{ id, note: 'two\nlines' }, 'note'],
    [{ id, until: 'tomorrow' }, 'until'],
  ] as const) {
    const fault = await faultOf(() => revokeApiKey(input as never))
    expect(fault).toMatchObject({ code: 'INVALID_INPUT', issues: [{ path }] })
  }
  expect(await getApiKey(id)).toMatchObject(notRevoked)
})

test('concurrent changes leave a key either revoked or restored, and nothing between', async () => {
  const { id, key } = await create()
  await Promise.all(
    Array.from({ length: 40 }, (_, index) => {
      if (index % 4 === 0) return restoreApiKey(id)
      if (index % 4 === 1)
        return peer.run(({ api }, id) => api.revokeApiKey({ id, reason: 'unused' }), id)
      if (index % 4 === 2) return patchApiKey({ id, name: `n${index}` })
      return revokeApiKey({ id, reason: 'superseded' })
    }),
  )
  const { revokedAt, isActive } = (await getApiKey(id))!
  expect(isActive).toBe(revokedAt === null)
  await eventually(async () => expect(await codeOf(key)).toBe(isActive ? 'VALID' : 'REVOKED'))
  await restoreApiKey(id)
  expect(await getApiKey(id)).toMatchObject({ isActive: true, ...notRevoked })
  expect(await listApiKeys({ isActive: true })).toMatchObject({
    keys: expect.arrayContaining([expect.objectContaining({ id })]),
  })
})
