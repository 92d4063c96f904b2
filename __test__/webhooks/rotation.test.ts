import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { startReceiver, type Receiver } from '../support/receiver.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, deleteWebhook, flush, listWebhooks, reportLeakedKeys, setWebhook } = addon
const { settle, updateApiKey, verifyApiKey } = addon

const { sql } = useAddon({
  webhookAllowedNetworks: ['127.0.0.0/8'],
  flushIntervalMs: 3_600_000,
  ...cheapHashing,
})

const FOUND = [
  'key.rotation.first_use',
  'key.previous_still_used',
  'key.reuse_detected',
  'key.leaked',
] as const

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
const data = (): unknown[] => receiver.arrived.map(({ notice }) => notice.data)
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/)

const endGrace = (id: string, ends: string): Promise<unknown> =>
  sql(
    `UPDATE "ApiKey" SET "previousKeyExpiresAt" = now() AT TIME ZONE 'UTC' + $2::interval WHERE "id" = $1`,
    [id, ends],
  )

/** A key that is used, and the ones that replace it, each with a day and a half of grace. */
async function issue(): Promise<{
  id: string
  about: object
  old: string
  rotate(): Promise<string>
}> {
  const { id, key } = await createApiKey({ name: 'Rotated', clientId: 'c' })
  await use(key)
  return {
    id,
    about: { keyId: id, name: 'Rotated', clientId: 'c', actor: null },
    old: key,
    rotate: async () =>
      (await updateApiKey({ id, regenerateKey: true, gracePeriodSeconds: 129_600 })).key!,
  }
}

async function use(key: string): Promise<void> {
  expect(await verifyApiKey(key)).toMatchObject({ valid: true })
  await flush()
}

test('a rotation is told: the first use of the new key, and late uses of the old one', async () => {
  const { id, about, old, rotate } = await issue()
  const current = await rotate()
  await setWebhook({ url: receiver.url, types: [...FOUND] })
  await use(current)
  await use(current)
  await endGrace(id, '1 hour')
  await use(old)
  await use(old)
  await eventually(() => expect(types()).toEqual(FOUND.slice(0, 2)))
  expect(data()).toEqual([
    { ...about, currentKeyFirstUsedAt: instant },
    { ...about, previousKeyLastUsedAt: instant, previousKeyExpiresAt: instant },
  ])
})

test('a rotation is told once, also where later flushes store what limits have used', async () => {
  const { id, key } = await createApiKey({
    name: 'Limited',
    clientId: 'c',
    rateLimit: 1_000,
    rateLimitWindowSeconds: 86_400,
  })
  await use(key)
  const current = (await updateApiKey({ id, regenerateKey: true })).key!
  await setWebhook({ url: receiver.url, types: [...FOUND] })
  await use(current)
  const settled = async (): Promise<void> => {
    const { charge } = (await verifyApiKey(current, { cost: 5 })) as { charge: string }
    expect(await settle(charge, 1)).toBe(true)
    await flush()
  }
  for (let round = 0; round < 3; round++) await settled()
  await use(current)
  expect(
    await sql(`SELECT type FROM sophra_api_keys.notices WHERE data ->> 'keyId' = $1`, [id]),
  ).toEqual([{ type: 'key.rotation.first_use' }])
})

test('a replaced key that is presented after its grace period is told', async () => {
  const { id, about, old, rotate } = await issue()
  await rotate()
  await setWebhook({ url: receiver.url, types: [...FOUND] })
  await endGrace(id, '-1 second')
  await eventually(async () => {
    expect(await verifyApiKey(old, { ip: '192.0.2.7' })).toMatchObject({ valid: false })
    await flush()
    expect(types()).toEqual(['key.reuse_detected'])
  })
  expect(data()).toEqual([{ ...about, ip: '192.0.2.7' }])
})

test('a leak is told before the revocation that follows from it', async () => {
  const { id, about, old } = await issue()
  await setWebhook({ url: receiver.url })
  const leak = { key: old, url: `https://git.example/?q=${old}`, source: 'commit' }
  await reportLeakedKeys([leak], { action: 'notify', actor: 'ann' })
  await flush()
  await eventually(() => expect(types()).toEqual(['key.leaked']))
  expect(data()).toEqual([
    { ...about, actor: 'ann', action: 'notify', url: expect.any(String), source: 'commit' },
  ])
  expect(JSON.stringify(receiver.arrived)).not.toContain(old)
  await reportLeakedKeys([leak], { action: 'revoke', actor: 'ann' })
  await flush()
  await eventually(() => expect(types()).toHaveLength(3))
  expect(types().slice(1).sort()).toEqual(['key.leaked', 'key.revoked'])
  expect(id).toBeTypeOf('string')
})

test('nothing is written where no webhook wants it', async () => {
  const { old, rotate } = await issue()
  const current = await rotate()
  const written = (): Promise<unknown> => sql('SELECT max(id) FROM sophra_api_keys.notices')
  const before = await written()
  await setWebhook({ url: receiver.url, types: ['key.deleted'] })
  await use(current)
  await reportLeakedKeys([{ key: old }], { action: 'notify' })
  await flush()
  expect(await written()).toEqual(before)
})
