import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { faultOf, invalidFields } from '../support/faults.js'
import { startPeer, type Peer } from '../support/peer.js'
import { useAddon } from '../support/use-addon.js'

const { deleteClient, getClient, setClient } = addon

const { sql, url } = useAddon()

let peer: Peer
beforeAll(async () => {
  await addon.migrate()
  peer = await startPeer({ databaseUrl: url(), ...cheapHashing })
})
afterAll(() => peer.stop())
beforeEach(() => sql('DELETE FROM sophra_api_keys.clients'))

const set = (clientId: string, parentId: string | null = null): Promise<unknown> =>
  setClient({ clientId, parentId })
const refused = async (clientId: string, parentId: string): Promise<void> =>
  expect(await invalidFields(() => set(clientId, parentId))).toEqual(['parentId'])
const parents = async (): Promise<object> => {
  const rows = await sql('SELECT client_id, parent_id FROM sophra_api_keys.clients ORDER BY 1')
  return Object.fromEntries(rows.map(({ client_id, parent_id }) => [client_id, parent_id]))
}

test('a parent must have settings', async () => {
  await refused('a', 'nobody')
  expect(await getClient('a')).toBeNull()
  await set('a')
  await refused('a', 'nobody')
  const { message } = await faultOf(() => set('a', 'nobody'))
  expect(message).toBe('Invalid input: parentId must be a client that was set before')
})

test('there are three levels', async () => {
  await set('top')
  await set('middle', 'top')
  await set('bottom', 'middle')
  await refused('fourth', 'bottom')
  expect(await parents()).toEqual({ top: null, middle: 'top', bottom: 'middle' })
  await set('other', 'middle')
  expect(await getClient('other')).toMatchObject({ parentId: 'middle' })
})

test('a fourth level cannot be made from above', async () => {
  await set('top')
  await set('middle', 'top')
  await set('bottom', 'middle')
  await set('above')
  await refused('top', 'above')
  await set('two')
  await set('one', 'two')
  // Two levels above, and two from here on.
  await refused('middle', 'one')
  expect(await parents()).toMatchObject({ top: null, middle: 'top' })
  await set('bottom', null)
  await set('top', 'above')
  expect(await parents()).toMatchObject({ top: 'above', middle: 'top', bottom: null })
})

test('there are no circles', async () => {
  await refused('self', 'self')
  await set('self')
  await refused('self', 'self')
  await set('a')
  await set('b', 'a')
  await refused('a', 'b')
  await set('c', 'b')
  await refused('a', 'c')
  const { message } = await faultOf(() => set('a', 'c'))
  expect(message).toContain('parentId must not lead to a circle, or to more than three levels')
  expect(await parents()).toEqual({ self: null, a: null, b: 'a', c: 'b' })
})

test('another field of a child can be set, and the parent replaced and left', async () => {
  await set('top')
  await set('other')
  await set('child', 'top')
  expect(await setClient({ clientId: 'child', name: 'n' })).toMatchObject({ parentId: 'top' })
  expect(await setClient({ clientId: 'child', parentId: 'top' })).toMatchObject({ parentId: 'top' })
  await set('child', 'other')
  await deleteClient('top')
  await set('child')
  await deleteClient('other')
  expect(await parents()).toEqual({ child: null })
})

/** How the two calls end, by their codes; those that succeed have none. */
const codesOf = async (calls: Promise<unknown>[]): Promise<(string | undefined)[]> => {
  const ends = await Promise.allSettled(calls)
  return ends.map((end) =>
    end.status === 'rejected' ? (end.reason as { code: string }).code : undefined,
  )
}
const there = (clientId: string, parentId: string | null): Promise<unknown> =>
  peer.run(
    ({ api }, ...set) => api.setClient({ clientId: set[0], parentId: set[1] }),
    clientId,
    parentId,
  )

describe('at the same time', () => {
  test.each(['here', 'in two processes'])(
    'two changes make no circle together, %s',
    async (where) => {
      const second = where === 'here' ? set : there
      for (let round = 0; round < 20; round++) {
        const [a, b] = [`a${round}`, `b${round}`]
        await Promise.all([set(a), set(b)])
        const codes = await codesOf([set(a, b), second(b, a)])
        expect(codes.sort()).toEqual(['INVALID_INPUT', undefined])
      }
    },
  )

  test('two changes make no fourth level together', async () => {
    for (let round = 0; round < 20; round++) {
      const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => `${name}${round}`) as [
        string,
        string,
        string,
        string,
      ]
      await Promise.all([set(a), set(b), set(c), set(d)])
      await Promise.all([set(b, a), set(d, c)])
      const codes = await codesOf([set(c, b), there(a, d)])
      expect(codes.sort()).toEqual(['INVALID_INPUT', 'INVALID_INPUT'])
      const ends = await codesOf([set(b, null), set(d, null)])
      expect(ends).toEqual([undefined, undefined])
      // a ← b and c ← d may each be joined once.
      const joined = await codesOf([set(b, a), there(a, c), set(c, d)])
      expect(joined.filter((code) => code === undefined).length).toBe(2)
    }
  })

  test('a parent is deleted, or gets a child', async () => {
    const outcomes = new Set<string>()
    for (let round = 0; round < 20; round++) {
      const parent = `parent${round}`
      await set(parent)
      const codes = await codesOf([deleteClient(parent), there(`child${round}`, parent)])
      outcomes.add(JSON.stringify(codes))
    }
    const allowed = [
      [undefined, 'INVALID_INPUT'],
      ['CONFLICT', undefined],
    ]
    for (const outcome of outcomes)
      expect(allowed.map((one) => JSON.stringify(one))).toContain(outcome)
  })

  test('many children of one parent are changed', async () => {
    await set('parent')
    const calls = Array.from({ length: 30 }, (_, number) =>
      number % 2 ? set(`child${number}`, 'parent') : there(`child${number}`, 'parent'),
    )
    const changes = Array.from({ length: 10 }, (_, number) =>
      setClient({ clientId: 'parent', name: `${number}` }),
    )
    expect(await codesOf([...calls, ...changes])).toEqual(Array(40).fill(undefined))
  })
})
