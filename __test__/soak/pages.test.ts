import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshDatabase, type Database } from '../support/database.js'
import { startPeer, type Peer } from '../support/peer.js'
import { explain, type Query } from './support/explain.js'
import { fillTable, MATCHES } from './support/rows.js'

const PAGE = 100
const ROUNDS = 20
const CALLS = 10
const AIM = 2

interface Table {
  rows: number
  database: Database
  /** Lists them from a process of its own. */
  peer: Peer
}

async function makeTable(rows: number): Promise<Table> {
  const database = await freshDatabase()
  const peer = await startPeer({ databaseUrl: database.url })
  await peer.run(({ api }) => api.migrate())
  await fillTable(database, rows)
  return { rows, database, peer }
}

let small: Table
let large: Table
beforeAll(async () => {
  small = await makeTable(10_000)
  large = await makeTable(1_000_000)
}, 30 * 60_000)
afterAll(async () => {
  for (const { peer, database } of [small, large]) {
    await peer.stop()
    await database.drop()
  }
})

/** Filter; `true`: it matches all rows, or a part of them that is as large in both tables. */
const FILTERS: [string, Query, boolean?][] = [
  ['no filter', {}, true],
  ['clientId', { clientId: 'marked' }],
  ['isActive', { isActive: false }],
  ['createdBy', { createdBy: 'ann' }],
  ['status active', { status: 'active' }, true],
  ['status expired', { status: 'expired' }],
  ['status revoked', { status: 'revoked' }],
  ['status suspended', { status: 'suspended' }],
  ['status disabled', { status: 'disabled' }],
  ['expiresBefore', { expiresBefore: '2150-01-01' }],
  ['unusedSince', { unusedSince: '2150-01-01' }, true],
  ['createdAfter', { createdAfter: '2024-01-01T00:10:00Z' }, true],
  ['createdBefore', { createdBefore: '2150-01-01' }, true],
  ['scope that is rare', { scope: 'rare:scope' }],
  ['scope of half the keys', { scope: 'docs:read' }, true],
  ['metadata that is rare', { metadata: { plan: 'rare' } }],
  ['metadata of a fifth of the keys', { metadata: { plan: 'plan-3' } }, true],
  ['search of a code', { search: 'fy94' }],
  ['search of a word', { search: 'quarterly' }],
  ['search of a word that is frequent', { search: 'used by' }, true],
  ['search of nothing', { search: 'no such word' }],
  ['clientId and isActive', { clientId: 'marked', isActive: true }],
  ['search of a code and isActive', { search: 'fy94', isActive: true }],
]
/** Filters that a thousand keys pass, in orders that say nothing of them. */
const RARE: Query[] = [
  { clientId: 'marked' },
  { createdBy: 'ann' },
  { isActive: false },
  { expiresBefore: '2150-01-01' },
  { status: 'expired' },
  { status: 'revoked' },
  { status: 'suspended' },
  { status: 'disabled' },
  { status: 'disabled', unusedSince: '2150-01-01' },
]
const SORTS = ['lastUsedAt', 'expiresAt', 'usageCount', 'name'] as const

test.each(FILTERS)('pages of a hundred, %s', async (name, filter, all = false) => {
  const matches = ({ rows }: Table): number => (all ? rows / 8 : MATCHES)
  await compare(`${name}, first`, { ...filter, limit: PAGE }, { ...filter, limit: PAGE })
  if (filter.search === 'no such word') return
  const deep = async (table: Table): Promise<Query> => ({
    ...filter,
    limit: PAGE,
    cursor: await half(table, filter, Math.floor(matches(table) / 2_000) * 1_000 || 500),
  })
  await compare(`${name}, deep`, await deep(small), await deep(large))
})

test.each(SORTS)('pages of a hundred, by %s', async (sort) => {
  for (const order of ['asc', 'desc'] as const) {
    const query = { sort, order, limit: PAGE }
    await compare(`by ${sort}, ${order}, first`, query, query)
    const deep = async (table: Table): Promise<Query> => ({
      ...query,
      cursor: await half(table, { sort, order }, table.rows / 2),
    })
    await compare(`by ${sort}, ${order}, deep`, await deep(small), await deep(large))
    const searched = { ...query, search: 'fy94' }
    await compare(`by ${sort}, ${order}, search of a code`, searched, searched)
    for (const filter of RARE) {
      const what = `by ${sort}, ${order}, ${JSON.stringify(filter)}`
      await compare(what, { ...query, ...filter }, { ...query, ...filter })
      const deepOf = async (table: Table): Promise<Query> => ({
        ...query,
        ...filter,
        cursor: await half(table, { ...filter, sort, order }, MATCHES / 2),
      })
      await compare(`${what}, deep`, await deepOf(small), await deepOf(large))
    }
  }
})

test('a search of a rare word takes no longer after any ANALYZE', async () => {
  const query = { search: 'fy94', limit: PAGE }
  const worst: number[] = []
  for (let round = 0; round < 25; round++) {
    await large.database.sql(`ANALYZE "ApiKey"`)
    worst.push(median(await list(large, query)))
  }
  console.log(
    `after each of 25 ANALYZEs: ${median(worst).toFixed(2)} ms, at most ${Math.max(...worst).toFixed(2)} ms`,
  )
})

/** The cursor after so many keys. */
async function half({ peer }: Table, filter: Query, count: number): Promise<string> {
  const limit = Math.min(count, 1_000)
  const { cursor, seen } = await peer.run(
    async ({ api }, query, pages) => {
      const seen = new Set<string>()
      let cursor: string | null = null
      for (let page = 0; page < pages; page++) {
        const { keys, nextCursor } = await api.listApiKeys({ ...query, cursor })
        for (const { id } of keys) seen.add(id)
        cursor = nextCursor
      }
      return { cursor, seen: seen.size }
    },
    { ...filter, limit },
    count / limit,
  )
  expect(seen).toBe(count)
  return cursor!
}

/** The same page of both tables in turn; a plan is printed where the larger one is much slower. */
async function compare(what: string, ofSmall: Query, ofLarge: Query): Promise<void> {
  const times: [number[], number[]] = [[], []]
  for (let round = 0; round < ROUNDS; round++) {
    times[0].push(...(await list(small, ofSmall)))
    times[1].push(...(await list(large, ofLarge)))
  }
  const [smallMs, largeMs] = times.map(median) as [number, number]
  const ratio = largeMs / smallMs
  console.log(
    `${what}: ${smallMs.toFixed(2)} ms of ${small.rows} rows,` +
      ` ${largeMs.toFixed(2)} ms of ${large.rows}: ${ratio.toFixed(2)} × (aim ${AIM})`,
  )
  if (ratio > AIM) console.log(await explain(large.database, ofLarge))
}

/** Milliseconds of several calls. */
async function list({ peer }: Table, query: Query): Promise<number[]> {
  const { times, lengths } = await peer.run(
    async ({ api }, query, calls) => {
      const times: number[] = []
      const lengths: number[] = []
      for (let call = 0; call < calls; call++) {
        const start = performance.now()
        const { keys } = await api.listApiKeys(query)
        times.push(performance.now() - start)
        lengths.push(keys.length)
      }
      return { times, lengths }
    },
    query,
    CALLS,
  )
  const length = query.search === 'no such word' ? 0 : PAGE
  expect(lengths).toEqual(Array.from({ length: CALLS }, () => length))
  return times
}

const median = (numbers: number[]): number =>
  numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!
