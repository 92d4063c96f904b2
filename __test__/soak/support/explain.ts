import type { Database } from '../../support/database.js'
import { startPeer } from '../../support/peer.js'
import type { addon } from '../../support/addon.js'
import { startTap } from '../../support/tap.js'

export type Query = NonNullable<Parameters<typeof addon.listApiKeys>[0]>

/** How the server answers the statement that the addon makes of the query. */
export async function explain(database: Database, query: Query): Promise<string> {
  const rows = await database.sql(
    `EXPLAIN (ANALYZE, BUFFERS) ${await statementOf(database, query)}`,
    parametersOf(query),
  )
  return rows.map((row) => row['QUERY PLAN'] as string).join('\n')
}

async function statementOf(database: Database, query: Query): Promise<string> {
  const tap = await startTap(database.url)
  const peer = await startPeer({ databaseUrl: tap.url })
  await peer.run(({ api }, query) => api.listApiKeys(query), query)
  const statement = tap.statements.filter((text) => text.includes('LIMIT $7')).pop()
  await peer.stop()
  await tap.close()
  if (!statement) throw new Error('The statement was not seen')
  return statement
}

function parametersOf({ cursor, clientId, isActive, createdBy, search, limit }: Query): unknown[] {
  // Opaque to callers, but not to us.
  const position = cursor ? Buffer.from(cursor, 'base64url').toString() : undefined
  const [millis, id] = position?.split(':', 2) ?? []
  return [
    millis === undefined ? null : new Date(Number(millis)).toISOString(),
    id ?? null,
    clientId ?? null,
    isActive ?? null,
    createdBy ?? null,
    search ? `%${search}%` : null,
    (limit ?? 100) + 1,
  ]
}
