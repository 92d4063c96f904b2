import { beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { invalidFields } from '../support/faults.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, deleteApiKey, listApiKeys } = addon
type Query = NonNullable<Parameters<typeof listApiKeys>[0]>
type Key = Awaited<ReturnType<typeof listApiKeys>>['keys'][number]

const database = useAddon()

/** All pages, one after the other; `between` runs before each next one is asked for. */
async function walk(
  query: Query,
  between: () => Promise<unknown> = async () => {},
): Promise<Key[]> {
  const seen: Key[] = []
  let cursor: string | null = null
  do {
    const page: { keys: Key[]; nextCursor: string | null } = await listApiKeys({ ...query, cursor })
    expect(page.keys.length).toBeLessThanOrEqual(query.limit ?? 1_000)
    seen.push(...page.keys)
    cursor = page.nextCursor
    if (cursor) await between()
  } while (cursor)
  return seen
}

const names = (keys: Key[]): string[] => keys.map((key) => key.name)
const listed = async (query: Query): Promise<string[]> => names((await listApiKeys(query)).keys)

/** Creates a key that is older than the next one: createdAt has milliseconds, and equal ones tie. */
async function create(name: string, more: object = {}): Promise<{ id: string }> {
  const issued = await createApiKey({ name, clientId: 'list', ...more })
  while (Date.now() <= issued.createdAt.getTime());
  return issued
}

describe('pages', () => {
  beforeAll(async () => {
    for (let number = 0; number < 25; number++)
      await create(`page ${number}`, { clientId: 'pages' })
  })

  test('come newest first and name every key once', async () => {
    const keys = await walk({ clientId: 'pages', limit: 7 })
    expect(names(keys)).toHaveLength(25)
    expect(new Set(names(keys)).size).toBe(25)
    const times = keys.map((key) => key.createdAt.getTime())
    expect(times).toEqual([...times].sort((a, b) => b - a))
  })

  test.each([1, 5, 24, 25, 26, 1_000])('of %i keys end with a null cursor', async (limit) => {
    expect(await walk({ clientId: 'pages', limit })).toHaveLength(25)
  })

  test('are not doubled or skipped where createdAt is equal', async () => {
    await database.sql(`UPDATE "ApiKey" SET "createdAt" = '2020-01-01' WHERE "clientId" = 'pages'`)
    const whole = await walk({ clientId: 'pages' })
    expect(new Set(names(whole)).size).toBe(25)
    expect(names(await walk({ clientId: 'pages', limit: 4 }))).toEqual(names(whole))
  })

  test('stay whole while keys are inserted and deleted', async () => {
    const before = names(await walk({ clientId: 'pages' }))
    let round = 0
    const disturb = async (): Promise<void> => {
      const { id } = await create(`new ${round++}`, { clientId: 'pages' })
      if (round % 2 === 0) await deleteApiKey(id)
    }
    const after = names(await walk({ clientId: 'pages', limit: 3 }, disturb))
    expect(round).toBeGreaterThan(5)
    // A new key is newer than every page that is still to come.
    expect(after).toEqual(before)
  })

  test('go on behind a cursor whose own key is gone', async () => {
    for (const name of ['c', 'b', 'a']) await create(name, { clientId: 'gone' })
    const first = await listApiKeys({ clientId: 'gone', limit: 1 })
    await deleteApiKey(first.keys[0]!.id)
    const rest = await listApiKeys({ clientId: 'gone', cursor: first.nextCursor })
    expect(names([...first.keys, ...rest.keys])).toEqual(['a', 'b', 'c'])
  })
})

describe('filters', () => {
  test('without a query everything is listed', async () => {
    expect((await listApiKeys()).keys.length).toBeGreaterThan(0)
    expect(await listApiKeys({})).toEqual(await listApiKeys())
    const nothing = { limit: null, cursor: null, clientId: null, isActive: null, search: null }
    expect(await listApiKeys(nothing)).toEqual(await listApiKeys())
  })

  test('clientId matches exactly', async () => {
    for (const clientId of ['exact', 'Exact', 'exact-2'])
      await create(`of ${clientId}`, { clientId })
    expect(await listed({ clientId: 'exact' })).toEqual(['of exact'])
    expect(await listed({ clientId: 'exac_' })).toEqual([])
  })

  test('isActive', async () => {
    await create('on', { clientId: 'activity' })
    await create('off', { clientId: 'activity', isActive: false })
    expect(await listed({ clientId: 'activity', isActive: true })).toEqual(['on'])
    expect(await listed({ clientId: 'activity', isActive: false })).toEqual(['off'])
    expect(await listed({ clientId: 'activity' })).toEqual(['off', 'on'])
  })

  test('search looks into name and description, whatever the case', async () => {
    await create('Needle in the name', { clientId: 'search' })
    await create('other', { clientId: 'search', description: 'a neeDLE in the description' })
    await create('neither', { clientId: 'search' })
    expect(await listed({ clientId: 'search', search: 'needle' })).toEqual([
      'other',
      'Needle in the name',
    ])
    expect(await listed({ search: 'NEEDLE', isActive: false })).toEqual([])
  })

  test.each([
    ['100%', ['is 100% sure']],
    ['a_b', ['a_b_c']],
    ['x\\y', ['path x\\y']],
    ['%%%', []],
    ['___', []],
    ['\\\\\\', []],
    ["'; D", ["Robert'; DROP TABLE"]],
    ['日本語', ['日本語キー']],
  ])('search takes %j literally', async (search, expected) => {
    const clientId = `literal ${search}`
    const all = ['is 100% sure', 'is 100 sure', 'a_b_c', 'aXbXc', 'path x\\y', 'path xy']
    for (const name of [...all, "Robert'; DROP TABLE", '日本語キー'])
      await create(name, { clientId })
    expect(await listed({ clientId, search })).toEqual(expected)
  })
})

describe('cursors', () => {
  beforeAll(async () => {
    for (const name of ['one', 'two', 'three']) await create(name, { clientId: 'cursors' })
  })

  const cursorOf = async (query: Query): Promise<string> =>
    (await listApiKeys({ ...query, limit: 1 })).nextCursor!

  test('may change the size of the page', async () => {
    const cursor = await cursorOf({ clientId: 'cursors' })
    expect(await listed({ clientId: 'cursors', cursor, limit: 50 })).toEqual(['two', 'one'])
  })

  test('are a place in the order, whatever the filters of the next page', async () => {
    const cursor = await cursorOf({ clientId: 'cursors' })
    expect(await listed({ clientId: 'cursors', isActive: false, cursor })).toEqual([])
    expect(await listed({ clientId: 'cursors', search: 'one', cursor })).toEqual(['one'])
    expect(await listed({ clientId: 'cursors', search: 'three', cursor })).toEqual([])
    expect(await listed({ clientId: 'no-such-client', cursor })).toEqual([])
  })

  const encoded = (value: unknown): string =>
    Buffer.from(JSON.stringify(value)).toString('base64url')

  test.each([
    '',
    'x',
    'null',
    '0',
    'AAAAAAAAAAAAAAAAAAAA',
    '../../etc/passwd',
    "' OR 1=1 --",
    'é',
    '\u0000',
    '\ud800',
    'A'.repeat(100_000),
    encoded({}),
    encoded([]),
    encoded({ createdAt: '2020-01-01', id: 'x' }),
    encoded([1577836800000, 'x']),
    '[1577836800000,"x"]',
  ])('made up are refused: %#', async (cursor) => {
    expect(await invalidFields(() => listApiKeys({ cursor }))).toEqual(['cursor'])
  })
})
