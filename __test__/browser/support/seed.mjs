// A database that looks like that of a team with customers: for the pictures of the documentation, and for tests that look at full
// pages.

const DAY = 86_400_000

const CLIENTS = [
  ['acme', 'Acme Corporation'],
  ['globex', 'Globex'],
  ['initech', 'Initech'],
  ['umbrella', 'Umbrella Health'],
  ['hooli', 'Hooli'],
]

const KEYS = [
  {
    name: 'Production API',
    clientId: 'acme',
    scopes: ['docs:read', 'docs:write', 'search:query'],
    rateLimit: 600,
    days: 365,
  },
  {
    name: 'Search backend',
    clientId: 'acme',
    scopes: ['search:query'],
    rateLimit: 1_200,
    days: 19,
  },
  { name: 'Data pipeline', clientId: 'globex', scopes: ['docs:read'], rateLimit: 300, days: 200 },
  {
    name: 'Mobile gateway',
    clientId: 'globex',
    scopes: ['docs:read', 'search:query'],
    rateLimit: 900,
    days: 90,
  },
  { name: 'Billing sync', clientId: 'initech', scopes: ['billing:read'], rateLimit: 60, days: 9 },
  { name: 'Reports (nightly)', clientId: 'initech', scopes: ['docs:read'], days: 26 },
  {
    name: 'Patient portal',
    clientId: 'umbrella',
    scopes: ['docs:read'],
    rateLimit: 120,
    days: 300,
  },
  { name: 'Staging', clientId: 'umbrella', scopes: ['docs:*'], environment: 'test', days: 60 },
  {
    name: 'Zapier integration',
    clientId: 'hooli',
    scopes: ['search:query'],
    rateLimit: 30,
    days: 120,
  },
  { name: 'Old importer', clientId: 'hooli', scopes: ['docs:write'], days: null },
  {
    name: 'Marketing site',
    clientId: 'acme',
    kind: 'publishable',
    origins: ['https://www.acme.example'],
    days: 365,
  },
]

export const catalogue = {
  'docs:read': { label: 'Read documents' },
  'docs:write': { label: 'Write documents', implies: ['docs:read'] },
  'search:query': { label: 'Search' },
  'billing:read': { label: 'See invoices' },
  'billing:write': { label: 'Change the plan', implies: ['billing:read'] },
}

export const kinds = {
  secret: { prefix: 'acme' },
  publishable: {
    prefix: 'acmepk',
    allowedScopes: ['search:query'],
    defaultScopes: ['search:query'],
    defaultRateLimit: 60,
    maxRateLimit: 600,
  },
}

/**
 * Fills an empty database. Answers with the keys, by their names.
 *
 * @returns {Promise<Record<string, import('../../../index.js').IssuedApiKey>>}
 */
export async function seed(addon, sql) {
  const by = { actor: 'ann@example.com' }
  await addon.setRole({ name: 'editor', scopes: ['docs:read', 'docs:write'] }, by)
  await addon.setRole({ name: 'analyst', scopes: ['docs:read', 'search:query'] }, by)
  await seedClients(addon, by)
  const keys = {}
  for (const { days, ...fields } of KEYS) {
    const expiresAt = days === null ? null : new Date(Date.now() + days * DAY)
    keys[fields.name] = await addon.createApiKey({ ...fields, expiresAt }, by)
  }
  await seedTraffic(Object.values(keys), sql)
  await seedUses(addon, keys)
  await seedHistory(addon, keys, sql)
  await seedTokens(addon, by)
  return keys
}

async function seedClients(addon, by) {
  for (const [clientId, name] of CLIENTS) await addon.setClient({ clientId, name }, by)
  await addon.setClient(
    {
      clientId: 'acme',
      maxKeys: 25,
      quotas: [{ name: 'default', amount: 2_000_000, period: 'month' }],
    },
    by,
  )
  await addon.setClient(
    { clientId: 'globex', limits: [{ name: 'tokens', limit: 50_000, windowSeconds: 60 }] },
    by,
  )
  await addon.setClient({ clientId: 'initech', parentId: 'hooli', maxKeys: 5 }, by)
}

const OUTCOMES = [
  ['VALID', 1],
  ['RATE_LIMITED', 0.035],
  ['INSUFFICIENT_SCOPE', 0.012],
  ['EXPIRED', 0.006],
  ['IP_NOT_ALLOWED', 0.003],
]

const TAGS = [
  ['GET /documents', 0.5],
  ['GET /search', 0.32],
  ['POST /documents', 0.18],
]

const HOURS = 30 * 24

