/**
 * Clients, keys and a week of usage for the charts of the console, in a database that `npm start` has just made. Everything is
 * marked: the names say that it is a demo, and so do the tags of the usage, none of which has happened.
 */
import pg from 'pg'

const DAYS = 7
const HOUR_MS = 3_600_000
const QUARTER_MS = HOUR_MS / 4
const NOTE = 'Made by npm start for a demo. None of its usage before that has happened.'

const CLIENTS = [
  { clientId: 'demo-acme', name: 'Acme (demo)' },
  { clientId: 'demo-globex', name: 'Globex (demo)' },
  { clientId: 'demo-initech', name: 'Initech (demo)' },
]

/** Each with how many requests an hour it makes at noon, and how many of a thousand are refused, by the reason. */
const KEYS = [
  ['Storefront', 'demo-acme', 420, { RATE_LIMITED: 25 }, { rateLimit: 1_000 }],
  ['Mobile app', 'demo-acme', 260, { RATE_LIMITED: 8, INSUFFICIENT_SCOPE: 12 }, {}],
  ['Nightly export', 'demo-acme', 40, {}, { expiresAt: inDays(5) }],
  ['Backend', 'demo-globex', 310, { IP_NOT_ALLOWED: 15 }, { allowedIps: ['10.0.0.0/8'] }],
  ['Staging', 'demo-globex', 60, { EXPIRED: 90 }, { expiresAt: inDays(20) }],
  ['Reports', 'demo-initech', 90, { QUOTA_EXCEEDED: 60 }, { quotas: [monthly(1_000)] }],
]
const TAGS = ['demo-search', 'demo-documents', 'demo-export']

export async function seedDemo(addon, databaseUrl) {
  for (const client of CLIENTS) await addon.setClient(client)
  const keys = []
  for (const [name, clientId, perHour, refused, fields] of KEYS) {
    const made = await addon.createApiKey({
      name: `${name} (demo)`,
      clientId,
      description: NOTE,
      scopes: ['documents:read'],
      ...fields,
    })
    keys.push({ ...made, perHour, refused })
  }
  // The only use that has really happened: most of a quota.
  await addon.verifyApiKey(keys.at(-1).key, { cost: 930 })
  await addon.flush()
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await writeUsage(client, keys)
  } finally {
    await client.end()
  }
}

/** Writes a week of usage where flushes write theirs, and adds it up as the package does. */
async function writeUsage(client, keys) {
  const begin = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - DAYS * 24 * HOUR_MS
  const counts = keys.flatMap((key) => countsOf(key, begin))
  const column = (name) => counts.map((count) => count[name])
  await client.query('BEGIN')
  // A new database has closed the hours before it was made.
  await client.query(
    'UPDATE sophra_api_keys.usage_state SET closed_until = to_timestamp($1), closes_until = to_timestamp($1)',
    [begin / 1000],
  )
  await client.query(
    `INSERT INTO sophra_api_keys.usage_log (stored_at, shift, key_ids, client_ids, tags, outcomes, quarters, counts, costs)
     VALUES (to_timestamp($1), 0, $2, $3, $4, $5, $6, $7, $7)`,
    [begin / 1000, ...['keyId', 'clientId', 'tag', 'outcome', 'quarter', 'count'].map(column)],
  )
  await client.query('COMMIT')
  await client.query(
    `UPDATE "ApiKey" SET "usageCount" = "usageCount" + added.count, "lastUsedAt" = now() AT TIME ZONE 'UTC'
     FROM (SELECT key_id, sum(count)::bigint AS count FROM unnest($1::text[], $2::bigint[]) AS counted (key_id, count) GROUP BY 1) AS added
     WHERE "id" = added.key_id`,
    [column('keyId'), column('count')],
  )
  for (let hasMore = true; hasMore;) {
    const { rows } = await client.query('SELECT sophra_api_keys.fold_usage(20000, true) AS more')
    hasMore = rows[0].more
  }
}

/** What a key was used in each hour since `begin`: most at noon, less at weekends, and refused now and then. */
function countsOf({ id, clientId, perHour, refused }, begin) {
  const counts = []
  for (let at = begin; at < Date.now() - QUARTER_MS; at += HOUR_MS) {
    const hour = new Date(at)
    const ofDay = 0.25 + 0.75 * Math.max(0, Math.sin(((hour.getUTCHours() - 5) / 24) * 2 * Math.PI))
    const ofWeek = [0, 6].includes(hour.getUTCDay()) ? 0.4 : 1
    const wave = 1 + 0.2 * Math.sin(at / HOUR_MS + id.charCodeAt(0))
    const total = Math.round(perHour * ofDay * ofWeek * wave)
    const tag = TAGS[(at / HOUR_MS) % TAGS.length]
    const shared = { keyId: id, clientId, quarter: Math.floor(at / QUARTER_MS) }
    for (const [outcome, ofThousand] of Object.entries({ VALID: 1_000, ...refused })) {
      const count = Math.round((total * ofThousand) / 1_000)
      if (count > 0) counts.push({ ...shared, tag, outcome, count })
    }
  }
  return counts
}

function inDays(days) {
  return new Date(Date.now() + days * 24 * HOUR_MS)
}

function monthly(amount) {
  return { name: 'calls', amount, period: 'month' }
}
