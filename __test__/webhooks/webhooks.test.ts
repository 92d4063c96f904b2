import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { expectSigned, startReceiver, type Receiver } from '../support/receiver.js'
import { useAddon } from '../support/use-addon.js'

const {
  createApiKey,
  deleteApiKey,
  deleteClient,
  deleteWebhook,
  listDeliveries,
  listWebhooks,
  patchApiKey,
  redeliver,
  restoreApiKey,
  revokeApiKey,
  revokeApiKeys,
  setClient,
  setWebhook,
  updateApiKey,
} = addon

const { sql } = useAddon({ webhookAllowedNetworks: ['127.0.0.0/8'] })

let receiver: Receiver
beforeEach(async () => {
  receiver = await startReceiver()
})
afterEach(async () => {
  for (const { id } of await listWebhooks()) await deleteWebhook(id)
  await receiver.close()
})
afterAll(async () => {
  expect(await sql('SELECT * FROM sophra_api_keys.lost_notices')).toEqual([])
})

const types = (): string[] => receiver.arrived.map(({ notice }) => notice.type)

test('what happens to a key is told, in its order, with who did it', async () => {
  const { secret } = await setWebhook({ url: receiver.url })
  const actor = 'ann'
  const { id } = await createApiKey({ name: 'n', clientId: 'c' }, { actor })
  await patchApiKey({ id, name: 'm', description: 'secret', metadata: { a: 1 } }, { actor })
  await updateApiKey({ id, regenerateKey: true, gracePeriodSeconds: 60 }, { actor })
  await revokeApiKey({ id, reason: 'unused', note: 'nobody asks' }, { actor })
  await restoreApiKey(id, { actor })
  await deleteApiKey(id, { actor })
  await eventually(() => expect(types()).toHaveLength(6))
  expect(types()).toEqual([
    'key.issued',
    'key.changed',
    'key.changed',
    'key.revoked',
    'key.restored',
    'key.deleted',
  ])
  const data = receiver.arrived.map(({ notice }) => notice.data)
  for (const one of data) expect(one).toMatchObject({ keyId: id, clientId: 'c', actor })
  expect(data[0]).toEqual({ keyId: id, name: 'n', clientId: 'c', actor, changes: {} })
  expect(data[1].changes).toEqual({
    name: { before: 'n', after: 'm' },
    description: {},
    metadata: {},
  })
  expect(data[2].changes).toEqual({
    key: {},
    previousKeyExpiresAt: { before: null, after: expect.stringMatching(/^\d{4}-.*Z$/) },
  })
  expect(data[3]).toMatchObject({ reason: 'unused', note: 'nobody asks' })
  for (const arrived of receiver.arrived) {
    expectSigned(arrived, String(secret))
    expect(arrived.headers['content-type']).toBe('application/json')
    expect(new Date(arrived.notice.timestamp).getTime()).toBeGreaterThan(Date.now() - 60_000)
    expect(arrived.body).not.toMatch(/secret|argon2/)
  }
  await eventually(async () =>
    expect((await listDeliveries({ state: 'delivered' })).deliveries).toHaveLength(6),
  )
})

test('changes by other programs are told too, with nobody as the actor', async () => {
  const { id } = await createApiKey({ name: 'n', clientId: 'c' }, { actor: 'ann' })
  await setWebhook({ url: receiver.url })
  await sql(`UPDATE "ApiKey" SET "scopes" = '{a}', "expiresAt" = '2030-01-01' WHERE "id" = $1`, [
    id,
  ])
  await sql(`UPDATE "ApiKey" SET "lastUsedAt" = now(), "usageCount" = 5 WHERE "id" = $1`, [id])
  await sql(`UPDATE "ApiKey" SET "suspendedUntil" = '2030-01-01' WHERE "id" = $1`, [id])
  await sql(`DELETE FROM "ApiKey" WHERE "id" = $1`, [id])
  await eventually(() => expect(types()).toEqual(['key.changed', 'key.suspended', 'key.deleted']))
  expect(receiver.arrived[0]?.notice.data).toEqual({
    keyId: id,
    name: 'n',
    clientId: 'c',
    actor: null,
    changes: {
      scopes: { before: [], after: ['a'] },
      expiresAt: { before: null, after: '2030-01-01T00:00:00.000Z' },
    },
  })
})

test('clients and bulk revocations are told', async () => {
  await createApiKey({ name: 'n', clientId: 'bulk' })
  await createApiKey({ name: 'n', clientId: 'bulk' })
  await setWebhook({ url: receiver.url })
  await setClient({ clientId: 'bulk', name: 'B', maxKeys: 5 }, { actor: 'ann' })
  await setClient({ clientId: 'bulk', isActive: false, metadata: { a: 1 } })
  await deleteClient('bulk', { actor: 'bob' })
  const where = { clientId: 'bulk' }
  await revokeApiKeys({ where, reason: 'cessation' }, { actor: 'ann' })
  await eventually(() => expect(receiver.arrived).toHaveLength(4))
  expect(receiver.of('client.changed')).toEqual([
    {
      clientId: 'bulk',
      name: 'B',
      actor: 'ann',
      changes: { name: { before: null, after: 'B' }, maxKeys: { before: null, after: 5 } },
    },
    {
      clientId: 'bulk',
      name: 'B',
      actor: null,
      changes: { isActive: { before: true, after: false }, metadata: {} },
    },
  ])
  expect(receiver.of('client.deleted')).toMatchObject([{ clientId: 'bulk', actor: 'bob' }])
  expect(receiver.of('keys.revoked')).toEqual([
    { count: 2, reason: 'cessation', note: null, actor: 'ann' },
  ])
})

