import { expect } from 'vitest'
import { addon } from './addon.js'
import { startScript, type Running } from './child.js'
import { useAddon } from './use-addon.js'

const { createApiKey } = addon

type Key = Awaited<ReturnType<typeof createApiKey>>
type Env = Record<string, string>

/** How often `verify()` verifies. */
export const USES = 25
/** An interval that never comes: what is stored, the end of the process has stored. */
const NEVER = { API_KEYS_FLUSH_INTERVAL_MS: '600000' }
/** Without a secret, a process warns. */
const SECRET = { JWT_SECRET: 'a secret that is long enough to be one' }

export const newKey = (limit: object = {}): Promise<Key> =>
  createApiKey({ name: 'n', clientId: 'c', ...limit })

/** A script's verifies of the key in its environment. */
export const verify = (times = USES): string =>
  `for (let n = 0; n < ${times}; n++) await api.verifyApiKey(process.env.KEY);`

/** Keeps a script alive until the test ends it. */
export const STAY = `const staying = setInterval(() => {}, 1_000);`

/** The expected output of a process. */
export const silent = { stdout: '', stderr: '' }

/** A process that has done what it does first, and waits. */
export async function started(source: string, env: Env): Promise<Running> {
  const child = startScript(source, { env })
  expect(await child.next()).toBe('ready')
  return child
}

/** A database, and what processes that end have left in it. */
export function useEndings() {
  const database = useAddon()
  const rowOf = async ({ id }: Key): Promise<Record<string, unknown>> => {
    const [row] = await database.sql(
      `SELECT "usageCount"::int AS uses, "suspendedUntil" IS NOT NULL AS suspended
       FROM "ApiKey" WHERE "id" = $1`,
      [id],
    )
    return row!
  }
  return {
    ...database,
    envFor: ({ key }: Key, env: Env = {}): Env => ({
      DATABASE_URL: database.url(),
      KEY: key,
      ...NEVER,
      ...SECRET,
      ...env,
    }),
    usesOf: async (key: Key) => (await rowOf(key)).uses as number,
    isSuspended: async (key: Key) => (await rowOf(key)).suspended as boolean,
  }
}
