import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { faultOf } from '../support/faults.js'
import { forged, withAnotherLookup, withWrongSecret } from '../support/forge.js'
import { insertOldKey, oldKey } from '../support/old-rows.js'
import { useSetting, type Issued } from '../support/setting.js'

// Keys that were found where others can read them.

const { createApiKey, deleteApiKey, flush, getApiKey, getQuota, listAuditEvents, onEvent } = addon
const { metrics, patchApiKey, reportLeakedKeys, revokeApiKey, restoreApiKey } = addon
const { revokePresentedKey, updateApiKey, verifyApiKey } = addon

const PER_MINUTE = 5
const signingKey = randomBytes(32).toString('base64')
const setting = useSetting({ throttle: PER_MINUTE, signingKeys: [signingKey] })

const REVOKE = { action: 'revoke' } as const
const NOTIFY = { action: 'notify' } as const
const UNKNOWN = { known: false, keyId: null }
const nothing = { hashes: 0, selects: 0, statements: [] }
const compromised = { isActive: false, revokedReason: 'compromised' }
const notRevoked = { isActive: true, revokedAt: null, revokedReason: null }

const create = (more: object = {}): ReturnType<typeof createApiKey> =>
  createApiKey({ name: 'n', clientId: 'acme', ...more })
const codeOf = async (key: string): Promise<string> => (await verifyApiKey(key)).code
const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index))
const report = (keys: string[], options: Parameters<typeof reportLeakedKeys>[1] = REVOKE) =>
  reportLeakedKeys(
    keys.map((key) => ({ key })),
    options,
  )
const knownAs = (keyId: string) => ({ known: true, keyId })
/** What the audit log has of a key, the last entry first. */
const entriesOf = async (keyId: string) => {
  await flush()
  return (await listAuditEvents({ keyId })).events
}
const counted = (action: string): number =>
  Number(new RegExp(`leaked_keys_total\\{action="${action}"\\} (\\d+)`).exec(metrics())![1])

const told: (object & { keyId?: string })[] = []
beforeAll(() => {
  const stop = onEvent((event) => {
    if (event.type === 'key.leaked') told.push(event)
  })
  return () => stop()
})

