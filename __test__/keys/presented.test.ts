import { randomBytes } from 'node:crypto'
import { afterAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { runScript } from '../support/child.js'
import { eventually } from '../support/eventually.js'
import { faultOf } from '../support/faults.js'
import { forged, withAnotherLookup, withWrongSecret } from '../support/forge.js'
import { insertOldKey, oldKey } from '../support/old-rows.js'
import { useSetting, type Issued, type NewKey } from '../support/setting.js'

// Whoever holds a key can revoke it.

const { createApiKey, deleteApiKey, flush, getApiKey, getQuota, listAuditEvents, onEvent } = addon
const { patchApiKey, restoreApiKey, revokeApiKey, revokePresentedKey, setClient } = addon
const { updateApiKey, verifyApiKey } = addon

const PER_MINUTE = 20
const signingKey = randomBytes(32).toString('base64')
const setting = useSetting({
  throttle: PER_MINUTE,
  signingKeys: [signingKey],
  suspensionSeconds: 600,
})

let addresses = 0
/** An address that no other test has used. */
const freshIp = (): string => `192.0.2.${++addresses}`

const create = (more: Partial<NewKey> = {}): ReturnType<typeof createApiKey> =>
  createApiKey({ name: 'n', clientId: 'acme', ...more })
const codeOf = async (key: string): Promise<string> => (await verifyApiKey(key)).code
const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make)
const compromised = {
  isActive: false,
  revokedAt: expect.any(Date),
  revokedBy: null,
  revokedReason: 'compromised',
}
const notRevoked = { revokedAt: null, revokedReason: null }
/** What the audit log has of a key, the last entry first. */
const entriesOf = async (keyId: string) => {
  await flush()
  return (await listAuditEvents({ keyId })).events
}

describe('a key that is presented', () => {
  test('is revoked as compromised, and refused in all processes', async () => {
    const { id, key } = await create()
    expect(await codeOf(key)).toBe('VALID')
    const there = () => setting.peer.run(({ api }, key) => api.verifyApiKey(key), key)
    expect(await there()).toMatchObject({ valid: true })

    expect(await revokePresentedKey(key)).toBe(true)
    expect(await getApiKey(id)).toMatchObject(compromised)
    expect(await codeOf(key)).toBe('REVOKED')
    await eventually(async () => expect(await there()).toMatchObject({ code: 'REVOKED' }))
    expect(await faultOf(() => restoreApiKey(id))).toMatchObject({ code: 'CONFLICT' })
  })

  test('need not be in memory', async () => {
    const [cold] = await setting.coldKeys(1)
    expect(await revokePresentedKey(cold!.key)).toBe(true)
    expect(await getApiKey(cold!.id)).toMatchObject(compromised)
    expect(await codeOf(cold!.key)).toBe('REVOKED')
  })

  test('may be one of an older implementation', async () => {
    const { id, key } = await insertOldKey(setting.sql)
    await setting.caughtUp()
    expect(await revokePresentedKey(key)).toBe(true)
    expect(await getApiKey(id)).toMatchObject(compromised)
    await eventually(async () => expect(await codeOf(key)).toBe('REVOKED'))
  })

  test('is read as by a verify', async () => {
    for (const presented of [
      (key: string) => [key],
      (key: string) => ` ${key}\r\n`,
      (key: string) => [`\t${key}`],
    ]) {
      const { id, key } = await create()
      expect(await revokePresentedKey(presented(key))).toBe(true)
      expect(await getApiKey(id)).toMatchObject(compromised)
    }
  })

  test('is told in an event and the audit log, by nobody', async () => {
    const told: object[] = []
    const { id, key } = await create({ name: 'Search' })
    afterAll(
      onEvent((event) => {
        if (event.type === 'key.revoked' && event.keyId === id) told.push(event)
      }),
    )
    await revokePresentedKey(key, { ip: freshIp(), path: '/revoke' })
    const entry = { type: 'key.revoked', keyId: id, name: 'Search', clientId: 'acme' }
    await eventually(() =>
      expect(told).toEqual([expect.objectContaining({ ...entry, reason: 'compromised' })]),
    )
    const [revoked, issued] = await entriesOf(id)
    expect(revoked).toMatchObject({ ...entry, reason: 'compromised', count: 1 })
    for (const event of [told[0], revoked]) {
      expect(event).not.toHaveProperty('actor')
      expect(event).not.toHaveProperty('note')
    }
    expect(issued).toMatchObject({ type: 'key.issued' })
  })

  const states: [name: string, make: () => Promise<{ id: string; key: string }>, code: string][] = [
    ['is disabled', () => create({ isActive: false }), 'DISABLED'],
    [
      'has expired',
      async () => {
        const issued = await create()
        await patchApiKey({ id: issued.id, expiresAt: '2020-01-01' })
        return issued
      },
      'EXPIRED',
    ],
    [
      'is suspended',
      async () => {
        const issued = await create({ rateLimit: 1, rateLimitWindowSeconds: 86_400 })
        await eventually(async () => expect(await codeOf(issued.key)).toBe('SUSPENDED'))
        return issued
      },
      'SUSPENDED',
    ],
    ['is for other addresses', () => create({ allowedIps: ['10.0.0.1'] }), 'IP_NOT_ALLOWED'],
    [
      'is of a disabled client',
      async () => {
        await setClient({ clientId: 'disabled', isActive: false })
        return create({ clientId: 'disabled' })
      },
      'CLIENT_DISABLED',
    ],
    [
      'has nothing left of a quota',
      async () => {
        const issued = await create({ quotas: [{ name: 'calls', amount: 1, period: 'total' }] })
        expect(await codeOf(issued.key)).toBe('VALID')
        return issued
      },
      'QUOTA_EXCEEDED',
    ],
  ]
  test.each(states)('is revoked if it %s', async (_name, make, code) => {
    const { id, key } = await make()
    expect(await codeOf(key)).toBe(code)
    expect(await revokePresentedKey(key, { ip: freshIp() })).toBe(true)
    expect(await getApiKey(id)).toMatchObject(compromised)
    expect(await codeOf(key)).toBe('REVOKED')
  })

  test('is not used by that', async () => {
    const { id, key } = await create({
      scopes: ['a'],
      rateLimit: 1,
      quotas: [{ name: 'calls', amount: 5, period: 'total' }],
    })
    expect(await revokePresentedKey(key)).toBe(true)
    await flush()
    expect(await getApiKey(id)).toMatchObject({ usageCount: 0, lastUsedAt: null })
    expect(await getQuota({ keyId: id, name: 'calls' })).toMatchObject({ used: 0, remaining: 5 })
  })

  test('may be revoked by many at once', async () => {
    const [cold] = await setting.coldKeys(1)
    const answers = await Promise.all(times(20, () => revokePresentedKey(cold!.key)))
    expect(new Set(answers)).toEqual(new Set([true]))
    expect(await getApiKey(cold!.id)).toMatchObject(compromised)
  })
})

