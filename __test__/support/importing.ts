import { createHash } from 'node:crypto'
import { afterEach, beforeEach } from 'vitest'
import { cli, json } from '../cli/cli.js'
import { addon, cheapHashing } from './addon.js'
import type { Finished } from './child.js'
import { freshDatabase, type Database } from './database.js'

/** The command `import` on a database of its own for each test, which the addon of this process uses too. */
export interface Importing {
  readonly database: Database
  env(of?: Database): Record<string, string>
  /** Makes the addon of this process use the database. */
  use(of: Database): void
  /** Runs `import` with these arguments and this standard input. */
  run(args: string[], input?: string | Buffer): Promise<Finished>
  /** What it prints as JSON. */
  counts(args: string[], input?: string): Promise<any>
}

const SECRETS = { JWT_SECRET: 'the JWT secret of this test, of 32 bytes or more' }

export function useImporting(): Importing {
  let database: Database
  const use = (of: Database) =>
    addon.configure({ databaseUrl: of.url, jwtSecret: SECRETS.JWT_SECRET, ...cheapHashing })
  const env = (of = database) => ({ DATABASE_URL: of.url, ...SECRETS })
  beforeEach(async () => {
    database = await freshDatabase()
    use(database)
    await addon.migrate()
  })
  afterEach(async () => {
    await addon.close()
    await database.drop()
  })
  return {
    get database() {
      return database
    },
    env,
    use,
    run: (args, input) => cli(['import', ...args], { env: env(), input }),
    counts: (args, input) => json(['import', ...args], { env: env(), input }),
  }
}

export const digestOf = (
  key: string,
  encoding: 'hex' | 'base64' | 'base64url' = 'hex',
  algorithm = 'sha256',
): string => createHash(algorithm).update(key).digest(encoding)
