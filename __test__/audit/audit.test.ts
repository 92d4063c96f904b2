import { afterAll, describe, expect, test } from 'vitest'
import { addon, untyped } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { faultOf, invalidFields } from '../support/faults.js'
import { startProxy } from '../support/proxy.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, flush, listAuditEvents, metrics, onEvent, patchApiKey, verifyApiKey } = addon

const jwtSecret = 'a secret that is long enough to be one'
const database = useAddon({ jwtSecret })

type Event = Parameters<Parameters<typeof onEvent>[0]>[0]
type Entry = Awaited<ReturnType<typeof listAuditEvents>>['events'][number]

const told: Event[] = []
const stop = onEvent((event) => void told.push(event))
afterAll(() => stop())

const entriesOf = async (keyId: string): Promise<Entry[]> => {
  await flush()
  return (await listAuditEvents({ keyId })).events
}
const typesOf = (entries: Entry[]): string[] => entries.map(({ type }) => type)

describe('administration', () => {
  test('is kept with its actor and the values before it', async () => {
    const actor = 'token-of-ops'
    const { id } = await createApiKey(
      { name: 'Audited', clientId: 'acme', scopes: ['a'], metadata: { private: 1 } },
      { actor },
    )
    const expiresAt = new Date('2030-01-02T03:04:05Z')
    await patchApiKey(
      { id, scopes: ['a', 'b'], expiresAt, metadata: { private: 2 }, description: 'private' },
      { actor },
    )
    await addon.updateApiKey({ id, regenerateKey: true }, { actor: 'somebody else' })
    await addon.deleteApiKey(id, { actor })
    const entries = await entriesOf(id)
    expect(typesOf(entries).sort()).toEqual([
      'key.changed',
      'key.changed',
      'key.deleted',
      'key.issued',
    ])
    const changed = entries.find(
      ({ changes }) => (changes as object) && 'scopes' in (changes as object),
    )
    expect(changed).toEqual({
      id: expect.any(String),
      type: 'key.changed',
      at: expect.any(Date),
      count: 1,
      keyId: id,
      name: 'Audited',
      clientId: 'acme',
      actor,
      changes: {
        scopes: { before: ['a'], after: ['a', 'b'] },
        expiresAt: { before: null, after: expiresAt },
        metadata: {},
        description: {},
      },
    })
    expect(entries.filter(({ actor }) => actor === 'somebody else')).toMatchObject([
      { changes: { key: {} } },
    ])
    expect(JSON.stringify(entries)).not.toMatch(/private|argon2id/)
    await eventually(() => {
      const mine = told.filter((event) => 'keyId' in event && event.keyId === id)
      expect(mine.map(({ type }) => type)).toEqual([
        'key.issued',
        'key.changed',
        'key.changed',
        'key.deleted',
      ])
    })
  })

  test('of admin tokens is kept too', async () => {
    const { id, token } = await addon.createAdminToken({ name: 'Ops' }, { actor: 'root' })
    expect((await addon.verifyAdminToken(token, { permission: 'x' })).valid).toBe(false)
    expect((await addon.verifyAdminToken('nonsense')).valid).toBe(false)
    await addon.revokeAdminToken(id, { actor: 'root' })
    await flush()
    const { events } = await listAuditEvents()
    const mine = events.filter(({ tokenId }) => tokenId === id)
    expect(typesOf(mine).sort()).toEqual(['admin.issued', 'admin.refused', 'admin.revoked'])
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'admin.refused', reason: 'INVALID_TOKEN', count: 1 }),
    )
    expect(JSON.stringify(events)).not.toContain(token)
  })

  test('by a token that is refused is kept with the token and the permission that it lacks', async () => {
    const { id, token } = await addon.createAdminToken({ name: 'Ops' })
    const about = { ip: '::ffff:192.0.2.1', claimedIp: '10.9.9.9', path: '/api/\u202e\r\nkeys' }
    await addon.verifyAdminToken(token, { permission: 'x', ...about })
    await addon.verifyAdminToken('nonsense', { ...about, ip: 'unreadable' })
    await addon.verifyAdminToken('nonsense', { ip: '192.0.2.2' })
    await flush()
    const { events } = await listAuditEvents({ type: 'admin.refused' })
    const path = String.raw`/api/\u{202e}\u{d}\u{a}keys`
    expect(events.find(({ tokenId }) => tokenId === id)).toMatchObject({
      reason: 'INSUFFICIENT_PERMISSION',
      ip: '192.0.2.1',
      claimedIp: '10.9.9.9',
      path,
    })
    expect(events).toContainEqual(
      expect.objectContaining({ reason: 'INVALID_TOKEN', ip: '192.0.2.2', count: 1 }),
    )
  })

  test('with an actor that is no text is refused, and nothing is changed', async () => {
    const input = { name: 'Nobody', clientId: 'c' }
    expect(await invalidFields(() => untyped.createApiKey!(input, { actor: 7 }))).toEqual(['actor'])
    expect(await database.sql(`SELECT FROM "ApiKey" WHERE "name" = 'Nobody'`)).toEqual([])
  })
})

