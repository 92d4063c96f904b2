import { afterAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { faultOf } from '../support/faults.js'
import { useAddon } from '../support/use-addon.js'

const { deleteClient, flush, listAuditEvents, onEvent, setClient } = addon

const { sql } = useAddon()

type Event = Parameters<Parameters<typeof onEvent>[0]>[0]

const told: Event[] = []
const stop = onEvent((event) => void told.push(event))
afterAll(() => stop())

/** The events about a client, when there are this many. */
const eventsOf = (clientId: string, count: number): Promise<Event[]> =>
  eventually(() => {
    const mine = told.filter((event) => 'clientId' in event && event.clientId === clientId)
    expect(mine).toHaveLength(count)
    return mine
  })

test('changes are reported and kept, with their actor and the values before and after', async () => {
  await setClient({ clientId: 'above' })
  const actor = 'ann@example.com'
  const clientId = 'acme'
  await setClient({ clientId, name: 'Acme', maxKeys: 5, metadata: { secret: 1 } }, { actor })
  await setClient(
    {
      clientId,
      name: 'Acme',
      isActive: false,
      maxKeys: null,
      metadata: { secret: 2 },
      allowedIps: ['10.0.0.1'],
      parentId: 'above',
    },
    { actor },
  )
  await deleteClient(clientId, { actor })

  const common = { severity: 'info', at: expect.any(Date), clientId, actor }
  const events = await eventsOf(clientId, 3)
  expect(events).toEqual([
    {
      ...common,
      type: 'client.changed',
      name: 'Acme',
      changes: {
        name: { before: null, after: 'Acme' },
        maxKeys: { before: null, after: 5 },
        metadata: {},
      },
    },
    {
      ...common,
      type: 'client.changed',
      name: 'Acme',
      changes: {
        isActive: { before: true, after: false },
        maxKeys: { before: 5, after: null },
        allowedIps: { before: [], after: ['10.0.0.1'] },
        parentId: { before: null, after: 'above' },
        metadata: {},
      },
    },
    { ...common, type: 'client.deleted' },
  ])

  await flush()
  const kept = (await listAuditEvents()).events.filter((event) => event.clientId === clientId)
  const stored = events.map(({ severity: _, ...event }) => ({
    ...event,
    id: expect.any(String),
    count: 1,
  }))
  expect(kept.reverse()).toEqual(stored)
  expect(JSON.stringify([kept, events])).not.toContain('secret')
  const rows = await sql(`SELECT key_id FROM sophra_api_keys.audit WHERE type LIKE 'client.%'`)
  expect(new Set(rows.map(({ key_id }) => key_id))).toEqual(new Set([null]))
  const { events: deleted } = await listAuditEvents({ type: 'client.deleted' })
  expect(deleted).toMatchObject([{ clientId, actor }])
})

test('a set that changes nothing says so', async () => {
  const clientId = 'same'
  const input = { clientId, metadata: { b: 1, a: [2] }, allowedIps: ['10.0.0.1'], maxKeys: 3 }
  await setClient(input)
  await setClient({ ...input, metadata: { a: [2], b: 1 } })
  await setClient({ clientId })
  const [first, ...others] = await eventsOf(clientId, 3)
  expect(Object.keys((first as { changes: object }).changes).sort()).toEqual([
    'allowedIps',
    'maxKeys',
    'metadata',
  ])
  for (const event of others) {
    expect(event).toEqual({
      type: 'client.changed',
      severity: 'info',
      at: expect.any(Date),
      clientId,
    })
  }
})

test('nothing is reported of what was refused', async () => {
  await setClient({ clientId: 'parent' })
  await setClient({ clientId: 'child', parentId: 'parent' })
  await faultOf(() => setClient({ clientId: 'parent', parentId: 'child' }))
  await faultOf(() => setClient({ clientId: 'refused', parentId: 'nobody' }))
  await faultOf(() => deleteClient('parent'))
  await faultOf(() => deleteClient('nobody'))
  await setClient({ clientId: 'last' })
  await eventsOf('last', 1)
  for (const [clientId, count] of [
    ['parent', 1],
    ['child', 1],
    ['refused', 0],
    ['nobody', 0],
  ] as const)
    await eventsOf(clientId, count)
})

test('long and hostile texts are cut and escaped', async () => {
  const clientId = 'x\u202ey'
  const allowedIps = Array.from({ length: 100 }, (_, number) => `10.0.0.${number}`)
  await setClient({ clientId, name: `${'n'.repeat(254)}\u2028`, allowedIps })
  const [event] = await eventsOf('x\\u{202e}y', 1)
  expect(event).toMatchObject({
    name: expect.stringMatching(/^n{240,255}/),
    changes: { allowedIps: { before: [], after: allowedIps } },
  })
  expect(JSON.stringify(event)).not.toMatch(/[\u202e\u2028]/)
})
