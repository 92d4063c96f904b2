import { beforeAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'
import { browser, consoleRoutes, JWT_SECRET, requestOf } from './support.js'

const database = useAddon({ jwtSecret: JWT_SECRET })

const page = browser()
let tokenId: string
beforeAll(async () => {
  const made = await addon.createAdminToken({ name: 'Ops', permissions: ['*'] })
  tokenId = made.id
  await page.signIn(made)
})

/** The rows of a file, by the rules of RFC 4180 alone. */
function rowsIn(text: string): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  const cell = /("(?:[^"]|"")*"|[^",\r\n]*)(,|\r\n)/gy
  let read = 0
  for (const [whole, value, end] of text.matchAll(cell)) {
    read += whole.length
    row.push(value!.startsWith('"') ? value!.slice(1, -1).replaceAll('""', '"') : value!)
    if (end === ',') continue
    rows.push(row)
    row = []
  }
  expect(read).toBe(text.length)
  return rows
}

async function exported(path: string): Promise<Record<string, string>[]> {
  const answer = await page.get(path)
  expect(answer.status).toBe(200)
  expect(answer.headers['content-type']).toMatch(/^text\/csv; charset=utf-8/)
  expect(answer.headers['content-disposition']).toMatch(/^attachment; filename="[\w-]+\.csv"$/)
  const [columns, ...rows] = rowsIn(answer.body)
  return rows.map((row) => {
    expect(row).toHaveLength(columns!.length)
    return Object.fromEntries(columns!.map((column, at) => [column, row[at]!]))
  })
}

test('keys are written with their fields, and what a spreadsheet would run is text', async () => {
  const hostile = ['=1+1', '+1', '-1', '@SUM(A1)', '=HYPERLINK("http://evil")', '＝1+1']
  const plain = ['a "quote", and a comma', 'Ümlaut 😀', ' =1', 'a-b', '<script>alert(1)</script>']
  for (const name of [...hostile, ...plain])
    await addon.createApiKey({ name, clientId: 'csv', scopes: ['a:b', 'c'], metadata: { a: [1] } })
  await addon.createApiKey({ name: 'lines', clientId: 'csv', description: 'a\nb\r\nc, "d"' })
  await addon.createApiKey({ name: 'other', clientId: 'elsewhere' })
  const rows = await exported('/api/keys/export?clientId=csv&sort=createdAt&order=asc')
  expect(rows.map(({ name }) => name)).toEqual([
    ...hostile.map((name) => `'${name}`),
    ...plain,
    'lines',
  ])
  expect(rows.at(-1)!.description).toBe('a\nb\r\nc, "d"')
  expect(rows[0]).toMatchObject({
    clientId: 'csv',
    scopes: 'a:b c',
    metadata: '{"a":[1]}',
    status: 'active',
    isActive: 'true',
  })
  expect(rows[0]!.createdAt).toMatch(/^\d{4}-.*Z$/)
  expect(rows[0]!.id).toMatch(/^[\w-]{36}$/)
})

test('no column has a secret', async () => {
  const { key, lookup } = (await addon.createApiKey({
    name: 'n',
    clientId: 'secret',
  })) as never as {
    key: string
    lookup?: string
  }
  const { body } = await page.get('/api/keys/export?clientId=secret')
  expect(body).not.toContain(key)
  expect(lookup).toBeUndefined()
})

test('a long list comes in pages, and all of it', async () => {
  await database.sql(
    `INSERT INTO "ApiKey" ("id", "key", "name", "clientId", "updatedAt")
     SELECT 'long' || n, 'long' || n, 'n', 'long', now() FROM generate_series(1, 2500) AS n`,
  )
  const rows = await exported('/api/keys/export?clientId=long&limit=5&cursor=x')
  expect(new Set(rows.map(({ id }) => id)).size).toBe(2_500)
})

test('an export ends with the session', async () => {
  const made = await addon.createAdminToken({ name: 'Slow', permissions: ['keys:read'] })
  const slow = browser()
  await slow.signIn(made)
  const request = requestOf('GET', '/api/keys/export', { cookie: slow.own.cookie! })
  const response = await consoleRoutes().GET(request)
  const reader = response.body!.getReader()
  expect((await reader.read()).done).toBe(false)
  await addon.revokeAdminToken(made.id)
  const rest = async () => {
    while (!(await reader.read()).done);
  }
  await expect(rest()).rejects.toThrow('The session has ended')
})

test('wrong filters are told before a file is begun', async () => {
  for (const path of [
    '/api/keys/export?status=x',
    '/api/keys/export?no=1',
    '/api/audit/export?from=x',
  ])
    expect(await page.get(path)).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } })
})

test('the audit log is written with all that an entry says', async () => {
  const { id } = await addon.createApiKey({ name: '=evil', clientId: 'audited' }, { actor: '@ann' })
  await addon.patchApiKey({ id, name: 'renamed' })
  await addon.flush()
  const rows = await exported(`/api/audit/export?keyId=${id}`)
  expect(rows).toMatchObject([
    {
      type: 'key.changed',
      name: 'renamed',
      count: '1',
      other: '',
    },
    { type: 'key.issued', name: "'=evil", actor: "'@ann", keyId: id, clientId: 'audited' },
  ])
  expect(JSON.parse(rows[0]!.changes!)).toEqual({ name: { before: '=evil', after: 'renamed' } })
  expect(
    (await exported('/api/audit/export?type=admin.signed_in')).some(
      (row) => row.tokenId === tokenId,
    ),
  ).toBe(true)
})
