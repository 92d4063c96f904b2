import { randomBytes, randomUUID } from 'node:crypto'
import { addon } from './addon.js'
import type { Database } from './database.js'

type Sql = Database['sql']

/** A column that can hold a text, and what Postgres calls its type. */
export interface Column {
  table: string
  column: string
  type: 'text' | 'ARRAY' | 'jsonb'
}

/** All that are in the database. */
export async function textColumns(sql: Sql): Promise<Column[]> {
  return (await sql(
    `SELECT table_name AS "table", column_name AS "column", data_type AS "type"
     FROM information_schema.columns
     WHERE table_schema IN ('public', 'sophra_api_keys')
       AND (data_type IN ('text', 'jsonb', 'json', 'character varying', 'name', 'xml') OR udt_name = '_text')
     ORDER BY 1, 2`,
  )) as Column[]
}

/** The shapes in which a text gets into such a column, as parameters. */
function shapesOf({ type, column }: Column, text: string): unknown[] {
  // Plaintext, and what is taken for a hash.
  if (column === 'key') return [text, `$argon2id$${text}`]
  if (type === 'ARRAY') return [[text], Array.from({ length: 500 }, () => text.slice(0, 1_000))]
  if (type === 'jsonb') return [JSON.stringify(text), JSON.stringify({ [text]: [text] })]
  return [text]
}

/** Postgres has no NUL and no lone surrogate, and an index no more than some kilobytes. */
const IMPOSSIBLE = ['22021', '22P05', '22P02', '54000']

/** Stores it; answers whether it could be stored. */
async function stored(statement: () => Promise<unknown>): Promise<boolean> {
  try {
    await statement()
    return true
  } catch (error) {
    if (IMPOSSIBLE.includes((error as { code: string }).code)) return false
    throw error
  }
}

export interface Made {
  id: string
  secret: string
}

const make: Record<string, (sql: Sql) => Promise<Made>> = {
  async ApiKey() {
    const scopes = ['a']
    const made = await addon.createApiKey({ name: 'n', clientId: 'c', rateLimit: 1, scopes })
    return { id: made.id, secret: made.key }
  },
  async AdminToken() {
    const made = await addon.createAdminToken({ name: 'n', permissions: ['a'] })
    return { id: made.id, secret: made.token }
  },
}

/** Rows of ours into which another writer has put the text, one for each shape of it. */
export async function tamperedRows(sql: Sql, at: Column, text: string): Promise<Made[]> {
  const rows = shapesOf(at, text).map(async (value): Promise<Made[]> => {
    const row = await make[at.table]!(sql)
    // Of a key that is not revoked, nobody sees them.
    if (at.column.startsWith('revoked')) await addon.revokeApiKey({ id: row.id })
    const update = `UPDATE "${at.table}" SET "${at.column}" = $1 WHERE "id" = $2`
    if (await stored(() => sql(update, [value, row.id])))
      return [at.column === 'id' ? { ...row, id: text } : row]
    // An index can hold only this much of it.
    const short = typeof value === 'string' ? value.slice(0, 800) : text.slice(0, 800)
    if (text.length < 1_000 || !(await stored(() => sql(update, [short, row.id])))) return []
    return [at.column === 'id' ? { ...row, id: text.slice(0, 800) } : row]
  })
  return (await Promise.all(rows)).flat()
}

