import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { startPeer, type Peer } from '../support/peer.js'
import { samples } from '../support/prometheus.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, flush, getApiKey, listAuditEvents, metrics, onEvent } = addon
const { patchApiKey, updateApiKey, verifyApiKey } = addon

type Event = Parameters<Parameters<typeof onEvent>[0]>[0]

const options = { flushIntervalMs: 50, ...cheapHashing }
const database = useAddon(options)

const FIRST_USE = 'key.rotation.first_use'
const STILL_USED = 'key.previous_still_used'
const REUSED = 'key.reuse_detected'
const DAY = 86_400

let peer: Peer
let events: Event[] = []
const stop = onEvent((event) => void events.push(event))
beforeAll(async () => {
  peer = await startPeer({ databaseUrl: database.url(), ...options })
})
afterAll(async () => {
  stop()
  await peer.stop()
})
afterEach(() => void (events = []))

const create = (name = 'Rotated'): ReturnType<typeof createApiKey> =>
  createApiKey({ name, clientId: 'c' })

async function rotate(id: string, gracePeriodSeconds?: number): Promise<string> {
  return (await updateApiKey({ id, regenerateKey: true, gracePeriodSeconds })).key!
}

/** Uses a key, and waits until its use is stored. */
async function use(...keys: string[]): Promise<void> {
  for (const key of keys) expect(await verifyApiKey(key)).toMatchObject({ valid: true })
  await flush()
}

const useThere = (key: string): Promise<unknown> =>
  peer.run(async ({ api }, key) => {
    const result = await api.verifyApiKey(key)
    await api.flush()
    return result
  }, key)

const told = (type: string, keyId: string): Event[] =>
  events.filter((event) => event.type === type && 'keyId' in event && event.keyId === keyId)

/** How often the audit log has it: whichever process wrote it. */
async function logged(type: Event['type'] & `key.${string}`, keyId: string): Promise<number> {
  await flush()
  await peer.run(({ api }) => api.flush())
  return (await listAuditEvents({ type, keyId })).events.length
}

const counted = (name: string): number => samples(metrics()).get(`sophra_api_key_${name}`)!

const endGrace = (id: string, ends: string): Promise<unknown> =>
  database.sql(
    `UPDATE "ApiKey" SET "previousKeyExpiresAt" = now() AT TIME ZONE 'UTC' + $2::interval WHERE "id" = $1`,
    [id, ends],
  )