describe('a key that was replaced', () => {
  test('takes the new one with it in its grace period', async () => {
    const { id, key: first } = await create()
    const change = { id, regenerateKey: true, gracePeriodSeconds: 3_600 }
    const { key: second } = await updateApiKey(change)
    expect(await revokePresentedKey(first)).toBe(true)
    expect(await getApiKey(id)).toMatchObject(compromised)
    expect([await codeOf(first), await codeOf(second!)]).toEqual(['REVOKED', 'REVOKED'])
  })

  test('is no key after it', async () => {
    const { id, key: first } = await create()
    const { key: second } = await updateApiKey({
      id,
      regenerateKey: true,
      gracePeriodSeconds: 3_600,
    })
    // In memory as well as in the row.
    expect(await codeOf(first)).toBe('VALID')
    await patchApiKey({ id, previousKeyExpiresAt: null })
    expect(await revokePresentedKey(first)).toBe(false)
    expect(await getApiKey(id)).toMatchObject(notRevoked)
    expect(await codeOf(second!)).toBe('VALID')
  })

  test('is none either once the time has come', async () => {
    const { id, key: first } = await create()
    await updateApiKey({ id, regenerateKey: true, gracePeriodSeconds: 1 })
    await eventually(async () => expect(await codeOf(first)).toBe('INVALID_KEY'))
    expect(await revokePresentedKey(first)).toBe(false)
    expect(await getApiKey(id)).toMatchObject(notRevoked)
  })
})

