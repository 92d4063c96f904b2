import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshDatabase, type Database } from '../support/database.js'
import { environmentFor, jwtSecret } from '../support/example-app.js'
import { startServer, type Server } from '../support/example-server.js'
import { inSeconds } from '../support/old-rows.js'
import { jwt } from '../support/jwt.js'
import { prismaTables } from '../support/prisma-tables.js'
import { read } from '../docs/markdown.js'
import { differences, send } from './answers.js'
import { DIFFERENCES, type Difference } from './differences.js'
import { startOldApp } from './old-app.js'
import { requestsOf, type Credentials } from './requests.js'

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

let databases: Database[]
let old: Server
let fresh: Server
beforeAll(async () => {
  databases = await Promise.all([prepared(), prepared()])
  const [before, after] = databases
  ;[old, fresh] = await Promise.all([
    startOldApp(before!.url),
    startServer(environmentFor(after!.url)),
  ])
})
afterAll(async () => {
  await Promise.all([old?.stop(), fresh?.stop()])
  await Promise.all(databases?.map((database) => database.drop()) ?? [])
})

const reference = read('docs/reference/http.md')
const [, documented] = /\n- Key objects have new fields: (.*)\.\n/.exec(reference)!

test('every answer is that of the old app, or differs as the reference says', async () => {
  expect(requests.length).toBeGreaterThanOrEqual(200)
  const unexplained: string[] = []
  const used = new Set<Difference>()
  const added = new Set<string>()
  for (const sent of requests) {
    const [was, is] = await Promise.all([send(old.url, sent), send(fresh.url, sent)])
    for (const found of differences(sent, was, is)) {
      const explanations = DIFFERENCES.filter(({ pattern }) => pattern.test(found))
      if (explanations.length !== 1)
        unexplained.push(`${found}: ${sent.method} ${sent.body ?? sent.path}`)
      for (const explanation of explanations) used.add(explanation)
      const [, name] = /^new: (?!key$)(\w+)/.exec(found) ?? []
      if (name) added.add(name)
    }
  }
  expect(unexplained).toEqual([])
  expect(DIFFERENCES.filter((difference) => !used.has(difference))).toEqual([])
  expect([...added].sort()).toEqual(
    [...documented!.matchAll(/`(\w+)`/g)].map(([, name]) => name).sort(),
  )
})

test('the reference has each of the differences', () => {
  // The width of a column depends on the other rows.
  const text = reference.replace(/ +\|/g, ' |')
  for (const { row } of DIFFERENCES) expect(text).toContain(`\n${row}`)
})
