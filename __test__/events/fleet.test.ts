import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { startPeer, type Peer } from '../support/peer.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, deleteApiKey, onEvent, patchApiKey } = addon

type Event = Parameters<Parameters<typeof onEvent>[0]>[0]

const { sql, url } = useAddon()

let peer: Peer
beforeAll(async () => {
  peer = await startPeer({ databaseUrl: url(), ...cheapHashing })
})
afterAll(() => peer.stop())

const stops: (() => void)[] = []
afterEach(() => stops.splice(0).forEach((stop) => stop()))

/** Listens to the fleet. Resolves once the database knows of it. */
async function listen(): Promise<Event[]> {
  const events: Event[] = []
  // The start has warnings of its own.
  const heard = (event: Event) => {
    if (/^(key|client|role)/.test(event.type)) events.push(event)
  }
  stops.push(onEvent(heard, { fleet: true }))
  const { id } = await createApiKey({ name: 'probe', clientId: 'probe' })
  await eventually(async () => {
    await sql(`UPDATE "ApiKey" SET "name" = gen_random_uuid() WHERE "id" = $1`, [id])
    expect(events.some(({ type }) => type === 'key.changed')).toBe(true)
  }, 30_000)
  // Those of the probe may still be on their way.
  return new Proxy(events, {
    get: (target, name) =>
      Reflect.get(
        target.filter((event) => !('clientId' in event && event.clientId === 'probe')),
        name,
      ),
  })
}

test('a listener hears what others do, once, and what its own process does, once', async () => {
  const events = await listen()
  const alone: Event[] = []
  stops.push(onEvent((event) => void alone.push(event)))
  const id = await peer.run(async ({ api }) => {
    const actor = 'ann'
    const { id } = await api.createApiKey({ name: 'n', clientId: 'c' }, { actor })
    await api.patchApiKey({ id, name: 'm', expiresAt: '2030-01-01T00:00:00Z' }, { actor })
    await api.revokeApiKey({ id, reason: 'unused', note: 'why' }, { actor })
    await api.restoreApiKey(id, { actor })
    await api.deleteApiKey(id, { actor })
    await api.setClient({ clientId: 'c', name: 'C' }, { actor })
    return id
  })
  await sql(`DELETE FROM sophra_api_keys.clients`)
  const own = await createApiKey({ name: 'own', clientId: 'c' })
  await patchApiKey({ id: own.id, description: 'd' })
  await sql(`UPDATE "ApiKey" SET "suspendedUntil" = '2030-01-01' WHERE "id" = $1`, [own.id])
  await deleteApiKey(own.id)
  await eventually(() => expect(events).toHaveLength(11))
  const at = expect.any(Date)
  const key = { severity: 'info', at, keyId: id, clientId: 'c', actor: 'ann' }
  const heard = events.filter((event) => 'keyId' in event && event.keyId === id)
  expect(heard).toEqual([
    { ...key, type: 'key.issued', name: 'n' },
    {
      ...key,
      type: 'key.changed',
      name: 'm',
      changes: {
        name: { before: 'n', after: 'm' },
        expiresAt: { before: null, after: new Date('2030-01-01T00:00:00Z') },
      },
    },
    { ...key, type: 'key.revoked', name: 'm', reason: 'unused', note: 'why' },
    { ...key, type: 'key.restored', name: 'm', changes: expect.any(Object) },
    { ...key, type: 'key.deleted', name: 'm' },
  ])
  const ofOwn = events.filter((event) => 'keyId' in event && event.keyId === own.id)
  expect(ofOwn.map(({ type }) => type).sort()).toEqual([
    ...['key.changed', 'key.deleted', 'key.issued', 'key.suspended'],
  ])
  expect(ofOwn.find(({ type }) => type === 'key.suspended')).toMatchObject({
    severity: 'warning',
    suspendedUntil: new Date('2030-01-01T00:00:00Z'),
  })
  expect(events.filter(({ type }) => type.startsWith('client.'))).toMatchObject([
    { type: 'client.changed', clientId: 'c', name: 'C', actor: 'ann' },
    { type: 'client.deleted', clientId: 'c' },
  ])
  // The other listener hears of its own process alone.
  expect(alone.map(({ type }) => type)).toEqual(['key.issued', 'key.changed', 'key.deleted'])
})

test('a listener hears who sets and deletes roles', async () => {
  const events = await listen()
  const ofRoles = (): Event[] => events.filter(({ type }) => type.startsWith('role.'))
  await peer.run(async ({ api }) => {
    const by = { actor: 'ann' }
    await api.setRole({ name: 'editor', scopes: ['a'] }, by)
    await api.setRole({ name: 'editor', scopes: ['a'] }, by)
    await api.setRole({ name: 'editor', scopes: ['b', 'c'] }, by)
    await api.deleteRole('editor', by)
  })
  await addon.setRole({ name: 'own', scopes: [] })
  await sql(`UPDATE sophra_api_keys.roles SET name = E'o\nther', scopes = '{x}'`)
  await sql(`DELETE FROM sophra_api_keys.roles`)
  await eventually(() => expect(ofRoles()).toHaveLength(7))
  const [common, changed] = [{ role: 'editor', actor: 'ann' }, 'role.changed']
  expect(ofRoles().filter((event) => 'role' in event && event.role === 'editor')).toMatchObject([
    { ...common, type: changed, changes: { scopes: { before: [], after: ['a'] } } },
    { ...common, type: changed, changes: { scopes: { before: ['a'], after: ['b', 'c'] } } },
    { ...common, type: 'role.deleted' },
  ])
  expect(
    ofRoles()
      .filter((event) => 'role' in event && event.role !== 'editor')
      .map((event) => ({ ...event, at: undefined })),
  ).toMatchObject([
    { type: changed, role: 'own' },
    { type: 'role.deleted', role: 'own' },
    { type: changed, role: 'o\\u{a}ther', changes: { scopes: { before: [], after: ['x'] } } },
    { type: 'role.deleted', role: 'o\\u{a}ther' },
  ])
})

test('texts of other writers are escaped, and nobody writes notices for those who no longer listen', async () => {
  const events = await listen()
  const { id } = await createApiKey({ name: 'n', clientId: 'c' })
  await sql(`UPDATE "ApiKey" SET "name" = E'\\u202e\\n[31m' WHERE "id" = $1`, [id])
  await eventually(() => expect(events.some(({ type }) => type === 'key.changed')).toBe(true))
  expect(JSON.stringify(events)).not.toMatch(/\u202e|\\n|\\u001b/)
  stops.splice(0).forEach((stop) => stop())
  await sql(`UPDATE sophra_api_keys.notice_readers SET seen_at = now() - interval '3 minutes'`)
  const count = async () =>
    (await sql(`SELECT count(*)::integer AS count FROM sophra_api_keys.notices`))[0]?.['count']
  const before = await count()
  await sql(`UPDATE "ApiKey" SET "name" = 'quiet' WHERE "id" = $1`, [id])
  expect(await count()).toBe(before)
})

test('options are checked', () => {
  const options: [unknown, string][] = [
    [{ fleet: 'yes' }, 'options.fleet'],
    [{ scope: 'fleet' }, 'options'],
    ['fleet', 'options'],
  ]
  for (const [wrong, path] of options)
    expect(() => onEvent(() => {}, wrong as never)).toThrowError(
      expect.objectContaining({
        code: 'INVALID_INPUT',
        issues: [expect.objectContaining({ path })],
      }),
    )
  for (const right of [undefined, null, {}, { fleet: null }, { fleet: false }])
    onEvent(() => {}, right)()
})
