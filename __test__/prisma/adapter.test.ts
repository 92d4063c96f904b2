import { afterEach, beforeEach, expect, test } from 'vitest'
import { cli } from '../cli/cli.js'
import { freshDatabase, type Database } from '../support/database.js'
import { prismaTables } from '../support/prisma-tables.js'
import { adapterFor } from './client.js'

let database: Database
beforeEach(async () => {
  database = await freshDatabase()
  await database.sql(prismaTables)
})
afterEach(() => database.drop())

test('a migration that Prisma runs through a JavaScript adapter is split, and finished by the command line', async () => {
  const env = { DATABASE_URL: database.url }
  const { stdout: script } = await cli(['migrate', '--sql'], { env })
  const adapter = await adapterFor(database.url).connect()
  // Postgres takes the whole of it.
  await expect(adapter.executeScript(script)).rejects.toThrow(/unterminated dollar-quoted string/)
  await adapter.dispose()

  const migrated = await cli(['migrate'], { env })
  expect(migrated.code, migrated.stderr).toBe(0)
  expect(
    await cli(['doctor', '--quiet'], { env: { ...env, JWT_SECRET: 's'.repeat(32) } }),
  ).toMatchObject({ code: 0 })
})
