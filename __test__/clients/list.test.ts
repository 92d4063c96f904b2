import { beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, deleteClient, getClient, listClients, setClient } = addon
type Query = NonNullable<Parameters<typeof listClients>[0]>
type Page = Awaited<ReturnType<typeof listClients>>
type Client = Page['clients'][number]

const { sql } = useAddon()

/** All pages, one after the other; `between` runs before each next one is asked for. */
async function walk(
  query: Query = {},
  between: () => Promise<unknown> = async () => {},
): Promise<Client[]> {
  const seen: Client[] = []
  let cursor: string | null = null
  do {
    const page: Page = await listClients({ ...query, cursor })
    expect(page.clients.length).toBeLessThanOrEqual(query.limit ?? 100)
    seen.push(...page.clients)
    cursor = page.nextCursor
    if (cursor) await between()
  } while (cursor)
  return seen
}

const ids = (clients: Client[]): string[] => clients.map(({ clientId }) => clientId)
const found = async (search: string): Promise<string[]> => ids(await walk({ search })).sort()

describe('pages', () => {
  beforeAll(async () => {
    for (let number = 0; number < 25; number++) {
      const { createdAt } = await setClient({ clientId: `page ${number}`, name: 'Paged' })
      // createdAt has milliseconds, and equal ones tie.
      while (Date.now() <= createdAt.getTime());
    }
  })

  test('come newest first and name every client once', async () => {
    const clients = await walk({ limit: 7 })
    const expected = Array.from({ length: 25 }, (_, number) => `page ${24 - number}`)
    expect(ids(clients)).toEqual(expected)
    const times = clients.map(({ createdAt }) => createdAt.getTime())
    expect(times).toEqual([...times].sort((a, b) => b - a))
    expect(clients).toEqual(await Promise.all(expected.map((clientId) => getClient(clientId))))
  })

  test.each([1, 5, 24, 25, 26, 1_000])('of %i clients end with a null cursor', async (limit) => {
    expect(await walk({ limit, search: 'Paged' })).toHaveLength(25)
  })

  test('stay whole while clients are set and deleted', async () => {
    const before = ids(await walk())
    let round = 0
    const disturb = async (): Promise<void> => {
      await setClient({ clientId: `new ${round++}` })
      if (round % 2 === 0) await deleteClient(`new ${round - 1}`)
    }
    expect(ids(await walk({ limit: 3 }, disturb))).toEqual(before)
    expect(round).toBeGreaterThan(5)
    await sql(`DELETE FROM sophra_api_keys.clients WHERE client_id LIKE 'new %'`)
  })

  test('go on behind a cursor whose own client is gone', async () => {
    const first = await listClients({ limit: 1 })
    expect(ids(first.clients)).toEqual(['page 24'])
    await deleteClient('page 24')
    const next = await listClients({ limit: 1, cursor: first.nextCursor })
    expect(ids(next.clients)).toEqual(['page 23'])
    await setClient({ clientId: 'page 24', name: 'Paged' })
  })

  test('are not doubled or skipped where createdAt is equal', async () => {
    await sql(`UPDATE sophra_api_keys.clients SET created_at = '2020-01-01'`)
    const whole = ids(await walk())
    expect(new Set(whole).size).toBe(25)
    for (const limit of [1, 4, 24]) expect(ids(await walk({ limit }))).toEqual(whole)
    await sql('DELETE FROM sophra_api_keys.clients')
  })
})

describe('a search', () => {
  beforeAll(async () => {
    await setClient({ clientId: 'acme-42', name: 'Ключ Доступа' })
    await setClient({ clientId: 'plain', name: '50% off_a\\b' })
    await setClient({ clientId: 'UPPER-case', name: null })
  })

  test.each<[string, string[]]>([
    ['acme', ['acme-42']],
    ['ME-4', ['acme-42']],
    ['ключ', ['acme-42']],
    ['ДОСТУП', ['acme-42']],
    ['0% o', ['plain']],
    ['f_a\\b', ['plain']],
    ['___', []],
    ['%%%', []],
    ['upper-CASE', ['UPPER-case']],
    ['not there', []],
    // Not across the two fields.
    ['Доступаacme', []],
  ])('for %j', async (search, expected) => {
    expect(await found(search)).toEqual(expected)
  })
})

test('a client is listed with the number of its keys, and one without settings is not', async () => {
  await setClient({ clientId: 'with-keys' })
  for (const clientId of ['with-keys', 'with-keys', 'no-settings'])
    await createApiKey({ name: 'n', clientId })
  const listed = await walk()
  expect(listed.find(({ clientId }) => clientId === 'with-keys')).toMatchObject({ keyCount: 2 })
  expect(ids(listed)).not.toContain('no-settings')
})

describe('rows of another writer', () => {
  const rows: [string, string][] = [
    ['an empty id', `(client_id) VALUES ('')`],
    ['an id with control characters', `(client_id) VALUES (E'a\\n\\t\\u202e')`],
    ['a long id', `(client_id) VALUES (repeat('x', 2000))`],
    ['a long name', `(client_id, name) VALUES ('h1', repeat('😀', 10000))`],
    ['metadata that is no object', `(client_id, metadata) VALUES ('h2', '[1]')`],
    ['metadata that is null', `(client_id, metadata) VALUES ('h3', 'null')`],
    ['a number beyond a double', `(client_id, metadata) VALUES ('h4', '{"a": 1e400}')`],
    ['a list with NULL', `(client_id, allowed_ips) VALUES ('h5', ARRAY[NULL, '10.0.0.1'])`],
    ['a list of lists', `(client_id, allowed_ips) VALUES ('h6', ARRAY[['a', NULL], ['b', 'c']])`],
    ['a list from 5', `(client_id, allowed_ips) VALUES ('h7', '[5:6]={a,b}')`],
    ['a negative maxKeys', `(client_id, max_keys) VALUES ('h8', -5)`],
    [
      'the end of time',
      `(client_id, created_at, updated_at) VALUES ('h9', 'infinity', '-infinity')`,
    ],
  ]

  test('leave every page readable', async () => {
    for (const [, row] of rows) await sql(`INSERT INTO sophra_api_keys.clients ${row}`)
    const [{ count }] = (await sql('SELECT count(*)::integer FROM sophra_api_keys.clients')) as [
      { count: number },
    ]
    const listed = await walk({ limit: 1 })
    expect(listed).toHaveLength(count)
    expect(new Set(ids(listed)).size).toBe(count)
    const of = (clientId: string): Client => listed.find((one) => one.clientId === clientId)!
    expect(of('h2').metadata).toBeNull()
    expect(of('h4').metadata).toBeNull()
    expect(of('h5').allowedIps).toEqual(['', '10.0.0.1'])
    expect(of('h6').allowedIps).toEqual(['a', '', 'b', 'c'])
    expect(of('h7').allowedIps).toEqual(['a', 'b'])
    expect(of('h8').maxKeys).toBe(-5)
    for (const client of listed) expect(client.createdAt).toBeInstanceOf(Date)
  })

  test('can be read, set and deleted', async () => {
    for (let number = 1; number <= 9; number++) {
      const clientId = `h${number}`
      expect(await getClient(clientId)).toMatchObject({ clientId })
      expect(await setClient({ clientId, isActive: false })).toMatchObject({ isActive: false })
    }
    // What nobody can read is not lost.
    const [kept] = await sql(
      `SELECT metadata::text FROM sophra_api_keys.clients WHERE client_id = 'h2'`,
    )
    expect(kept).toEqual({ metadata: '[1]' })
    for (let number = 1; number <= 9; number++) await deleteClient(`h${number}`)
  })
})
