import { afterAll, beforeAll, expect, test } from 'vitest'
import { blocksOf, prose, read } from '../docs/markdown.js'
import { commandsOf, Session } from '../docs/session.js'
import { freshDatabase, type Database } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { environmentFor, jwtSecret } from '../support/example-app.js'
import { startServer, type Server } from '../support/example-server.js'
import { dump, occurring } from '../support/leaks.js'
import { prismaTables } from '../support/prisma-tables.js'
import { seed, startOldApp } from './old-app.js'

// The guide, step by step and in this order, by an app that has what its seed script made.

const guide = read('docs/moving-over.md')
const step = (title: string): string => guide.split(`\n## ${title}\n`)[1]!.split('\n## ')[0]!
const sqlOf = (title: string): string[] =>
  blocksOf('', step(title))
    .filter(({ language }) => language === 'sql')
    .map(({ text }) => text)
/** A command or statement within a sentence. */
const inline = (title: string, begins: string): string =>
  [...prose(step(title)).matchAll(/`([^`]+)`/g)]
    .map(([, text]) => text!)
    .find((text) => text.startsWith(begins))!

interface Stored {
  id: string
  name: string
  /** The key, or the token. */
  text: string
}

let database: Database
let keys: Stored[]
let tokens: Stored[]
let old: Server
let fresh: Server
let session: Session
beforeAll(async () => {
  database = await freshDatabase()
  await database.sql(prismaTables)
  await seed(database.url, { JWT_SECRET: jwtSecret })
  const stored = (sql: string) => database.sql(sql) as Promise<Stored[]>
  keys = await stored(`SELECT "id", "name", "key" AS text FROM "ApiKey"`)
  tokens = await stored(`SELECT "id", "name", "token" AS text FROM "AdminToken"`)
  old = await startOldApp(database.url)
  const texts = keys.map(({ text }) => `${text}\n`).join('')
  const file = { page: '', line: 0, language: '', file: 'keys.txt', text: texts }
  session = new Session(environmentFor(database.url), [file])
})
afterAll(async () => {
  await Promise.all([old?.stop(), fresh?.stop()])
  session?.end()
  await database?.drop()
})

async function runCommands(title: string): Promise<void> {
  const blocks = blocksOf('', step(title)).filter(({ language }) => language === 'bash')
  for (const command of blocks.flatMap(commandsOf))
    expect(await session.run(command), command.text).toBe(undefined)
}

const statusOf = async ({ url }: Server, path: string, init: RequestInit): Promise<number> =>
  (await fetch(url + path, init)).status
const search = (server: Server, key: string): Promise<number> =>
  statusOf(server, '/api/search', { headers: { 'x-api-key': key } })
const list = (server: Server, token: string): Promise<number> =>
  statusOf(server, '/api/keys', { headers: { 'x-admin-token': token } })
const tokenOf = (name: string): string => tokens.find((token) => token.name === name)!.text

async function asAdmin({ url }: Server, method: string, body?: object, query = ''): Promise<any> {
  const response = await fetch(`${url}/api/keys${query}`, {
    method,
    headers: { 'x-admin-token': tokenOf('prod-api-1') },
    body: body && JSON.stringify(body),
  })
  expect(response.ok, `${method} ${response.status} ${old.output().slice(-3000)}`).toBe(true)
  return response.json()
}

/** Every statement of the old app. */
async function useOldApp(): Promise<void> {
  const { id, key } = await asAdmin(old, 'POST', { name: 'Made', clientId: 'made' })
  expect(await search(old, key)).toBe(200)
  await asAdmin(old, 'PUT', { id, name: 'Put', regenerateKey: true })
  await asAdmin(old, 'PATCH', { id, isActive: false })
  await asAdmin(old, 'GET')
  await asAdmin(old, 'DELETE', undefined, `?id=${id}`)
}

/** Does this while the old app is used, by more requests than it has connections. */
async function besideOldApp(action: () => Promise<void>): Promise<void> {
  let isDone = false
  let rounds = 0
  const use = async () => {
    while (!isDone || rounds < 40) {
      await useOldApp()
      rounds++
    }
  }
  const users = Promise.all(Array.from({ length: 8 }, use))
  await Promise.all([users, action().finally(() => (isDone = true))])
}

test('1. Look: it changes nothing', async () => {
  await besideOldApp(async () => {})
  const before = await dump(database.sql)
  expect(await session.run({ line: 0, text: 'npx @sophra/api-keys doctor', code: 1 })).toBe(
    undefined,
  )
  for (const look of sqlOf('1. Look')) await database.sql(look)
  expect(await dump(database.sql)).toBe(before)
})

test('2. Migrate: the old app does not notice, there and back', async () => {
  await besideOldApp(() => runCommands('2. Migrate'))
  const [back] = sqlOf('2. Migrate')
  await besideOldApp(() => eventually(async () => void (await database.sql(`ROLLBACK; ${back!}`))))
  await besideOldApp(() => runCommands('2. Migrate'))
  for (const { text } of keys) expect(await search(old, text)).toBe(200)
}, 120_000)

test('4. Replace the routes: every old key is one, and old tokens may do what their names say', async () => {
  const [route] = blocksOf('', step('4. Replace the routes')).filter(({ file }) => file)
  expect(read('examples/nextjs/app/api/keys/route.ts')).toContain(route!.text.split('\n\n')[1]!)
  fresh = await startServer(environmentFor(database.url))

  const each = inline('4. Replace the routes', 'npx @sophra/api-keys keys verify --each')
  expect(await session.run({ line: 0, text: each })).toBe(undefined)
  for (const { name, text } of tokens)
    expect([name, await list(fresh, text)]).toEqual([name, name.includes('-api-') ? 200 : 403])

  const grant = inline('4. Replace the routes', 'UPDATE "AdminToken"')
  await database.sql(grant.replace('…', 'prod-backup-1'))
  await eventually(async () => expect(await list(fresh, tokenOf('prod-backup-1'))).toBe(200))
  expect(await list(fresh, tokenOf('staging-backup-1'))).toBe(403)
})

test('5. Run both: they share the keys, but for those that the new version makes', async () => {
  const [one, other, deleted] = keys as [Stored, Stored, Stored]
  const [{ count }] = (await database.sql(
    `SELECT "usageCount" AS count FROM "ApiKey" WHERE "id" = $1`,
    [one.id],
  )) as [{ count: number }]
  for (const server of [old, fresh]) expect(await search(server, one.text)).toBe(200)
  await eventually(async () => {
    const [row] = await database.sql(`SELECT "usageCount" AS count FROM "ApiKey" WHERE "id" = $1`, [
      one.id,
    ])
    expect(row!.count).toBe(count + 2)
  })

  for (const [writer, reader] of [
    [old, fresh],
    [fresh, old],
  ] as const) {
    for (const isActive of [false, true]) {
      await asAdmin(writer, 'PATCH', { id: other.id, isActive })
      await eventually(async () =>
        expect(await search(reader, other.text)).toBe(isActive ? 200 : 401),
      )
    }
  }
  await asAdmin(old, 'DELETE', undefined, `?id=${deleted.id}`)
  await eventually(async () => expect(await search(fresh, deleted.text)).toBe(401))

  const known = inline('5. Run both', 'SELECT "id", "name" FROM "ApiKey"')
  expect(await database.sql(known)).toEqual([])
  const made = await asAdmin(fresh, 'POST', { name: 'Made here', clientId: 'c' })
  const rotated = await asAdmin(fresh, 'PUT', {
    id: other.id,
    regenerateKey: true,
    gracePeriodSeconds: 600,
  })
  for (const key of [made.key, rotated.key, other.text]) {
    expect(await search(fresh, key)).toBe(200)
    expect(await search(old, key)).toBe(401)
  }
  expect((await database.sql(known)).map(({ id }) => id).sort()).toEqual([made.id, other.id].sort())
  // The old version makes the keys that those clients need after the way back.
  await asAdmin(old, 'PUT', { id: other.id, regenerateKey: true })
  const [row] = await database.sql(`SELECT "key" FROM "ApiKey" WHERE "id" = $1`, [other.id])
  other.text = row!.key as string
  expect(await search(old, other.text)).toBe(200)
  keys = keys.filter((key) => key !== deleted)
})

test('6. Adopt: every key is valid, none is stored, and the old version knows none', async () => {
  await old.stop()
  await runCommands('6. Adopt')
  const texts = [...keys, ...tokens].map(({ text }) => text)
  expect(occurring(texts, await dump(database.sql))).toEqual([])
  old = await startOldApp(database.url)
  for (const { text } of keys) {
    expect(await search(fresh, text)).toBe(200)
    expect(await search(old, text)).toBe(401)
  }
  for (const { name, text } of tokens)
    expect([name, await list(fresh, text)]).toEqual([
      name,
      name.includes('-api-') || name === 'prod-backup-1' ? 200 : 403,
    ])
})

test('the old seed script deletes all admin tokens, and those that it makes are refused', async () => {
  await seed(database.url, { KEYS: '0' })
  const made = await database.sql(`SELECT "token" AS text FROM "AdminToken"`)
  expect(made).toHaveLength(20)
  for (const { text } of made) expect(await list(fresh, text as string)).toBe(401)
  for (const { text } of tokens)
    await eventually(async () => expect(await list(fresh, text)).toBe(401))
})
