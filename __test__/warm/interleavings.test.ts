import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { othersRevocations, ownRevocations } from '../support/scenarios/interleavings.js'
import { startPeer, type Peer } from '../support/peer.js'
import { LOOKUP, useSetting, type Issued } from '../support/setting.js'

const { deleteApiKey, patchApiKey, updateApiKey, verifyApiKey } = addon

const setting = useSetting()

test('a thousand revocations among verifies: none begun after it accepts', async () => {
  await ownRevocations(setting, 1_000)
})

test('revocations elsewhere among verifies: none begun after the first refusal accepts', async () => {
  await othersRevocations(setting, 300)
})

const revocations: [string, (id: string) => Promise<unknown>][] = [
  ['patchApiKey', (id) => patchApiKey({ id, isActive: false })],
  ['deleteApiKey', (id) => deleteApiKey(id)],
  ['updateApiKey with a new key', (id) => updateApiKey({ id, regenerateKey: true })],
  [
    'an UPDATE elsewhere that was read about',
    async (id) => {
      await setting.sql(`UPDATE "ApiKey" SET "isActive" = false WHERE "id" = $1`, [id])
      await setting.caughtUp()
    },
  ],
  [
    'a DELETE elsewhere that was read about',
    async (id) => {
      await setting.sql(`DELETE FROM "ApiKey" WHERE "id" = $1`, [id])
      await setting.caughtUp()
    },
  ],
]

test.each(revocations)('%s, while the row as it was is on its way', async (_what, revoke) => {
  const [cold, stale] = await setting.coldKeys(2)
  await verifyApiKey(stale!.key)
  await patchApiKey({ id: stale!.id, name: 'Stale' })
  for (const { id, key } of [cold!, stale!]) {
    const held = setting.tap.hold(LOOKUP)
    const early = verifyApiKey(key)
    const { release } = await held
    await revoke(id)
    const late = verifyApiKey(key)
    release()
    await early
    expect((await late).valid).toBe(false)
    expect((await verifyApiKey(key)).valid).toBe(false)
  }
})

describe('while the key is hashed, and that takes long', () => {
  let slow: Peer
  beforeAll(async () => {
    const slowHashing = { argon2MemoryKib: 32_768, argon2Iterations: 3 }
    slow = await startPeer({ databaseUrl: setting.database.url, ...slowHashing })
  })
  afterAll(() => slow.stop())
  const slowKey = (): Promise<Issued> =>
    slow.run(({ api }) => api.createApiKey({ name: 'Slow', clientId: 'c' }))

  test.each(revocations)('%s', async (_what, revoke) => {
    for (let time = 0; time < 2; time++) {
      const { id, key } = await slowKey()
      const read = setting.tap.hold(LOOKUP)
      const early = verifyApiKey(key)
      ;(await read).release()
      await revoke(id)
      expect((await verifyApiKey(key)).valid).toBe(false)
      await early
      expect((await verifyApiKey(key)).valid).toBe(false)
    }
    expect((await verifyApiKey((await slowKey()).key)).valid).toBe(true)
  })
})