const id = randomUUID
const counted = { clientId: 'c', tag: '', outcome: 'VALID' }
const usageLog = (fields: object): [string, unknown[]] => {
  const { keyId, clientId, tag, outcome } = { keyId: id(), ...counted, ...fields }
  const columns = '(shift, key_ids, client_ids, tags, outcomes, quarters, counts, costs)'
  return [
    `${columns} VALUES (0, $1, $2, $3, $4, ARRAY[extract(epoch FROM now())::bigint / 900], '{1}', '{1}')`,
    [[keyId], [clientId], [tag], [outcome]],
  ]
}
const usageSeries = (fields: object): [string, unknown[]] => {
  const { level, keyId, clientId, tag, outcome } = {
    level: 'key',
    keyId: id(),
    ...counted,
    ...fields,
  }
  return [
    '(level, key_id, client_id, tag, outcome) VALUES ($1, $2, $3, $4, $5)',
    [level, keyId, clientId, tag, outcome],
  ]
}
/** How another writer gets a text into a table of our own. */
export const inserts: Record<string, (text: string) => [string, unknown[]]> = {
  'audit.id': (text) => [`(id, at, type, count, event) VALUES ($1, now(), 't', 1, '{}')`, [text]],
  'audit.type': (text) => [
    `(id, at, type, count, event) VALUES ($1, now(), $2, 1, '{}')`,
    [id(), text],
  ],
  'audit.key_id': (text) => [
    `(id, at, type, count, event, key_id) VALUES ($1, now(), 't', 1, '{}', $2)`,
    [id(), text],
  ],
  'audit.event': (text) => [
    `(id, at, type, count, event) VALUES ($1, now(), 't', 1, $2)`,
    [
      id(),
      JSON.stringify({ type: text, [text]: { [text]: Array.from({ length: 3 }, () => text) } }),
    ],
  ],
  'clients.client_id': (text) => ['(client_id) VALUES ($1)', [text]],
  'clients.name': (text) => ['(client_id, name) VALUES ($1, $2)', [id(), text]],
  'clients.metadata': (text) => [
    '(client_id, metadata) VALUES ($1, $2)',
    [id(), JSON.stringify({ [text]: [text] })],
  ],
  'clients.limits': (text) => [
    '(client_id, limits) VALUES ($1, $2)',
    [id(), JSON.stringify([{ name: text, limit: text, windowSeconds: 1 }])],
  ],
  'clients.quotas': (text) => [
    '(client_id, quotas) VALUES ($1, $2)',
    [id(), JSON.stringify([{ name: text, amount: text, period: text, timeZone: text }])],
  ],
  'clients.allowed_ips': (text) => ['(client_id, allowed_ips) VALUES ($1, $2)', [id(), [text]]],
  'clients.parent_id': (text) => [
    '(client_id, parent_id) VALUES ($1, NULL), ($2, $1)',
    [text, id()],
  ],
  'roles.name': (text) => ['(name) VALUES ($1)', [text]],
  'roles.scopes': (text) => ['(name, scopes) VALUES ($1, $2)', [id(), [text]]],
  'imports.key_id': (text) => ['(identity, key_id) VALUES ($1, $2)', [Buffer.from(id()), text]],
  'import_forms.form': (text) => ["(form, dummy) VALUES ($1, '')", [text]],
  'import_forms.dummy': (text) => ['(form, dummy) VALUES ($1, $2)', [`import:row:${id()}:`, text]],
  'changes.role': (text) => ['(role) VALUES ($1)', [text]],
  'token_keys.kid': (text) => ['(kid, public_key) VALUES ($1, $2)', [text, Buffer.alloc(32)]],
  'derived_tokens.key_id': (text) => [
    "(key_id, kid, ends_at) VALUES ($1, $2, now() + interval '1 hour')",
    [text, id()],
  ],
  'console_sessions.digest': (text) => [
    "(digest, token_id, lookup, ends_at) VALUES ($1, 't', 'l', now() + interval '1 hour')",
    [text],
  ],
  'console_sessions.token_id': (text) => [
    "(digest, token_id, lookup, ends_at) VALUES ($1, $2, 'l', now() + interval '1 hour')",
    [id(), text],
  ],
  'console_sessions.lookup': (text) => [
    "(digest, token_id, lookup, ends_at) VALUES ($1, 't', $2, now() + interval '1 hour')",
    [id(), text],
  ],
  'console_codes.digest': (text) => [
    "(digest, token_id, lookup, ends_at) VALUES ($1, 't', 'l', now() + interval '5 minutes')",
    [text],
  ],
  'console_codes.token_id': (text) => [
    "(digest, token_id, lookup, ends_at) VALUES ($1, $2, 'l', now() + interval '5 minutes')",
    [id(), text],
  ],
  'console_codes.lookup': (text) => [
    "(digest, token_id, lookup, ends_at) VALUES ($1, 't', $2, now() + interval '5 minutes')",
    [id(), text],
  ],
  'derived_tokens.kid': (text) => [
    "(key_id, kid, ends_at) VALUES ($1, $2, now() + interval '1 hour')",
    [id(), text],
  ],
  'changes.client_id': (text) => ['(client_id) VALUES ($1)', [text]],
  'changes.key_id': (text) => ['(key_id) VALUES ($1)', [text]],
  'changes.key_ids': (text) => ['(key_ids) VALUES ($1)', [[text, id()]]],
  'key_usage.key_id': (text) => [
    '(key_id, usage_count, unused_since) VALUES ($1, 1, now())',
    [text],
  ],
  // Its only row is there already.
  'key_usage_sweep.swept_to': (text) => [
    '(one) VALUES (true) ON CONFLICT (one) DO UPDATE SET swept_to = $1',
    [text],
  ],
  'used_keys.key_id': (text) => ['(round, key_id) VALUES (0, $1)', [text]],
  'spent.limit_id': (text) => [
    '(limit_id, epoch, spent, full_at, interval_ns, longest_ns) VALUES ($1, 0, 1, now(), 1, 1)',
    [text],
  ],
  'spent.process': (text) => [
    '(limit_id, epoch, spent, full_at, interval_ns, longest_ns, process) VALUES ($1, 0, 1, now(), 1, 1, $2)',
    [id(), text],
  ],
  'spent.displaced': (text) => [
    '(limit_id, epoch, spent, full_at, interval_ns, longest_ns, displaced) VALUES ($1, 0, 1, now(), 1, 1, $2)',
    [id(), text],
  ],
  'shared_limits.process': (text) => ['(process, limit_id) VALUES ($1, $2)', [text, id()]],
  'shared_limits.limit_id': (text) => ['(process, limit_id) VALUES ($1, $2)', [id(), text]],
  'quota_balances.quota_id': (text) => [
    `(quota_id, granted, ends_at) VALUES ($1, 1, 'infinity')`,
    [text],
  ],
  'quota_leases.process': (text) => [
    `(balance_id, process, revision, leased, spent)
     SELECT max(id), $1, 1, 1, 1 FROM sophra_api_keys.quota_balances`,
    [text],
  ],
  'usage_batches.process': (text) => ['(process, batch) VALUES ($1, 1)', [text]],
  'usage_batches.skipped': (text) => [
    '(process, batch, skipped) VALUES ($1, 1, $2)',
    [id(), [text]],
  ],
  'usage_batches.notices': (text) => [
    '(process, batch, notices) VALUES ($1, 1, $2)',
    [id(), JSON.stringify([{ keyId: text, name: text, clientId: text, usedAt: text }])],
  ],
  'reused_keys.key_id': (text) => [`(key_id, report) VALUES ($1, 'r')`, [text]],
  'reused_keys.report': (text) => ['(key_id, report) VALUES ($1, $2)', [id(), text]],
  'usage_log.key_ids': (text) => usageLog({ keyId: text }),
  'usage_log.client_ids': (text) => usageLog({ clientId: text }),
  'usage_log.tags': (text) => usageLog({ tag: text }),
  'usage_log.outcomes': (text) => usageLog({ outcome: text }),
  'usage_series.level': (text) => usageSeries({ level: text }),
  'usage_series.key_id': (text) => usageSeries({ keyId: text }),
  'usage_series.client_id': (text) => usageSeries({ clientId: text }),
  'usage_series.tag': (text) => usageSeries({ tag: text }),
  'usage_series.outcome': (text) => usageSeries({ outcome: text }),
  // Of each change they are told, so only those that must be are active.
  'webhooks.id': (text) => [
    `(id, url, is_active, secret) VALUES ($1, 'x', false, '\\x00')`,
    [text],
  ],
  'webhooks.url': (text) => [
    `(id, url, types, secret) VALUES ($1, $2, '{key.issued}', '\\x00')`,
    [id(), text],
  ],
  'webhooks.types': (text) => [
    `(id, url, types, secret) VALUES ($1, 'x', $2, '\\x00')`,
    [id(), [text, 'key.issued']],
  ],
  'notices.notice_id': (text) => [`(notice_id, type, data) VALUES ($1, 't', '{}')`, [text]],
  'notices.process': (text) => [`(type, data, process) VALUES ('t', '{}', $1)`, [text]],
  'notices.type': (text) => [`(type, data) VALUES ($1, '{}')`, [text]],
  'notices.data': (text) => [`(type, data) VALUES ('t', $1)`, [JSON.stringify({ [text]: [text] })]],
  'deliveries.webhook_id': (text) => [
    `(webhook_id, notice, type, subject, due_at) VALUES ($1, 1, 't', 1, now())`,
    [text],
  ],
  'deliveries.type': (text) => [
    `(webhook_id, notice, type, subject, due_at)
     SELECT max(id), 1, $1, 1, now() FROM sophra_api_keys.webhooks`,
    [text],
  ],
  // Its only row is there already.
  'deliverer.process': (text) => [
    '(one) VALUES (true) ON CONFLICT (one) DO UPDATE SET process = $1',
    [text],
  ],
  'lost_notices.sqlstate': (text) => ['(sqlstate) VALUES ($1)', [text]],
  'due_notices.key_id': (text) => ['(key_id) VALUES ($1)', [text]],
  'notice_scans.kind': (text) => ['(kind, scanned_to) VALUES ($1, now())', [text]],
  'notice_scans.scanned_id': (text) => [
    '(kind, scanned_to, scanned_id) VALUES ($1, now(), $2)',
    [id(), text],
  ],
  'notice_checks.key_id': (text) => ['(key_id) VALUES ($1)', [text]],
  'notice_readers.process': (text) => [`(process, seen_at) VALUES ($1, '-infinity')`, [text]],
  'usage_tags.tag': (text) => ['(tag) VALUES ($1)', [text]],
  'signing_keys.fingerprint': (text) => ['(fingerprint) VALUES ($1)', [text]],
  'exposed_signing_keys.fingerprint': (text) => ['(fingerprint) VALUES ($1)', [text]],
  'idempotency_keys.key_id': (text) => [
    '(digest, input, key_id, used_at) VALUES ($1, $1, $2, now())',
    [randomBytes(32), text],
  ],
  // Its only row is there already.
  'change_log.id': (text) => [
    `(system, pruned_before) VALUES (0, '0') ON CONFLICT (one) DO UPDATE SET id = $1`,
    [text],
  ],
}

/** Puts the text into that column; answers whether it could be stored. */
export function insertInto(sql: Sql, name: string, text: string): Promise<boolean> {
  const [rest, values] = inserts[name]!(text)
  const conflict = rest.includes('ON CONFLICT') ? '' : 'ON CONFLICT DO NOTHING'
  return stored(() =>
    sql(`INSERT INTO sophra_api_keys.${name.split('.')[0]} ${rest} ${conflict}`, values),
  )
}