describe('refused attempts', () => {
  test('alike are one entry with an exact count, whether warm or cold', async () => {
    const { id, key } = await createApiKey({
      name: 'Closed',
      clientId: 'c',
      allowedIps: ['10.0.0.1'],
    })
    for (let attempt = 0; attempt < 500; attempt++) {
      await verifyApiKey(key, { ip: '192.0.2.7', path: `/documents/${attempt}` })
    }
    for (let attempt = 0; attempt < 3; attempt++) await verifyApiKey(key)
    const refused = (await entriesOf(id)).filter(({ type }) => type === 'key.refused')
    const sum = (ip: string | undefined): number =>
      refused.filter((entry) => entry.ip === ip).reduce((sum, { count }) => sum + count, 0)
    expect(sum('192.0.2.7')).toBe(500)
    expect(sum(undefined)).toBe(3)
    expect(refused.at(-1)).toMatchObject({
      reason: 'IP_NOT_ALLOWED',
      name: 'Closed',
      path: '/documents/0',
    })
  })

  test('show no key that is in the path, whether warm or cold', async () => {
    const { id, key } = await createApiKey({ name: 'In the path', clientId: 'c' })
    for (const ip of ['192.0.2.1', '192.0.2.2'])
      await verifyApiKey(key, { scopes: ['other'], ip, path: `/hooks/${key}/x` })
    const forged = `${key.slice(0, -8)}00000000`
    await verifyApiKey(forged, { ip: '192.0.2.3', path: `/hooks/${key}` })
    await addon.revokePresentedKey(key, { ip: '192.0.2.4', path: `/hooks/${key}` })
    await flush()
    const { events } = await listAuditEvents({ limit: 100 })
    const pathOf = (by: string) => events.find(({ ip }) => ip === by)?.path
    expect(pathOf('192.0.2.1')).toBe('/hooks/…/x')
    expect(pathOf('192.0.2.2')).toBe('/hooks/…/x')
    expect(pathOf('192.0.2.3')).toMatch(/^\/hooks\/[a-z_]+_…$/)
    expect(events.find(({ type, keyId }) => type === 'key.revoked' && keyId === id)?.path).toBe(
      '/hooks/…',
    )
    expect(JSON.stringify(events)).not.toContain(key.slice(-40, -10))
  })

  test('of keys that do not exist are kept by their public part, without the rest', async () => {
    const { start, key } = await createApiKey({ name: 'n', clientId: 'c' })
    const forged = key.slice(0, -4) + (key.endsWith('0000') ? '1111' : '0000')
    expect((await verifyApiKey(forged, { path: '/\u202e\u0000\r\n' })).valid).toBe(false)
    await flush()
    const { events } = await listAuditEvents({ type: 'key.refused' })
    const lookup = start!.split('_').at(-1)
    const entry = events.find((event) => event.lookup === lookup)
    expect(entry).toMatchObject({
      reason: 'INVALID_KEY',
      count: 1,
      path: String.raw`/\u{202e}\u{0}\u{d}\u{a}`,
    })
    expect(JSON.stringify(entry)).not.toContain(key.slice(start!.length + 1, -14))
  })

  test('in a flood stay few, and none is uncounted', async () => {
    const countAll = async (): Promise<{ entries: number; attempts: number }> => {
      await flush()
      const [row] = await database.sql(
        `SELECT count(*)::int AS entries, coalesce(sum(count), 0)::int AS attempts
         FROM sophra_api_keys.audit WHERE type = 'key.refused'`,
      )
      return row as { entries: number; attempts: number }
    }
    const before = await countAll()
    const attempts = 20_000
    for (let attempt = 0; attempt < attempts; attempt++) {
      await verifyApiKey('nonsense', { ip: `10.${attempt >> 8}.${attempt & 255}.1` })
    }
    const after = await countAll()
    expect(after.attempts - before.attempts).toBe(attempts)
    expect(after.entries - before.entries).toBeLessThan(attempts / 2)
  })
})