/** Thirty days of verifies, busier by day and on weekdays, as processes would have stored them. */
async function seedTraffic(keys, sql) {
  await sql(`UPDATE sophra_api_keys.usage_state SET closed_until = date_trunc('hour', now()) - interval '31 days',
    closes_until = date_trunc('hour', now()) - interval '31 days'`)
  const now = Math.floor(Date.now() / 3_600_000)
  const random = randomFrom(7)
  const rows = []
  for (const [place, { id, clientId }] of keys.entries()) {
    const size = 900 / (place + 1) ** 0.9
    for (let hour = now - HOURS; hour < now; hour += 1) {
      const busy = size * daily(hour) * (0.8 + 0.4 * random())
      for (const [outcome, share] of OUTCOMES)
        for (const [tag, part] of TAGS) {
          const count = Math.round(busy * share * part * (outcome === 'VALID' ? 1 : 2 * random()))
          if (count > 0) rows.push([id, clientId, tag, outcome, hour * 4, count])
        }
    }
  }
  await sql(
    'INSERT INTO sophra_api_keys.usage_tags (tag) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING',
    [TAGS.map(([tag]) => tag)],
  )
  // By hours, since closed hours have no place for what comes later.
  await sql(
    `INSERT INTO sophra_api_keys.usage_series (level, key_id, client_id, tag, outcome)
     SELECT DISTINCT 'key', * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) ON CONFLICT DO NOTHING`,
    [0, 1, 2, 3].map((column) => rows.map((row) => row[column])),
  )
  await sql(
    `INSERT INTO sophra_api_keys.usage_quarters (series_id, quarter, count, cost)
     SELECT series.id, to_timestamp(seed.quarter * 900), seed.count, seed.count
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
       AS seed (key_id, client_id, tag, outcome, quarter, count)
     JOIN sophra_api_keys.usage_series AS series USING (key_id, client_id, tag, outcome)
     WHERE series.level = 'key'`,
    [0, 1, 2, 3, 4, 5].map((column) => rows.map((row) => row[column])),
  )
  await sql(`SELECT sophra_api_keys.fold_usage(10000000, true)`)
}

function daily(hour) {
  const ofDay = hour % 24
  const weekday = (Math.floor(hour / 24) + 4) % 7
  const wave = 0.35 + 0.65 * Math.max(0, Math.sin(((ofDay - 6) / 15) * Math.PI))
  return wave * (weekday === 0 || weekday === 6 ? 0.45 : 1)
}

/** The same numbers each time. */
function randomFrom(start) {
  let state = start
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647
}

/** Some verifies of this hour, so that keys were used just now. */
async function seedUses(addon, keys) {
  for (const name of Object.keys(keys).slice(0, 7))
    for (let use = 0; use < 40; use += 1)
      await addon.verifyApiKey(keys[name].key, { tag: 'GET /documents', ip: '203.0.113.7' })
  await addon.flush()
}

async function seedHistory(addon, keys, sql) {
  const by = { actor: 'ben@example.com' }
  const { id } = keys['Production API']
  await addon.patchApiKey(
    {
      id,
      allowedIps: ['203.0.113.0/24', '2001:db8::/32'],
      description: 'Used by the servers in Frankfurt',
    },
    by,
  )
  await addon.patchApiKey(
    {
      id,
      limits: [{ name: 'writes', limit: 100, windowSeconds: 60 }],
      quotas: [{ name: 'default', amount: 400_000, period: 'month' }],
      roles: ['editor'],
      metadata: { team: 'platform', plan: 'enterprise' },
    },
    by,
  )
  const rotated = await addon.updateApiKey(
    { id, regenerateKey: true, gracePeriodSeconds: 7 * 86_400 },
    by,
  )
  for (let use = 0; use < 25; use += 1)
    await addon.verifyApiKey(rotated.key, { ip: '203.0.113.7', tag: 'GET /search' })
  await addon.verifyApiKey(keys['Production API'].key, { ip: '203.0.113.9', tag: 'GET /search' })
  await addon.revokeApiKey(
    { id: keys['Old importer'].id, reason: 'superseded', note: 'Replaced by Data pipeline' },
    by,
  )
  await addon.patchApiKey({ id: keys['Zapier integration'].id, isActive: false }, by)
  await addon.flush()
  await sql(`UPDATE "ApiKey" SET "suspendedUntil" = now() + interval '40 minutes' WHERE id = $1`, [
    keys['Billing sync'].id,
  ])
  await sql(
    `UPDATE "ApiKey" SET "createdAt" = "createdAt" - (random() * 200 + 3) * interval '1 day' WHERE id <> $1`,
    [keys['Marketing site'].id],
  )
}

async function seedTokens(addon, by) {
  await addon.createAdminToken(
    {
      name: 'Deploy pipeline',
      permissions: ['keys:read', 'keys:write'],
      description: 'GitHub Actions',
    },
    by,
  )
  await addon.createAdminToken({ name: 'Grafana', permissions: ['metrics:read', 'usage:read'] }, by)
  const { id } = await addon.createAdminToken({ name: 'Old laptop', permissions: ['*'] }, by)
  await addon.revokeAdminToken(id, by)
}