describe('a leaked key', () => {
  test('is revoked as compromised, and refused in all processes', async () => {
    const { id, key } = await create()
    const there = () => setting.peer.run(({ api }, key) => api.verifyApiKey(key), key)
    expect(await there()).toMatchObject({ valid: true })
    expect(await report([key])).toEqual([knownAs(id)])
    expect(await getApiKey(id)).toMatchObject({ ...compromised, revokedBy: null })
    expect(await codeOf(key)).toBe('REVOKED')
    await eventually(async () => expect(await there()).toMatchObject({ code: 'REVOKED' }))
    expect(await faultOf(() => restoreApiKey(id))).toMatchObject({ code: 'CONFLICT' })
  })

  test('stays with notify', async () => {
    const { id, key } = await create()
    expect(await report([key], NOTIFY)).toEqual([knownAs(id)])
    expect(await getApiKey(id)).toMatchObject(notRevoked)
    expect(await codeOf(key)).toBe('VALID')
  })

  test('need not be in memory, and may have white space around it', async () => {
    const [cold] = await setting.coldKeys(1)
    expect(await report([`\t${cold!.key}\r\n`])).toEqual([knownAs(cold!.id)])
    expect(await getApiKey(cold!.id)).toMatchObject(compromised)
  })

  test('may be one of an older implementation', async () => {
    const { id, key } = await insertOldKey(setting.sql)
    await setting.caughtUp()
    expect(await report([key, oldKey()])).toEqual([knownAs(id), UNKNOWN])
    expect(await getApiKey(id)).toMatchObject(compromised)
  })

  test('may be disabled, expired or for other addresses', async () => {
    const issued = [
      await create({ isActive: false }),
      await create({ allowedIps: ['10.0.0.1'] }),
      await create(),
    ]
    await patchApiKey({ id: issued[2]!.id, expiresAt: '2020-01-01' })
    const answers = await report(issued.map(({ key }) => key))
    expect(answers).toEqual(issued.map(({ id }) => knownAs(id)))
    for (const { id } of issued) expect(await getApiKey(id)).toMatchObject(compromised)
  })

  test('is not used by that', async () => {
    const { id, key } = await create({
      rateLimit: 1,
      quotas: [{ name: 'calls', amount: 5, period: 'total' }],
    })
    expect(await report(times(10, () => key))).toEqual(times(10, () => knownAs(id)))
    await report([key], NOTIFY)
    await flush()
    expect(await getApiKey(id)).toMatchObject({ usageCount: 0, lastUsedAt: null })
    expect(await getQuota({ keyId: id, name: 'calls' })).toMatchObject({ used: 0, remaining: 5 })
  })

  test('takes the new one with it in a grace period, and is no key after it', async () => {
    const { id, key: first } = await create()
    const rotation = { id, regenerateKey: true, gracePeriodSeconds: 3_600 }
    const { key: second } = await updateApiKey(rotation)
    expect(await report([first], NOTIFY)).toEqual([knownAs(id)])
    await patchApiKey({ id, previousKeyExpiresAt: null })
    expect(await report([first])).toEqual([UNKNOWN])
    expect(await getApiKey(id)).toMatchObject(notRevoked)
    await updateApiKey(rotation)
    expect(await report([second!])).toEqual([knownAs(id)])
    expect(await getApiKey(id)).toMatchObject(compromised)
    expect(await codeOf(second!)).toBe('REVOKED')
  })

  test('is known if it was revoked, and becomes compromised', async () => {
    const { id, key } = await create()
    const first = await revokeApiKey({ id, reason: 'unused' }, { actor: 'ann' })
    expect(await report([key], NOTIFY)).toEqual([knownAs(id)])
    expect(await getApiKey(id)).toMatchObject({ revokedReason: 'unused' })
    expect(await report([key])).toEqual([knownAs(id)])
    const { updatedAt } = (await getApiKey(id))!
    expect(await getApiKey(id)).toEqual({ ...first, revokedReason: 'compromised', updatedAt })
  })

  test('may be reported again, which changes nothing', async () => {
    const { id, key } = await create()
    await report([key])
    const before = await getApiKey(id)
    await setting.caughtUp()
    expect(await report([key])).toEqual([knownAs(id)])
    expect(await setting.cost(() => report([key]))).toEqual(nothing)
    expect(await revokePresentedKey(key)).toBe(true)
    expect(await getApiKey(id)).toEqual(before)
    const types = (await entriesOf(id)).map(({ type }) => type).sort()
    const leaks = times(3, () => 'key.leaked')
    expect(types).toEqual(['key.issued', ...leaks, 'key.refused', 'key.revoked'])
  })

  test('may be reported by many at once', async () => {
    const [cold] = await setting.coldKeys(1)
    const answers = await Promise.all(times(20, () => report([cold!.key])))
    expect(answers).toEqual(times(20, () => [knownAs(cold!.id)]))
    const revocations = (await entriesOf(cold!.id)).filter(({ type }) => type === 'key.revoked')
    expect(revocations.length).toBeGreaterThan(0)
  })
})

describe('an answer', () => {
  test('is in the order of the report, whatever is between', async () => {
    const [first, second] = [await create(), await create()]
    const keys = [forged(first.key), second.key, '', first.key, 'junk', second.key]
    expect(await report(keys)).toEqual([
      UNKNOWN,
      knownAs(second.id),
      UNKNOWN,
      knownAs(first.id),
      UNKNOWN,
      knownAs(second.id),
    ])
  })

  test('is empty for no report', async () => {
    expect(await setting.cost(async () => expect(await report([])).toEqual([]))).toEqual(nothing)
  })

  test('is given to 1,000 reports of the greatest length', async () => {
    const { id, key } = await create()
    const long = (index: number, length: number) =>
      `${index}` + '\u{1f511}'.repeat(length - `${index}`.length)
    const reports = times(1_000, (index) => ({
      key: index === 999 ? key : `${index}`.padEnd(255, 'é'),
      url: long(index, 2_048),
      source: long(index, 255),
    }))
    const answers = await reportLeakedKeys(reports, REVOKE)
    expect(answers).toEqual([...times(999, () => UNKNOWN), knownAs(id)])
  })
})