describe('a key shows', () => {
  test('since when the current key is used', async () => {
    const { id, key } = await create()
    expect(await getApiKey(id)).toMatchObject({ currentKeyFirstUsedAt: null })
    const before = Date.now()
    await use(key)
    const first = (await getApiKey(id))!.currentKeyFirstUsedAt!
    expect(first.getTime()).toBeGreaterThanOrEqual(before)
    await use(key)
    expect((await getApiKey(id))!.currentKeyFirstUsedAt).toEqual(first)
  })

  test('the uses of each key since the rotation', async () => {
    const { id, key: old } = await create()
    await use(old)
    const rotated = await updateApiKey({ id, regenerateKey: true, gracePeriodSeconds: 600 })
    expect(rotated).toMatchObject({ currentKeyFirstUsedAt: null, previousKeyLastUsedAt: null })
    expect(await getApiKey(id)).toMatchObject({
      currentKeyFirstUsedAt: null,
      previousKeyLastUsedAt: null,
      lastUsedAt: expect.any(Date),
    })
    await use(old)
    const used = (await getApiKey(id))!
    expect(used.previousKeyLastUsedAt).toEqual(used.lastUsedAt)
    expect(used.currentKeyFirstUsedAt).toBeNull()
    await use(rotated.key!)
    const both = (await getApiKey(id))!
    expect(both.previousKeyLastUsedAt).toEqual(used.previousKeyLastUsedAt)
    expect(both.currentKeyFirstUsedAt).toEqual(both.lastUsedAt)
    expect(both.usageCount).toBe(3)
  })

  test('the first use of the current key, also if a later one was stored before it', async () => {
    const { id } = await create()
    const current = await rotate(id)
    const slow = { ...options, flushIntervalMs: 3_600_000 }
    const other = await startPeer({ databaseUrl: database.url(), ...slow })
    const firstUse = async () => (await getApiKey(id))!.currentKeyFirstUsedAt!.getTime()
    try {
      await other.run(({ api }, key) => api.verifyApiKey(key), current)
      const used = Date.now()
      await eventually(() => expect(Date.now()).toBeGreaterThan(used))
      await use(current)
      expect(await firstUse()).toBeGreaterThan(used)
      await other.run(({ api }) => api.flush())
      expect(await firstUse()).toBeLessThanOrEqual(used)
      expect(await logged(FIRST_USE, id)).toBe(1)
    } finally {
      await other.stop()
    }
  })

  test('no use from before the rotation, also if it is stored after it', async () => {
    const { id, key: old } = await create()
    await use(old)
    const slow = { ...options, flushIntervalMs: 3_600_000 }
    const other = await startPeer({ databaseUrl: database.url(), ...slow })
    try {
      await other.run(({ api }, key) => api.verifyApiKey(key), old)
      await rotate(id, 600)
      await other.run(({ api }) => api.flush())
    } finally {
      await other.stop()
    }
    expect(await getApiKey(id)).toMatchObject({
      usageCount: 2,
      currentKeyFirstUsedAt: null,
      previousKeyLastUsedAt: null,
    })
  })

  test('where both keys are used by different processes', async () => {
    const { id, key: old } = await create()
    const next = await rotate(id, 600)
    await Promise.all([use(next), useThere(old)])
    expect(await getApiKey(id)).toMatchObject({
      currentKeyFirstUsedAt: expect.any(Date),
      previousKeyLastUsedAt: expect.any(Date),
      usageCount: 2,
    })
  })

  test('the last use of the previous key after its grace period was ended', async () => {
    const { id, key: old } = await create()
    await rotate(id, 600)
    await use(old)
    const { previousKeyLastUsedAt } = (await getApiKey(id))!
    expect(previousKeyLastUsedAt).toBeInstanceOf(Date)
    await patchApiKey({ id, previousKeyExpiresAt: null })
    expect(await getApiKey(id)).toMatchObject({ previousKeyLastUsedAt })
  })
})

describe('the first use of the new key is told', () => {
  test('once in all processes', async () => {
    const { id, key: old } = await create()
    await use(old)
    const next = await rotate(id, 600)
    await use(old)
    expect(await logged(FIRST_USE, id)).toBe(0)
    await Promise.all([use(next, next), useThere(next)])
    await use(next)
    expect(await logged(FIRST_USE, id)).toBe(1)
  })

  test('with the key and the instant', async () => {
    const { id } = await create('First')
    await use(await rotate(id))
    const { currentKeyFirstUsedAt } = (await getApiKey(id))!
    await eventually(() =>
      expect(told(FIRST_USE, id)).toEqual([
        {
          type: FIRST_USE,
          severity: 'info',
          at: expect.any(Date),
          keyId: id,
          name: 'First',
          clientId: 'c',
          currentKeyFirstUsedAt,
        },
      ]),
    )
  })

  test('again after each rotation, and not without one', async () => {
    const { id, key } = await create()
    await use(key)
    for (let rotations = 0; rotations < 3; rotations++) {
      expect(await logged(FIRST_USE, id)).toBe(rotations)
      await use(await rotate(id, 600))
    }
    expect(await logged(FIRST_USE, id)).toBe(3)
  })
})