describe('a key that is revoked already', () => {
  test('becomes compromised, and says still when and by whom it was revoked', async () => {
    const { id, key } = await create()
    const first = await revokeApiKey({ id, reason: 'unused' }, { actor: 'ann' })
    expect(await revokePresentedKey(key)).toBe(true)
    const { updatedAt } = (await getApiKey(id))!
    expect(await getApiKey(id)).toEqual({ ...first, revokedReason: 'compromised', updatedAt })
    expect((await entriesOf(id)).map(({ type }) => type)).toEqual([
      'key.revoked',
      'key.revoked',
      'key.issued',
    ])
  })

  test('stays as it is if it is compromised: that costs the database nothing', async () => {
    const { id, key } = await create()
    expect(await revokePresentedKey(key)).toBe(true)
    const before = await getApiKey(id)
    const path = '/revoke'
    await setting.caughtUp()
    // Reads the row.
    expect(await revokePresentedKey(key, { path })).toBe(true)
    const cost = await setting.cost(async () => {
      const answers = await Promise.all(times(200, () => revokePresentedKey(key, { path })))
      expect(new Set(answers)).toEqual(new Set([true]))
    })
    expect(cost).toEqual({ hashes: 0, selects: 0, statements: [] })
    expect(await getApiKey(id)).toEqual(before)
    // And one entry in the audit log, however often that is.
    expect(await entriesOf(id)).toMatchObject([
      { type: 'key.refused', reason: 'REVOKED', count: 201, path },
      { type: 'key.revoked', reason: 'compromised', count: 1 },
      { type: 'key.issued' },
    ])
  })

  test('is known as compromised by other processes too', async () => {
    const { id, key } = await create()
    await revokePresentedKey(key)
    await eventually(async () => {
      const there = await setting.peer.run(({ api }, key) => api.verifyApiKey(key), key)
      expect(there).toMatchObject({ code: 'REVOKED' })
    })
    const there = await setting.peer.run(({ api }, key) => api.revokePresentedKey(key), key)
    expect(there).toBe(true)
    await setting.peer.run(({ api }) => api.flush())
    const revocations = (await entriesOf(id)).filter(({ type }) => type === 'key.revoked')
    expect(revocations).toHaveLength(1)
  })
})

