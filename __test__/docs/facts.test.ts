import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { blocks, read } from './markdown.js'

// What pages say in SQL and patterns, where it is not enough that it can be run.

let database: Database
beforeEach(async () => {
  database = await freshDatabase()
  addon.configure({ databaseUrl: database.url, ...cheapHashing })
  await addon.migrate()
})
afterEach(async () => {
  await addon.close()
  await database.drop()
})

const statement = (page: string, about: string): string =>
  blocks(read(page), 'sql').find((text) => text.includes(about))!

describe('the key format', () => {
  const [format, example, pattern] = blocks(read('docs/concepts/key-format.md'), 'text')
  const vectors = JSON.parse(read('src/token/vectors.json')) as { key: string }[]

  test('has a pattern that finds keys', async () => {
    const { key } = await addon.createApiKey({ name: 'n', clientId: 'c' })
    const found = new RegExp(pattern!.trim())
    for (const text of [key, example!.trim()]) expect(found.exec(`"${text}"`)?.[0]).toBe(text)
  })

  test('is that of the example, which is a test vector', () => {
    expect(vectors.map(({ key }) => key)).toContain(example!.trim())
    const lengths = [...format!.matchAll(/<\w+: (\d+)>/g)].map(([, length]) => Number(length))
    const [, , lookup, rest] = example!.trim().split('_')
    expect([lookup!.length, rest!.length]).toEqual([
      lengths[0],
      lengths.slice(1).reduce((sum, length) => sum + length),
    ])
  })
})

describe('the expressions for scanners', () => {
  const page = read('docs/guides/leaked-keys.md')
  const [registered] = blocks(page, 'text')
  const [gitleaks] = blocks(page, 'toml')
  const [truffleHog] = blocks(page, 'yaml').map((text) => parse(text).detectors[0])
  const fieldOf = (name: string) => new RegExp(`^${name} = (.+)$`, 'm').exec(gitleaks!)![1]!
  const expressions = [registered!.trim(), fieldOf('regex').slice(3, -3), truffleHog.regex.key]

  test('find a key wherever it is, and nothing that is none', async () => {
    const { key } = await addon.createApiKey({ name: 'n', clientId: 'c' })
    for (const expression of expressions) {
      const found = (text: string) => new RegExp(expression).exec(text)?.[0]
      for (const around of ['…', 'KEY=…', '"…"', 'Bearer …\n', 'https://example.com/?key=…&a'])
        expect(found(around.replace('…', key))).toBe(key)
      expect(found(key.replace('_live_', '_test_'))).toBe(key.replace('_live_', '_test_'))
      for (const other of [`x${key}`, `${key}x`, key.slice(1), key.replace('_live_', '_prod_')])
        expect(found(other)).toBeUndefined()
    }
  })

  test('are run where one of the words is', async () => {
    const { key } = await addon.createApiKey({ name: 'n', clientId: 'c' })
    for (const keywords of [JSON.parse(fieldOf('keywords')), truffleHog.keywords] as string[][])
      expect(keywords.filter((word) => key.includes(word))).toEqual(['sophra_live_'])
  })
})

test('the signing key moves from the database to the environment', async () => {
  const { key } = await addon.createApiKey({ name: 'n', clientId: 'c' })
  const [row] = await database.sql(statement('docs/concepts/security.md', 'signing_keys'))
  const [signingKey] = Object.values(row!) as string[]
  await database.sql('TRUNCATE sophra_api_keys.signing_keys')
  await addon.close()
  addon.configure({ databaseUrl: database.url, signingKeys: [signingKey!], ...cheapHashing })
  expect(await addon.verifyApiKey(key)).toMatchObject({ valid: true })
})

test('legacy keys that are refused are listed', async () => {
  const keys = ['too short', 'k'.repeat(43), `${'k'.repeat(42)}é`, 'k'.repeat(256)]
  for (const [n, key] of keys.entries()) {
    await database.sql(
      `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "updatedAt") VALUES ($1, $2, 'c', 'n', now())`,
      [`old-${n}`, key],
    )
  }
  await addon.createApiKey({ name: 'ours', clientId: 'c' })
  const rows = await database.sql(statement('docs/guides/legacy-keys.md', 'IS NULL AND'))
  const listed = rows.map(({ id }) => id as string)
  expect(listed.sort()).toEqual(['old-0', 'old-2', 'old-3'])
  for (const [n, key] of keys.entries()) {
    expect((await addon.verifyApiKey(key)).valid).toBe(!listed.includes(`old-${n}`))
  }
})