describe('what is no key', () => {
  test('is sorted out without the database', async () => {
    const { id, key } = await create()
    const wrong = ['', 'junk', `${key}x`, key.slice(0, -1), 'x'.repeat(10_000), 'a\0b']
    const texts = [...wrong, ...times(500, () => forged(key))]
    const cost = await setting.cost(async () =>
      expect(await report(texts)).toEqual(texts.map(() => UNKNOWN)),
    )
    expect(cost).toEqual(nothing)
    expect(await getApiKey(id)).toMatchObject(notRevoked)
  })

  test('costs what it costs to verify it, where the checksum holds', async () => {
    const [{ id, key }] = (await setting.warmKeys(1)) as [Issued]
    for (const make of [withWrongSecret, withAnotherLookup]) {
      const verified = await setting.cost(() => verifyApiKey(make(key, signingKey)))
      const cost = await setting.cost(async () =>
        expect(await report([make(key, signingKey)])).toEqual([UNKNOWN]),
      )
      expect(cost).toEqual(verified)
    }
    expect(await getApiKey(id)).toMatchObject(notRevoked)
  })

  test('is a key that was deleted', async () => {
    const { id, key } = await create()
    await deleteApiKey(id)
    expect(await report([key])).toEqual([UNKNOWN])
    // By another writer, a moment ago.
    const other = await create()
    expect(await codeOf(other.key)).toBe('VALID')
    await setting.sql('DELETE FROM "ApiKey" WHERE "id" = $1', [other.id])
    expect(await report([other.key])).toEqual([UNKNOWN])
  })

  test('is held against nobody', async () => {
    const { key } = await create()
    const texts = times(PER_MINUTE * 4, (index) =>
      index % 2 === 0 ? forged(key) : withWrongSecret(key, signingKey),
    )
    const attempts = async () => {
      await flush()
      return (await listAuditEvents({ type: 'key.refused' })).events.length
    }
    const before = await attempts()
    await report(texts)
    expect(await attempts()).toBe(before)
    const ip = '192.0.2.1'
    expect(await verifyApiKey(forged(key), { ip })).toMatchObject({ code: 'INVALID_KEY' })
  })
})

describe('what operators are told', () => {
  test('is where a key was found, by whom, and what became of it', async () => {
    const { id, key } = await create({ name: 'Search' })
    const leak = { url: 'https://example.com/a/b?c', source: 'commit' }
    const before = [counted('revoke'), counted('notify')]
    await reportLeakedKeys([{ key, ...leak }], { ...NOTIFY, actor: 'scanner' })
    await reportLeakedKeys([{ key, url: null, source: '' }], { ...REVOKE, actor: 'ann' })
    expect([counted('revoke') - before[0]!, counted('notify') - before[1]!]).toEqual([1, 1])
    const known = { type: 'key.leaked', keyId: id, name: 'Search', clientId: 'acme' }
    const [revoked, notified] = [
      { ...known, action: 'revoke', actor: 'ann' },
      { ...known, action: 'notify', actor: 'scanner', ...leak },
    ]
    const at = expect.any(Date)
    await eventually(() =>
      expect(told.filter(({ keyId }) => keyId === id)).toEqual([
        { severity: 'warning', at, ...notified },
        { severity: 'warning', at, ...revoked },
      ]),
    )
    const entries = await entriesOf(id)
    const logged = { at, id: expect.any(String), count: 1 }
    expect(entries.filter(({ type }) => type === 'key.leaked')).toEqual([
      { ...logged, ...revoked },
      { ...logged, ...notified },
    ])
    const revocation = entries.find(({ type }) => type === 'key.revoked')
    expect(revocation).toMatchObject({ reason: 'compromised', actor: 'ann' })
    expect(await getApiKey(id)).toMatchObject({ revokedBy: 'ann' })
  })

  test('is each place, and each once', async () => {
    const { id, key } = await create()
    const [one, other] = ['https://example.com/1', 'https://example.com/2']
    const reports = [one, other, one, other, one].map((url) => ({ key, url }))
    expect(await reportLeakedKeys(reports, REVOKE)).toEqual(times(5, () => knownAs(id)))
    const leaks = (await entriesOf(id)).filter(({ type }) => type === 'key.leaked')
    expect(leaks.map(({ url }) => url).sort()).toEqual([one, other])
  })

  test('is never the key, and no text that a terminal would interpret', async () => {
    const { id, key } = await create()
    const url = `https://example.com/?key=${key}&again=${key}\n\u202e\0`.replace('\0', '')
    await reportLeakedKeys([{ key, url, source: `\u001b[31m${key}` }], NOTIFY)
    const [entry] = await entriesOf(id)
    expect(entry).toMatchObject({
      url: 'https://example.com/?key=…&again=…\\u{a}\\u{202e}',
      source: '\\u{1b}[31m…',
    })
    await eventually(() => expect(told.some(({ keyId }) => keyId === id)).toBe(true))
    expect(JSON.stringify([told, entry])).not.toContain(key)
  })

  test('is no other key either, in whole or in part', async () => {
    const { id, key } = await create()
    const { key: other } = await create()
    const [legacy, test] = [await insertOldKey(setting.sql), other.replace('_live_', '_test_')]
    await setting.caughtUp()
    const url = `https://example.com/?a=${other}&b=%3D${test}&c=x${other.slice(0, 50)}#${key}é`
    const reports = [
      { key, url, source: 'sophra_live_ or sophra_test_' },
      { key: legacy.key, url: `https://example.com/${legacy.key}` },
    ]
    await reportLeakedKeys(reports, NOTIFY)
    expect((await entriesOf(id))[0]).toMatchObject({
      url: 'https://example.com/?a=sophra_live_…&b=%3Dsophra_test_…&c=xsophra_live_…#…é',
      source: 'sophra_live_… or sophra_test_…',
    })
    expect((await entriesOf(legacy.id))[0]).toMatchObject({ url: 'https://example.com/…' })
  })

  test('is the whole of a long address', async () => {
    const { id, key } = await create()
    const url = 'https://example.com/'.padEnd(2_048, 'x')
    await reportLeakedKeys([{ key, url }], NOTIFY)
    expect(await entriesOf(id)).toMatchObject([{ url }, { type: 'key.issued' }])
  })
})