test('a refusal for want of an address says what to set, and what the header claimed', async () => {
  const { id, key } = await createApiKey({ name: 'n', clientId: 'c', allowedIps: ['10.0.0.1'] })
  const claims = ['10.0.0.1', '\u001b[31m', '::ffff:10.0.0.1', 'x'.repeat(1_000)]
  for (const claimedIp of [...claims, ...claims]) await verifyApiKey(key, { claimedIp })
  await verifyApiKey(key, { ip: '10.0.0.2', claimedIp: '10.0.0.1' })
  const refused = (await entriesOf(id)).filter(({ type }) => type === 'key.refused')
  const unknown = refused.filter(({ ip }) => ip === undefined)
  expect(unknown.reduce((sum, { count }) => sum + count, 0)).toBe(8)
  expect(unknown.at(-1)).toMatchObject({
    reason: 'IP_NOT_ALLOWED',
    claimedIp: '10.0.0.1',
    hint: expect.stringMatching(/trustedProxies.*API_KEYS_TRUSTED_HOPS/),
  })
  const known = refused.filter(({ ip }) => ip !== undefined)
  expect(known).toMatchObject([{ ip: '10.0.0.2', claimedIp: '10.0.0.1', count: 1 }])
  expect(known[0]).not.toHaveProperty('hint')
})

