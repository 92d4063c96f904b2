import { expect } from 'vitest'
import { addon } from '../addon.js'
import { eventually } from '../eventually.js'
import type { Cost, Issued, Setting } from '../setting.js'

const { verifyApiKey } = addon

/** Changes of many warm keys that leave their hashes alone cost no hash. */
export async function changesWithoutHashes(setting: Setting, count: number): Promise<void> {
  const keys: Issued[] = []
  while (keys.length < count) keys.push(...(await setting.warmKeys(Math.min(500, count))))
  const ids = keys.map(({ id }) => id)
  const change = (assignment: string): Promise<unknown> =>
    setting.sql(`UPDATE "ApiKey" SET ${assignment} WHERE "id" = ANY ($1)`, [ids])
  const verifyAll = async (expected: object): Promise<Cost> => {
    await setting.caughtUp()
    return setting.cost(async () => {
      for (const { id, key } of keys) {
        expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id, ...expected })
      }
    })
  }

  // One statement for each changed row, and none afterwards.
  const rounds: [string, object][] = [
    [`"name" = 'Renamed'`, { name: 'Renamed' }],
    [`"rateLimit" = 7777`, { rateLimit: { limit: 7_777 } }],
    [`"scopes" = '{a,b}', "metadata" = '{"a": 1}'`, { scopes: ['a', 'b'], metadata: { a: 1 } }],
    [`"expiresAt" = '2094-01-01'`, { expiresAt: new Date('2094-01-01T00:00:00Z') }],
  ]
  for (const [assignment, expected] of rounds) {
    await change(assignment)
    expect(await verifyAll(expected)).toMatchObject({ selects: count, hashes: 0 })
    expect(await verifyAll(expected)).toMatchObject({ selects: 0, hashes: 0, statements: [] })
  }

  // Nothing that a verify depends on: not even a statement.
  await change(`"description" = 'New', "usageCount" = "usageCount" + 1, "lastUsedAt" = now()`)
  expect(await verifyAll({})).toMatchObject({ selects: 0, hashes: 0, statements: [] })

  await breakConnections(setting)
  expect(await verifyAll({ name: 'Renamed' })).toMatchObject({ selects: 0, hashes: 0 })
  await change(`"name" = 'After'`)
  expect(await verifyAll({ name: 'After' })).toMatchObject({ selects: count, hashes: 0 })
}

/** Ends every session of this process on the server, the listening one included, and waits for a new one. */
async function breakConnections(setting: Setting): Promise<void> {
  const sessions = (): ReturnType<typeof listeners> => listeners(setting)
  const before = await eventually(async () => {
    const found = await sessions()
    expect(found.length).toBeGreaterThan(0)
    return found
  })
  await setting.sql(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'sophra-api-keys'`,
  )
  await eventually(async () => {
    const after = await sessions()
    expect(after).toHaveLength(before.length)
    for (const pid of after) expect(before).not.toContain(pid)
  })
}

/** The sessions that listen, of this process and of the other. */
export async function listeners({ sql }: Setting): Promise<number[]> {
  const rows = await sql(
    `SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'sophra-api-keys'
       AND query ILIKE 'LISTEN%'`,
  )
  return rows.map(({ pid }) => pid as number)
}