describe('a previous key that is still used is told', () => {
  test('once, when less than a day of its grace period is left', async () => {
    const { id, key: old } = await create('Late')
    await rotate(id, 2 * DAY)
    await use(old)
    expect(await logged(STILL_USED, id)).toBe(0)
    // As if a day had passed.
    await database.sql(
      `UPDATE "ApiKey" SET "previousKeyLastUsedAt" = "previousKeyLastUsedAt" - interval '30 hours' WHERE "id" = $1`,
      [id],
    )
    await endGrace(id, '20 hours')
    await Promise.all([use(old), useThere(old)])
    await use(old)
    expect(await logged(STILL_USED, id)).toBe(1)
    const { events } = await listAuditEvents({ type: STILL_USED, keyId: id })
    expect(events[0]).toMatchObject({
      name: 'Late',
      clientId: 'c',
      previousKeyLastUsedAt: expect.any(Date),
      previousKeyExpiresAt: (await getApiKey(id))!.previousKeyExpiresAt,
    })
  })

  test('of a shorter grace period with its first use, and of each rotation anew', async () => {
    let { id, key } = await create()
    for (let rotations = 1; rotations <= 2; rotations++) {
      const next = await rotate(id, 600)
      await use(key, next)
      expect(await logged(STILL_USED, id)).toBe(rotations)
      key = next
    }
    expect(counted('previous_still_used_total')).toBeGreaterThan(0)
  })

  test('not if only the new one is used', async () => {
    const { id } = await create()
    await use(await rotate(id, 600))
    expect(await logged(STILL_USED, id)).toBe(0)
  })
})

describe('a replaced key that is presented after its grace period', () => {
  const invalid = { valid: false, code: 'INVALID_KEY', status: 401, message: 'Invalid API key' }

  async function outlived(name?: string): Promise<{ id: string; old: string; next: string }> {
    const { id, key: old } = await create(name)
    const next = await rotate(id, 600)
    await endGrace(id, '-1 second')
    await eventually(async () => expect(await verifyApiKey(old, { peek: true })).toEqual(invalid))
    return { id, old, next }
  }

  test('is refused as ever, and told once an hour in all processes', async () => {
    const { id, old, next } = await outlived()
    for (let attempt = 0; attempt < 3; attempt++) expect(await verifyApiKey(old)).toEqual(invalid)
    expect(await useThere(old)).toEqual(invalid)
    expect(await logged(REUSED, id)).toBe(1)
    await database.sql(
      `UPDATE sophra_api_keys.reused_keys SET told_at = told_at - interval '1 hour' WHERE key_id = $1`,
      [id],
    )
    const other = await startPeer({ databaseUrl: database.url(), ...options })
    try {
      expect(await other.run(({ api }, key) => api.verifyApiKey(key), old)).toEqual(invalid)
      await other.run(({ api }) => api.flush())
    } finally {
      await other.stop()
    }
    expect(await logged(REUSED, id)).toBe(2)
    expect(await verifyApiKey(next)).toMatchObject({ valid: true })
    expect(await getApiKey(id)).toMatchObject({ status: 'active' })
  })

  test('is told with the address that presented it', async () => {
    const { id, old } = await outlived('Replaced')
    const before = counted('reuse_detected_total')
    await verifyApiKey(old, { ip: '192.0.2.7' })
    await flush()
    await eventually(() =>
      expect(told(REUSED, id)).toEqual([
        {
          type: REUSED,
          severity: 'warning',
          at: expect.any(Date),
          keyId: id,
          name: 'Replaced',
          clientId: 'c',
          ip: '192.0.2.7',
        },
      ]),
    )
    expect(counted('reuse_detected_total')).toBe(before + 1)
  })

  test('is not told if somebody only peeks, nor of a key in its grace period', async () => {
    const { id, old } = await outlived()
    await verifyApiKey(old, { peek: true })
    expect(await logged(REUSED, id)).toBe(0)
    const graced = await create()
    await rotate(graced.id, 600)
    await use(graced.key)
    expect(await logged(REUSED, graced.id)).toBe(0)
  })

  test('is not known any more once another rotation has replaced it', async () => {
    const { id, old } = await outlived()
    await rotate(id, 600)
    expect(await verifyApiKey(old)).toEqual(invalid)
    expect(await logged(REUSED, id)).toBe(0)
  })
})