describe('the log', () => {
  test('is read in pages, newest first, each entry once', async () => {
    const { id } = await createApiKey({ name: 'Paged', clientId: 'c' })
    for (let number = 0; number < 25; number++) await patchApiKey({ id, name: `Paged ${number}` })
    await flush()
    const pages: Entry[][] = []
    let cursor: string | null = null
    do {
      const page: Awaited<ReturnType<typeof listAuditEvents>> = await listAuditEvents({
        keyId: id,
        limit: 10,
        cursor,
      })
      pages.push(page.events)
      cursor = page.nextCursor
    } while (cursor)
    expect(pages.map((page) => page.length)).toEqual([10, 10, 6])
    const entries = pages.flat()
    expect(new Set(entries.map((entry) => entry.id)).size).toBe(26)
    const times = entries.map(({ at }) => at.getTime())
    expect(times).toEqual(times.toSorted((a, b) => b - a))
    const [first, last] = [entries.at(-1)!, entries[0]!]
    const between = await listAuditEvents({ keyId: id, from: first.at, to: last.at })
    expect(between.events.every(({ at }) => at >= first.at && at < last.at)).toBe(true)
    expect(typesOf((await listAuditEvents({ keyId: id, type: 'key.issued' })).events)).toEqual([
      'key.issued',
    ])
  })

  test('refuses what it does not know', async () => {
    const query = { limit: 0, cursor: '?', keyId: 7, type: '', from: 'x', to: NaN, more: 1 }
    expect(await invalidFields(() => untyped.listAuditEvents!(query))).toEqual(
      Object.keys(query).sort(),
    )
  })

  test('names the type that the entries of many revoked keys have', async () => {
    const fault = await faultOf(() => untyped.listAuditEvents!({ type: 'keys.revoked' }))
    expect(fault).toMatchObject({
      code: 'INVALID_INPUT',
      issues: [{ path: 'type', message: expect.stringContaining('must be key.revoked') }],
    })
    expect(await listAuditEvents({ type: 'key.unknown' as 'key.issued' })).toMatchObject({
      events: [],
    })
  })

  test('waits for the database, and is written once it is back', async () => {
    await addon.close()
    const proxy = await startProxy(database.url())
    addon.configure({ databaseUrl: proxy.url, log: 'off', argon2MemoryKib: 8, argon2Iterations: 1 })
    const { id, key } = await createApiKey({ name: 'Waiting', clientId: 'c', scopes: ['a'] })
    // The notice of its creation may arrive after the first verify: the key is looked up again then.
    await eventually(async () => {
      proxy.mend()
      await verifyApiKey(key, { scopes: ['b'] })
      proxy.cut()
      await verifyApiKey(key, { scopes: ['b'] })
    })
    expect(await faultOf(() => flush())).toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
    proxy.mend()
    const entries = await eventually(() => entriesOf(id))
    const refused = entries.filter(({ type }) => type === 'key.refused')
    expect(refused.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThanOrEqual(2)
    await addon.close()
    await proxy.close()
  })

  test('says what is lost when the addon is closed in an outage, and counts it', async () => {
    const dropped = () => Number(/^sophra_api_key_audit_dropped_total (.+)$/m.exec(metrics())![1])
    const before = dropped()
    const proxy = await startProxy(database.url())
    addon.configure({ databaseUrl: proxy.url, log: 'off', argon2MemoryKib: 8, argon2Iterations: 1 })
    await addon.listApiKeys()
    proxy.cut()
    for (let attempt = 0; attempt < 7; attempt++) await verifyApiKey('nonsense')
    const fault = await faultOf(() => addon.close())
    expect(fault).toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
    expect(fault.message).toContain('0 uses of keys and 7 attempts and changes for the audit log')
    expect(dropped() - before).toBe(7)
    await proxy.close()
    addon.configure({ databaseUrl: database.url(), argon2MemoryKib: 8, argon2Iterations: 1 })
  })

  test('forgets what is older than the retention, from the start on', async () => {
    await addon.close()
    const insert = (id: string, days: number) =>
      database.sql(
        `INSERT INTO sophra_api_keys.audit (id, at, type, count, event)
         VALUES ($1, (now() AT TIME ZONE 'UTC') - make_interval(days => $2), 'key.deleted', 1, '{}')`,
        [id, days],
      )
    await insert('kept', 89)
    await insert('forgotten', 91)
    const left = async () => {
      const rows = await database.sql(
        `SELECT id FROM sophra_api_keys.audit WHERE id IN ('kept', 'forgotten') ORDER BY id`,
      )
      return rows.map(({ id }) => id as string)
    }
    expect(await left()).toEqual(['forgotten', 'kept'])
    addon.configure({ databaseUrl: database.url(), argon2MemoryKib: 8, argon2Iterations: 1 })
    await addon.listApiKeys()
    await eventually(async () => expect(await left()).toEqual(['kept']))
  })
})

test('the event and the entry of a refused attempt have the same instant', async () => {
  const mine = (events: Iterable<{ ip?: unknown; at: Date }>): Date[] =>
    [...events].filter(({ ip }) => ip === '198.51.100.9').map(({ at }) => at)
  await verifyApiKey('nonsense', { ip: '198.51.100.9' })
  await flush()
  const { events } = await listAuditEvents({ type: 'key.refused' })
  expect(mine(events)).toHaveLength(1)
  await eventually(() => expect(mine(told)).toEqual(mine(events)))
})