test('a webhook gets the types that it wants, while it is active', async () => {
  const { id } = await setWebhook({ url: receiver.url, types: ['key.deleted', 'key.issued'] })
  expect(await listWebhooks()).toEqual([
    {
      id,
      url: receiver.url,
      types: ['key.deleted', 'key.issued'],
      isActive: true,
      createdAt: expect.any(Date),
      updatedAt: expect.any(Date),
    },
  ])
  const key = await createApiKey({ name: 'n', clientId: 'c' })
  await patchApiKey({ id: key.id, name: 'm' })
  await deleteApiKey(key.id)
  await eventually(() => expect(types()).toEqual(['key.issued', 'key.deleted']))
  await setWebhook({ id, isActive: false })
  await createApiKey({ name: 'unheard', clientId: 'c' })
  await setWebhook({ id, isActive: true, types: null })
  await createApiKey({ name: 'heard', clientId: 'c' })
  await eventually(() => expect(receiver.of('key.issued')).toHaveLength(2))
  expect(receiver.of('key.issued').at(-1)).toMatchObject({ name: 'heard' })
})

test('what is refused is tried again, and holds back the later notices of the same key', async () => {
  await setWebhook({ url: receiver.url })
  receiver.answers.push(500, 302, 200)
  const { id } = await createApiKey({ name: 'n', clientId: 'c' })
  await patchApiKey({ id, name: 'm' })
  await createApiKey({ name: 'other', clientId: 'c' })
  await eventually(() => expect(receiver.arrived).toHaveLength(5), 30_000)
  const ofKey = receiver.arrived.filter(({ notice }) => notice.data['keyId'] === id)
  expect(ofKey.map(({ notice }) => notice.type)).toEqual(
    expect.arrayContaining(['key.issued', 'key.changed']),
  )
  expect(ofKey.at(-1)?.notice.type).toBe('key.changed')
  // The same id for each attempt.
  expect(new Set(receiver.arrived.map((arrived) => arrived.id)).size).toBe(3)
  await eventually(async () => {
    const { deliveries } = await listDeliveries()
    for (const one of deliveries.slice(0, 3)) expect(one.state).toBe('delivered')
  })
})

test('a rotated secret signs beside the one before', async () => {
  const { id, secret } = await setWebhook({ url: receiver.url })
  const rotated = await setWebhook({ id, rotateSecret: true })
  expect(rotated.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
  await createApiKey({ name: 'n', clientId: 'c' })
  await eventually(() => expect(receiver.arrived).toHaveLength(1))
  for (const one of [secret, rotated.secret]) expectSigned(receiver.arrived[0]!, String(one))
  expect(await setWebhook({ id, url: `${receiver.url}2` })).not.toHaveProperty('secret')
  expect(await listWebhooks()).toMatchObject([{ url: `${receiver.url}2`, types: null }])
})

test('a delivery can be repeated, and lists have pages', async () => {
  const { id } = await setWebhook({ url: receiver.url })
  for (let i = 0; i < 3; i++) await createApiKey({ name: `n${i}`, clientId: 'c' })
  await eventually(async () =>
    expect((await listDeliveries({ webhookId: id, state: 'delivered' })).deliveries).toHaveLength(
      3,
    ),
  )
  const first = await listDeliveries({ webhookId: id, limit: 2 })
  const last = await listDeliveries({ webhookId: id, limit: 2, cursor: first.nextCursor })
  expect(last.nextCursor).toBeNull()
  const all = [...first.deliveries, ...last.deliveries]
  expect(all).toHaveLength(3)
  expect(all[0]).toEqual({
    id: expect.stringMatching(/^\d+$/),
    webhookId: id,
    noticeId: expect.stringMatching(/^msg_[0-9a-f]{32}$/),
    type: 'key.issued',
    state: 'delivered',
    attempts: 1,
  })
  await redeliver(all[1]!.id)
  await eventually(() => expect(receiver.arrived).toHaveLength(4))
  expect(receiver.arrived[3]?.id).toBe(all[1]?.noticeId)
  expect(receiver.arrived[3]?.body).toBe(receiver.arrived[1]?.body)
  for (const unknown of ['0', '-1', '1e3', 'x', '9999999999999999999', '999999'])
    await expect(redeliver(unknown)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(deleteWebhook('nobody')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(setWebhook({ id: 'nobody', isActive: true })).rejects.toMatchObject({
    code: 'NOT_FOUND',
  })
})
