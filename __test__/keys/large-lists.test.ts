import { createRequire } from 'node:module'
import { beforeAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { HOST, next } from '../support/next.js'
import { useSetting } from '../support/setting.js'

const require = createRequire(import.meta.url)
const { readList } = require('../../lib/lists.js') as {
  readList<T>(answer: string, revive: (row: T) => T): Promise<{ rows: T[]; nextCursor: string }>
}

const setting = useSetting({
  jwtSecret: 'the secret of the lists, of 32 bytes or more',
  statementTimeoutMs: 60_000,
})

const ROWS = 600
/** With metadata of 8 KiB each. */
beforeAll(async () => {
  await setting.sql(
    `INSERT INTO "ApiKey" ("id", "key", "lookup", "clientId", "name", "createdAt", "updatedAt", "metadata")
     SELECT 'large-' || n, 'hash ' || n, 'lookup ' || n, 'large', 'Large',
       timestamp '2024-01-01' + n * interval '1 second', now(),
       jsonb_build_object('n', n, 'text', repeat(E'\\n', 4000))
     FROM generate_series(1, $1::integer) AS n`,
    [ROWS],
  )
})

const expected = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `large-${from - index}`)

test('a long list is read in parts, between which other work goes on', async () => {
  const row = { text: 'x'.repeat(1_000) }
  const rows = Array.from({ length: 2_000 }, (_, id) => ({ id, ...row }))
  const answer = ['{"value":{"nextCursor":"c"}}', ...rows.map((row) => JSON.stringify(row))].join(
    '\n',
  )
  let turns = 0
  let most = 0
  let sinceTurn = 0
  const turn = (): void => {
    turns++
    sinceTurn = 0
    if (turns > 0) pending = setImmediate(turn)
  }
  let pending = setImmediate(turn)
  const list = await readList<object>(answer, (row) => {
    most = Math.max(most, ++sinceTurn)
    return row
  })
  clearImmediate(pending)
  expect(list).toEqual({ nextCursor: 'c', rows })
  expect(turns).toBeGreaterThanOrEqual(10)
  expect(most).toBeLessThanOrEqual(300)
})

test('a list of large keys is complete and in order', async () => {
  const { keys, nextCursor } = await addon.listApiKeys({ clientId: 'large', limit: 500 })
  expect(keys.map(({ id }) => id)).toEqual(expected(ROWS, 500))
  expect(keys[0]).toMatchObject({
    createdAt: new Date('2024-01-01T00:10:00Z'),
    metadata: { n: ROWS, text: '\n'.repeat(4_000) },
  })
  const rest = await addon.listApiKeys({ clientId: 'large', limit: 500, cursor: nextCursor })
  expect(rest.keys.map(({ id }) => id)).toEqual(expected(ROWS - 500, ROWS - 500))
  expect(rest.nextCursor).toBeNull()
})

test('an empty list and a fault are what they were', async () => {
  expect(await addon.listApiKeys({ clientId: 'nobody' })).toEqual({ keys: [], nextCursor: null })
  await expect(addon.listApiKeys({ limit: 0 })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
})

/** The response of the route to an admin. */
async function ask(query: string): Promise<Response> {
  const { token } = await addon.createAdminToken({ name: 'Reader', permissions: ['keys:read'] })
  const headers = { 'x-admin-token': token }
  return next.apiKeyRoutes().GET(new Request(`${HOST}/api/keys${query}`, { headers }))
}

const pagesRead = (): number =>
  setting.tap.statements.filter((text) => /"previousKeyExpiresAt"[^]*ORDINALITY/.test(text)).length

test('the route sends keys before it has read all of them', async () => {
  const before = pagesRead()
  const response = await ask('?clientId=large')
  expect(response.headers.get('content-type')).toBe('application/json')
  expect(response.headers.get('link')).toBeNull()
  const reader = response.body!.getReader()
  const decoder = new TextDecoder()
  const first = await reader.read()
  expect(pagesRead() - before).toBe(1)
  let text = decoder.decode(first.value, { stream: true })
  let largest = text.length
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    largest = Math.max(largest, part.value.length)
    text += decoder.decode(part.value, { stream: true })
  }
  const keys = JSON.parse(text) as { id: string; createdAt: string }[]
  expect(keys.map(({ id }) => id)).toEqual(expected(ROWS, ROWS))
  expect(keys[0]!.createdAt).toBe('2024-01-01T00:10:00.000Z')
  expect(pagesRead() - before).toBe(3)
  expect(largest).toBeLessThan(128 * 1024)
})

test('the next page of the route begins where the first ends, though keys are deleted meanwhile', async () => {
  const response = await ask('?clientId=large&limit=400')
  const link = /^<\/api\/keys(\?[^>]+)>; rel="next"$/.exec(response.headers.get('link')!)![1]!
  // The first part is in memory already; the second is read after this.
  await setting.sql(`DELETE FROM "ApiKey" WHERE "id" IN ('large-300', 'large-201')`)
  const first = (await response.json()) as { id: string }[]
  const second = (await (await ask(link)).json()) as { id: string }[]
  const ids = [...first, ...second].map(({ id }) => id)
  const left = expected(ROWS, ROWS).filter((id) => id !== 'large-300' && id !== 'large-201')
  expect(ids).toEqual(left)
})

test('a request that is given up reads no more', async () => {
  const response = await ask('?clientId=large')
  const before = pagesRead()
  const reader = response.body!.getReader()
  await reader.read()
  await reader.cancel()
  expect(pagesRead()).toBe(before)
})
