import { afterAll, beforeAll } from 'vitest'
import { addon, cheapHashing } from './addon.js'
import { freshDatabase, type Database, type Row } from './database.js'

type Options = Parameters<typeof addon.configure>[0]

/**
 * Gives the test file a database of its own and the addon configured for it. The limiter never
 * suspends here, since a suspension outlives the refusal that a test asks about.
 */
export function useAddon(options: Options = {}): { url(): string; sql: Database['sql'] } {
  let database: Database
  beforeAll(async () => {
    database = await freshDatabase()
    addon.configure({
      databaseUrl: database.url,
      suspensionSeconds: 0,
      ...cheapHashing,
      ...options,
    })
  })
  afterAll(async () => {
    await addon.close()
    await database.drop()
  })
  return {
    url: () => database.url,
    sql: (text, params): Promise<Row[]> => database.sql(text, params),
  }
}
