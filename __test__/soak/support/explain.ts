import { Client } from 'pg'
import type { Database } from '../../support/database.js'
import type { addon } from '../../support/addon.js'

export type Query = NonNullable<Parameters<typeof addon.listApiKeys>[0]>

/** What the server does to find the keys of the query: the plans of all statements within the function. */
export async function explain(database: Database, query: Query): Promise<string> {
  const client = new Client({ connectionString: database.url })
  const plans: string[] = []
  client.on('notice', ({ message }) => plans.push(message ?? ''))
  await client.connect()
  await client.query(`LOAD 'auto_explain';
    SET auto_explain.log_min_duration = 0; SET auto_explain.log_analyze = on;
    SET auto_explain.log_nested_statements = on; SET client_min_messages = log`)
  await client.query(
    'SELECT * FROM sophra_api_keys.find_keys($1, $2, $3, $4, $5, $6)',
    argumentsOf(query),
  )
  await client.end()
  return plans.filter((plan) => plan.includes('"ApiKey"')).join('\n')
}

/** The arguments that the addon gives the function. */
function argumentsOf(query: Query): unknown[] {
  const { limit = 100, cursor, sort, order, ...filter } = query
  // Opaque to callers, but not to us.
  const [, , value, id] = cursor ? JSON.parse(Buffer.from(cursor, 'base64url').toString()) : []
  const millis = Object.fromEntries(
    Object.entries(filter).map(([name, value]) => [
      name,
      value instanceof Date ? value.getTime() : value,
    ]),
  )
  const scopes = filter.scope ? ['*', filter.scope] : undefined
  return [
    JSON.stringify({
      now: Date.now(),
      ...millis,
      search: filter.search && `%${filter.search}%`,
      scopes,
    }),
    sort ?? 'createdAt',
    order !== 'asc',
    id ?? null,
    value ?? null,
    (limit ?? 100) + 1,
  ]
}