describe('what is no key', () => {
  test('is not looked up if its format is wrong', async () => {
    const { id, key } = await create()
    const cost = await setting.cost(async () => {
      const wrong = ['', 'junk', `${key}x`, key.slice(0, -1), ...times(50, () => forged(key))]
      for (const text of wrong) expect(await revokePresentedKey(text)).toBe(false)
      for (const several of [
        [key, key],
        ['', key],
        [key, 'x'.repeat(100_000)],
      ])
        expect(await revokePresentedKey(several)).toBe(false)
    })
    expect(cost).toEqual({ hashes: 0, selects: 0, statements: [] })
    expect(await getApiKey(id)).toMatchObject(notRevoked)
  })

  test('costs what it costs to verify it', async () => {
    const [{ id, key }] = (await setting.warmKeys(1)) as [Issued]
    for (const make of [withWrongSecret, withAnotherLookup]) {
      const verified = await setting.cost(() => verifyApiKey(make(key, signingKey)))
      const cost = await setting.cost(async () =>
        expect(await revokePresentedKey(make(key, signingKey))).toBe(false),
      )
      expect(cost).toEqual(verified)
      expect(cost.selects).toBe(1)
    }
    expect(await revokePresentedKey(oldKey())).toBe(false)
    expect(await getApiKey(id)).toMatchObject(notRevoked)
  })

  test('is a key that was deleted', async () => {
    const { id, key } = await create()
    await deleteApiKey(id)
    expect(await revokePresentedKey(key)).toBe(false)
    // By another writer, a moment ago.
    const other = await create()
    expect(await codeOf(other.key)).toBe('VALID')
    await setting.sql('DELETE FROM "ApiKey" WHERE "id" = $1', [other.id])
    expect(await revokePresentedKey(other.key)).toBe(false)
  })

  test('is in the audit log, with where it came from', async () => {
    const { key } = await create()
    const wrong = withAnotherLookup(key, signingKey)
    const from = { ip: freshIp(), claimedIp: '203.0.113.7', path: '/api/keys/presented' }
    expect(await revokePresentedKey(wrong, from)).toBe(false)
    await flush()
    const { events } = await listAuditEvents({ type: 'key.refused' })
    const attempts = events.filter((event) => 'ip' in event && event.ip === from.ip)
    expect(attempts).toMatchObject([{ reason: 'INVALID_KEY', count: 1, ...from }])
    expect(JSON.stringify(attempts)).not.toContain(wrong)
  })

  test('may be missing, also without a database', async () => {
    const child = await runScript(
      `for (const none of [null, undefined, []]) report(await api.revokePresentedKey(none))
       report(await api.revokePresentedKey('${forged((await create()).key)}').catch(({ code }) => code))`,
      { env: { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none', API_KEYS_LOG: 'off' } },
    )
    expect(child.reports).toEqual([false, false, false, 'DATABASE_UNAVAILABLE'])
  })

  test('may be of the wrong type, as may what it comes with', async () => {
    const { id, key } = await create()
    const calls: [call: unknown[], path: string][] = [
      [[5], 'key'],
      [[{}], 'key'],
      [[[key, 5]], 'key'],
      [[key, 5], ''],
      [[key, { scopes: [] }], 'scopes'],
      [[key, { peek: true }], 'peek'],
      [[null, { reason: 'unused' }], 'reason'],
    ]
    for (const [call, path] of calls) {
      const fault = await faultOf(() => revokePresentedKey(...(call as [string])))
      expect(fault).toMatchObject({ code: 'INVALID_INPUT', issues: [{ path }] })
    }
    expect(await getApiKey(id)).toMatchObject(notRevoked)
  })
})

describe('an address that keeps presenting what is no key', () => {
  const guess = async (ip: string): Promise<void> => {
    for (const text of times(PER_MINUTE, () => 'junk'))
      expect(await revokePresentedKey(text, { ip })).toBe(false)
  }
  const throttled = { code: 'OVERLOADED', status: 503, retryAfterMs: expect.any(Number) }

  test('is throttled, by what it verifies too', async () => {
    const ip = freshIp()
    await guess(ip)
    expect(await faultOf(() => revokePresentedKey('junk', { ip }))).toMatchObject(throttled)
    expect(await verifyApiKey('junk', { ip })).toMatchObject({ code: 'THROTTLED' })
    const another = freshIp()
    for (const text of times(PER_MINUTE, () => 'junk')) await verifyApiKey(text, { ip: another })
    const fault = await faultOf(() => revokePresentedKey('junk', { ip: another }))
    expect(fault).toMatchObject(throttled)
  })

  test('is throttled for guesses that are looked up', async () => {
    const { key } = await create()
    const ip = freshIp()
    for (const wrong of times(PER_MINUTE, () => withWrongSecret(key, signingKey)))
      expect(await revokePresentedKey(wrong, { ip })).toBe(false)
    expect(await faultOf(() => revokePresentedKey('junk', { ip }))).toMatchObject(throttled)
  })

  test('cannot find out which keys exist, and revokes one that is in memory', async () => {
    const [cold] = await setting.coldKeys(1)
    const [warm] = await setting.warmKeys(1)
    const ip = freshIp()
    await guess(ip)
    const cost = await setting.cost(async () => {
      const fault = await faultOf(() => revokePresentedKey(cold!.key, { ip }))
      expect(fault).toMatchObject(throttled)
    })
    expect(cost).toEqual({ hashes: 0, selects: 0, statements: [] })
    expect(await getApiKey(cold!.id)).toMatchObject(notRevoked)
    expect(await revokePresentedKey(warm!.key, { ip })).toBe(true)
    expect(await revokePresentedKey(cold!.key, { ip: freshIp() })).toBe(true)
  })

  test('is one entry in the audit log', async () => {
    const ip = freshIp()
    await guess(ip)
    for (const text of times(5, oldKey)) await faultOf(() => revokePresentedKey(text, { ip }))
    await flush()
    const { events } = await listAuditEvents({ type: 'key.refused' })
    const floods = events.filter((event) => 'ip' in event && event.ip === ip)
    const counts = floods.map((event) => 'reason' in event && [event.reason, event.count])
    expect(counts).toEqual(
      expect.arrayContaining([
        ['INVALID_KEY', PER_MINUTE],
        ['THROTTLED', 5],
      ]),
    )
  })
})

test('while the database is away, a key cannot be revoked', async () => {
  const [warm] = await setting.warmKeys(1)
  setting.tap.cut()
  try {
    const fault = await faultOf(() => revokePresentedKey(warm!.key))
    expect(fault).toMatchObject({ code: 'DATABASE_UNAVAILABLE', status: 503 })
  } finally {
    setting.tap.mend()
  }
  await eventually(async () => expect(await revokePresentedKey(warm!.key)).toBe(true), 30_000)
  expect(await getApiKey(warm!.id)).toMatchObject(compromised)
})
