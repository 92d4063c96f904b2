import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshDatabase, type Database } from '../support/database.js'
import { environmentFor, jwtSecret } from '../support/example-app.js'
import { startServer, type Server } from '../support/example-server.js'
import { inSeconds } from '../support/old-rows.js'
import { jwt } from '../support/jwt.js'
import { prismaTables } from '../support/prisma-tables.js'
import { read } from '../docs/markdown.js'
import { differences, send, type Answer } from './answers.js'
import { DIFFERENCES, type Difference } from './differences.js'
import { startOldApp } from './old-app.js'
import { requestsOf, type Credentials, type Sent } from './requests.js'

const ROWS = 600
const token = (claims: object, secret = jwtSecret): string =>
  jwt(
    { alg: 'HS256', typ: 'JWT' },
    { iat: inSeconds(-60), exp: inSeconds(3_600), ...claims },
    secret,
  )
const named = (name: string) => ({ type: 'admin', name })

/** The names of the tokens that have a row. */
const STORED = {
  good: 'prod-api-1',
  monitoring: 'prod-monitoring-1',
  another: 'Somebody',
  unsigned: 'prod-api-2',
  expired: 'prod-api-3',
  revoked: 'prod-api-4',
}
const credentials: Credentials = {
  tokens: {
    good: token(named(STORED.good)),
    monitoring: token(named(STORED.monitoring)),
    another: token(named(STORED.another)),
    unsigned: token(named(STORED.unsigned), 'another secret, of 32 bytes or more'),
    expired: token({ ...named(STORED.expired), iat: inSeconds(-7_200), exp: inSeconds(-3_600) }),
    revoked: token(named(STORED.revoked)),
    deleted: token(named('prod-api-5')),
    user: token({ type: 'user', name: 'prod-api-6' }),
  },
  keys: {
    good: 'Zm9vYmFyYmF6cXV4LTAxMjM0NTY3ODlfYWJjZGVmZ2g',
    disabled: 'QmFyZm9vYmF6cXV4LTAxMjM0NTY3ODlfYWJjZGVmZ2g',
    expired: 'RXhwYmFyYmF6cXV4LTAxMjM0NTY3ODlfYWJjZGVmZ2g',
    listed: 'TGlzdGVkLXF1eC1iYXotMDEyMzQ1Njc4OV9hYmNkZWY',
    limited: 'TGltaXRlZC1xdXgtYmF6LTAxMjM0NTY3ODlfYWJjZGU',
    unknown: 'Tm9ib2R5cy1xdXgtYmF6LTAxMjM0NTY3ODlfYWJjZGU',
  },
}
const rowOf = (n: number): string => `row-${n}`
const requests = requestsOf(credentials, rowOf)

async function prepared(): Promise<Database> {
  const database = await freshDatabase()
  await database.sql(prismaTables)
  await database.sql(
    `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "createdAt", "updatedAt", "usageCount")
     SELECT 'row-' || n, 'plaintext-of-row-' || n, 'client', 'Row ' || n, timestamp '2023-01-01' + n * interval '1 s', now(), n
     FROM generate_series(0, ${ROWS}) AS n`,
  )
  const { good, disabled, expired, listed, limited } = credentials.keys
  await database.sql(
    `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "updatedAt", "isActive", "expiresAt", "allowedIps", "rateLimit", "createdAt") VALUES
       ('good', $1, 'shop', 'Good', now(), true, NULL, '{}', NULL, '2022-01-01'),
       ('disabled', $2, 'shop', 'Disabled', now(), false, NULL, '{}', NULL, '2022-01-02'),
       ('expired', $3, 'shop', 'Expired', now(), true, '2023-01-01', '{}', NULL, '2022-01-03'),
       ('listed', $4, 'shop', 'Listed', now(), true, NULL, '{10.0.0.1}', NULL, '2022-01-04'),
       ('limited', $5, 'shop', 'Limited', now(), true, NULL, '{}', 1, '2022-01-05')`,
    [good, disabled, expired, listed, limited],
  )
  for (const [what, name] of Object.entries(STORED))
    await database.sql(
      `INSERT INTO "AdminToken" ("id", "token", "name", "isActive", "updatedAt") VALUES ($1, $2, $3, $4, now())`,
      [what, credentials.tokens[what as keyof typeof STORED], name, what !== 'revoked'],
    )
  return database
}

type Stored = Map<string, string>

/** What changes can be asked for, of each row. A limit of 0 is none. */
async function storedIn({ sql }: Database): Promise<Stored> {
  const rows = await sql(
    `SELECT "id", json_build_array("clientId", "name", "description", "isActive", "expiresAt", "allowedIps", nullif("rateLimit", 0))::text AS row
     FROM "ApiKey" WHERE "id" LIKE 'row-%'`,
  )
  return new Map(rows.map(({ id, row }) => [id as string, row as string]))
}

let databases: Database[]
let servers: Server[]
let before: Stored
/** What was sent, and the answers of both. */
const answered: { sent: Sent; was: Answer; is: Answer }[] = []
beforeAll(async () => {
  databases = await Promise.all([prepared(), prepared()])
  const [there, here] = databases as [Database, Database]
  before = await storedIn(here)
  servers = await Promise.all([startOldApp(there.url), startServer(environmentFor(here.url))])
  for (const sent of requests) {
    const answers = await Promise.all(servers.map(({ url }) => send(url, sent)))
    const [was, is] = answers as [Answer, Answer]
    answered.push({ sent, was, is })
  }
})
afterAll(async () => {
  await Promise.all(servers?.map((server) => server.stop()) ?? [])
  await Promise.all(databases?.map((database) => database.drop()) ?? [])
})

const reference = read('docs/reference/http.md')

test('every answer is that of the old app, or differs as the reference says', () => {
  expect(answered.length).toBeGreaterThanOrEqual(200)
  const used = new Set<Difference>()
  const unexplained = answered.flatMap(({ sent, was, is }) =>
    differences(sent, was, is).filter((found) => {
      const explanations = DIFFERENCES.filter(({ pattern }) => pattern.test(found))
      for (const explanation of explanations) used.add(explanation)
      return explanations.length !== 1
    }),
  )
  expect(unexplained).toEqual([])
  expect(DIFFERENCES.filter((difference) => !used.has(difference))).toEqual([])
})

test('what both accept is stored alike, and what is refused here changes nothing', async () => {
  const [there, here] = (await Promise.all(databases.map(storedIn))) as [Stored, Stored]
  // Each row is that of one request.
  for (const [n, { was, is }] of answered.entries()) {
    const id = rowOf(n)
    if (is.status >= 400) expect([n, here.get(id)]).toEqual([n, before.get(id)])
    else if (was.status < 400) expect([n, here.get(id)]).toEqual([n, there.get(id)])
  }
})

test('the reference has each of the differences, and each new field', () => {
  // The width of a column depends on the other rows.
  const text = reference.replace(/ +\|/g, ' |')
  for (const { row } of DIFFERENCES) expect(text).toContain(`\n${row}`)

  const found = answered.flatMap(({ sent, was, is }) => differences(sent, was, is))
  const added = found.flatMap((line) => /^new: (?!key$)(\w+)/.exec(line)?.[1] ?? [])
  const [, documented] = /\n- Key objects have new fields: (.*)\.\n/.exec(reference)!
  const names = [...documented!.matchAll(/`(\w+)`/g)].map(([, name]) => name)
  expect([...new Set(added)].sort()).toEqual(names.sort())
})
