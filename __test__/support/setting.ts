import { afterAll, beforeAll } from 'vitest'
import { addon, cheapHashing } from './addon.js'
import { freshDatabase, type Database } from './database.js'
import { startPeer, type Peer } from './peer.js'
import { promptly } from './promptly.js'
import { stats } from './stats.js'
import { startTap, type Tap } from './tap.js'

export type Options = NonNullable<Parameters<typeof addon.configure>[0]>
export type NewKey = Parameters<typeof addon.createApiKey>[0]
export type Issued = Awaited<ReturnType<typeof addon.createApiKey>>

/** A database; this process, which reaches it through a tap; and another process, which reaches it directly. */
export interface Setting {
  /** How this process is configured. */
  options: Options
  database: Database
  tap: Tap
  peer: Peer
  sql: Database['sql']
  /** Keys that this process has never seen: the other one makes them. */
  coldKeys(count: number, fields?: Partial<NewKey>): Promise<Issued[]>
  /** The same, each verified once. */
  warmKeys(count: number, fields?: Partial<NewKey>): Promise<Issued[]>
  /** The work that `action` causes in this process. */
  cost(action: () => Promise<unknown>): Promise<Cost>
  /** Settles when this process knows of everything that was committed before. */
  caughtUp(): Promise<void>
}

export interface Cost {
  hashes: number
  selects: number
  /** Statements of any kind, but for those that go on beside all calls. */
  statements: string[]
}

/**
 * The change log and its check, the flush of usage and of the audit log, what becomes of usage, the deliveries to webhooks, what
 * prunes, the search for hashes without a lookup, and the listener.
 */
export const BESIDE =
  /sophra_api_keys\.(change_log|changes|usage_batches|fold_usage|copy_key_usage|prune_usage_history|webhook_call|shared_limits|audit|reused_keys)|DELETE FROM sophra_api_keys|pg_trigger|row_security_active|"lookup" IS NULL\s+AND \(?"key" LIKE|^LISTEN /
/** The frame around a statement. */
const FRAME = /^(BEGIN|COMMIT|SET) ?/

/** The statement that looks presented keys up. */
export const LOOKUP = /FROM unnest\(\$1::text\[\], \$2::bytea\[\]\) WITH ORDINALITY AS wanted/

/** Gives the test file its setting. The limiter never suspends, unless a file asks for it. */
export function useSetting(options: Options = {}): Setting {
  const setting = {} as Setting
  const settings = { suspensionSeconds: 0, ...cheapHashing, ...options }
  beforeAll(async () => {
    const database = await freshDatabase()
    const tap = await startTap(database.url)
    const here = { databaseUrl: tap.url, ...settings }
    addon.configure(here)
    // Migrates, so that the other process need not wait for it.
    const marker = await addon.createApiKey({ name: '0', clientId: 'marker' })
    const peer = await startPeer({ databaseUrl: database.url, ...settings })
    Object.assign(setting, { options: here, database, tap, peer, sql: database.sql })
    Object.assign(setting, methods(setting, marker))
  })
  afterAll(async () => {
    await setting.peer?.stop()
    await addon.close()
    await setting.tap?.close()
    await setting.database?.drop()
  })
  return setting
}

const WARMED_AT_ONCE = 50
const CREATED_AT_ONCE = 100

type Methods = Pick<Setting, 'coldKeys' | 'warmKeys' | 'cost' | 'caughtUp'>

function methods(setting: Setting, marker: Issued): Methods {
  let marks = 0
  const coldKeys: Setting['coldKeys'] = async (count, fields = {}) => {
    const keys = await setting.peer.run(
      async ({ api }, count, fields, atOnce) => {
        const create = (): Promise<Issued> =>
          api.createApiKey({ name: 'Key', clientId: 'client', ...fields })
        const keys: Issued[] = []
        // In parts: what is queued for too long is told to come later.
        while (keys.length < count) {
          const part = Math.min(atOnce, count - keys.length)
          keys.push(...(await Promise.all(Array.from({ length: part }, create))))
        }
        return keys
      },
      count,
      fields,
      CREATED_AT_ONCE,
    )
    // Their creation is a change too: one that is heard of later would make them stale.
    await setting.caughtUp()
    return keys
  }
  return {
    coldKeys,
    warmKeys: async (count, fields) => {
      const keys = await coldKeys(count, fields)
      // In parts: so many hashes at once would be refused on a slow machine.
      for (let part = 0; part < keys.length; part += WARMED_AT_ONCE) {
        const some = keys.slice(part, part + WARMED_AT_ONCE)
        await Promise.all(some.map(({ key }) => addon.verifyApiKey(key)))
      }
      return keys
    },
    cost: async (action) => {
      const before = stats()
      const mark = setting.tap.statements.length
      await action()
      const after = stats()
      return {
        hashes: after.hashes - before.hashes,
        selects: after.selects - before.selects,
        statements: setting.tap.statements
          .slice(mark)
          .filter((text) => !BESIDE.test(text) && !FRAME.test(text)),
      }
    },
    caughtUp: async () => {
      const start = performance.now()
      // Makes it read the changes, if it listens.
      await setting.sql(`UPDATE "ApiKey" SET "name" = $1 WHERE "id" = $2`, [++marks, marker.id])
      await promptly('the changes are read', async () => {
        const passed = performance.now() - start
        return (await addon.health()).staleForMs < passed
      })
    },
  }
}