test('what is wrong with a report is named, and nothing is revoked', async () => {
  const { id, key } = await create()
  const calls: [call: unknown[], paths: string[]][] = [
    [[undefined, REVOKE], ['reports']],
    [[{ key }, REVOKE], ['reports']],
    [[key, REVOKE], ['reports']],
    [[[key], REVOKE], ['reports[0]']],
    [
      [[{ key }, {}, { key: null }, { key: 5 }], REVOKE],
      ['reports[1].key', 'reports[2].key', 'reports[3].key'],
    ],
    [[[{ key: '\ud800' }], REVOKE], ['reports[0].key']],
    [[[{ key: 'x'.repeat(64 * 1024 + 1) }, { key }], REVOKE], ['reports[0].key']],
    [[[{ key, url: 'x'.repeat(2_049) }], REVOKE], ['reports[0].url']],
    [[[{ key, source: 'x'.repeat(256) }], REVOKE], ['reports[0].source']],
    [
      [[{ key, url: 5, source: 'a\0b' }], REVOKE],
      ['reports[0].url', 'reports[0].source'],
    ],
    [[[{ key, type: 'a' }], REVOKE], ['reports[0].type']],
    [[times(1_001, () => ({ key })), REVOKE], ['reports']],
    [[[{ key }]], ['action']],
    [[[{ key }], null], ['action']],
    [[[{ key }], { action: 'delete' }], ['action']],
    [[[{ key }], { ...REVOKE, actor: '' }], ['actor']],
    [[[{ key }], { ...REVOKE, reason: 'unused' }], ['reason']],
  ]
  for (const [call, paths] of calls) {
    const fault = await faultOf(() =>
      reportLeakedKeys(...(call as Parameters<typeof reportLeakedKeys>)),
    )
    expect(fault).toMatchObject({ code: 'INVALID_INPUT', issues: paths.map((path) => ({ path })) })
    expect(JSON.stringify(fault)).not.toContain(key)
  }
  expect(await getApiKey(id)).toMatchObject(notRevoked)
})

test('while the database is away, nothing is said of a key, and the report is repeated later', async () => {
  const [warm, other] = await setting.warmKeys(2)
  const [cold] = await setting.coldKeys(1)
  const keys = [warm!.key, forged(warm!.key), cold!.key, other!.key]
  setting.tap.cut()
  try {
    for (const options of [REVOKE, NOTIFY])
      expect(await faultOf(() => report([cold!.key, ...keys], options))).toMatchObject({
        code: 'DATABASE_UNAVAILABLE',
        status: 503,
      })
    expect(await report([forged(warm!.key)])).toEqual([UNKNOWN])
  } finally {
    setting.tap.mend()
  }
  const answers = [warm!, null, cold!, other!].map((key) => (key ? knownAs(key.id) : UNKNOWN))
  await eventually(async () => expect(await report(keys)).toEqual(answers), 30_000)
  for (const { id } of [warm!, cold!, other!])
    expect(await getApiKey(id)).toMatchObject(compromised)
})
