import { describe, expect, test } from 'vitest'
import { untyped } from '../support/addon.js'
import {
  alien,
  badAddresses,
  type Case,
  chars,
  count,
  cyclic,
  flag,
  label,
  list,
  metadataOf,
  noObject,
  text,
  throwingGetter,
} from '../support/bad-values.js'
import { invalidFields } from '../support/faults.js'
import { useAddon } from '../support/use-addon.js'

const { deleteClient, getClient, listClients, setClient } = untyped

const { sql } = useAddon()

const notNull = (cases: Case[]): Case[] => cases.filter(([, value]) => value !== null)

describe.each<[string, Case[]]>([
  ['clientId', label],
  ['name', notNull(label)],
  ['isActive', [...flag, ['null', null]]],
  [
    'metadata',
    [
      ...alien.filter(([what]) => what !== 'an object' && what !== 'a map'),
      ['text', '{}'],
      ['a number', 1],
      ['an array', []],
      ['more than 8 KiB', metadataOf(8_193)],
    ],
  ],
  ['allowedIps', list],
  ['maxKeys', [...count.filter(([, value]) => value !== 0), ['1,000,001', 1_000_001]]],
  ['parentId', notNull(label)],
])('setClient refuses as %s', (field, cases) => {
  test.each(cases)('%s', async (_what, value) => {
    expect(await invalidFields(() => setClient({ clientId: 'c', [field]: value }))).toEqual([field])
  })
})

describe('setClient names', () => {
  test.each([...badAddresses, null, 1, {}])('the place of a bad address: %#', async (bad) => {
    const allowedIps = ['10.0.0.1', bad]
    const ask = (): unknown => setClient({ clientId: 'c', allowedIps })
    expect(await invalidFields(ask)).toEqual(['allowedIps[1]'])
  })

  test.each<[string, unknown, string[]]>([
    ['what is missing', {}, ['clientId']],
    [
      'several fields',
      { name: 1, maxKeys: -1, isActive: 0 },
      ['clientId', 'isActive', 'maxKeys', 'name'],
    ],
    [
      'fields that there are not',
      { clientId: 'c', scopes: [], keyCount: 1 },
      ['keyCount', 'scopes'],
    ],
    [
      'the place of a bad value in metadata',
      { clientId: 'c', metadata: { a: [NaN] } },
      ['metadata.a[0]'],
    ],
    ['a field whose getter throws', throwingGetter({ clientId: 'c' }, 'name'), ['name']],
  ])('%s', async (_what, input, fields) => {
    expect(await invalidFields(() => setClient(input))).toEqual(fields)
  })

  test('metadata that holds itself', async () => {
    const [path] = await invalidFields(() => setClient({ clientId: 'c', metadata: cyclic() }))
    expect(path).toMatch(/^metadata/)
  })

  test.each(noObject)('an input that is %s', async (_what, input) => {
    expect(await invalidFields(() => setClient(input))).toEqual([''])
  })
})

describe('the options of a change', () => {
  test.each(notNull(label))('have no actor that is %s', async (_what, actor) => {
    expect(await invalidFields(() => setClient({ clientId: 'c' }, { actor }))).toEqual(['actor'])
    expect(await invalidFields(() => deleteClient('c', { actor }))).toEqual(['actor'])
  })

  test('have no other fields', async () => {
    expect(await invalidFields(() => setClient({ clientId: 'c' }, { by: 'x' }))).toEqual(['by'])
    expect(await invalidFields(() => deleteClient('c', { by: 'x' }))).toEqual(['by'])
  })
})

describe.each(Object.entries({ getClient, deleteClient }))('%s', (_name, call) => {
  const ids: Case[] = [...text, ['null', null], ['undefined', undefined], ['nothing', '']]
  test.each(ids)('refuses as an id %s', async (_what, id) => {
    expect(await invalidFields(() => call(id))).toEqual(['clientId'])
  })
})

describe('listClients', () => {
  test.each<[string, object, string[]]>([
    ['a limit of 0', { limit: 0 }, ['limit']],
    ['a limit above 1,000', { limit: 1_001 }, ['limit']],
    ['a fraction', { limit: 1.5 }, ['limit']],
    ['a cursor that is none', { cursor: 'x' }, ['cursor']],
    ['a cursor with NUL', { cursor: Buffer.from('1:a\0').toString('base64url') }, ['cursor']],
    ['a search of two characters', { search: 'ab' }, ['search']],
    ['a long search', { search: chars(256) }, ['search']],
    ['filters that there are not', { clientId: 'c', isActive: true }, ['clientId', 'isActive']],
  ])('refuses %s', async (_what, query, fields) => {
    expect(await invalidFields(() => listClients(query))).toEqual(fields)
  })

  test.each([[], [undefined], [null], [{}], [{ limit: null, cursor: null, search: null }]])(
    'takes nothing for all: %#',
    async (...args) => {
      expect(await listClients(...args)).toMatchObject({ nextCursor: null })
    },
  )
})

test('nothing that was refused was stored', async () => {
  expect(await sql('SELECT FROM sophra_api_keys.clients')).toEqual([])
})
