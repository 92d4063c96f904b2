import { afterEach, beforeEach } from 'vitest'
import { addon } from './addon.js'
import { freshDatabase, type Database } from './database.js'

/** Gives each test of the file an empty database of its own, and closes the addon after it. */
export function useDatabaseEach(): Database {
  const database = {} as Database
  beforeEach(async () => {
    Object.assign(database, await freshDatabase())
  })
  afterEach(async () => {
    await addon.close()
    await database.drop()
  })
  return database
}
