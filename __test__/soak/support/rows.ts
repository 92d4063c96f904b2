import type { Database } from '../../support/database.js'

/** Rows that each filter matches, however many there are in all. */
export const MATCHES = 1_000
/** Rows whose usage was stored after the table had been tidied last. */
const USED = 1_000

const WORDS = [
  ...['Analytics', 'Archive', 'Backup', 'Billing', 'Catalogue', 'Checkout', 'Crawler', 'Dashboard'],
  ...['Export', 'Gateway', 'Import', 'Indexer', 'Invoices', 'Mailing', 'Mobile', 'Monitor'],
  ...['Newsletter', 'Orders', 'Partner', 'Payments', 'Preview', 'Reports', 'Returns', 'Scheduler'],
  ...['Search', 'Shipping', 'Staging', 'Support', 'Translate', 'Warehouse', 'Webhook', 'Website'],
]

/**
 * Rows as an import would bring them, a second apart. Spread evenly among them are those of the client `marked`, those that are not
 * active, revoked, suspended, expired or that expire soon, those made by `ann`, with the scope `rare:scope`, with `{"plan": "rare"}`
 * in their metadata, and those with `Quarterly` and `FY94` in their name or description: a word with letters as others have them, and
 * a code like no other. Half of all keys have the scope `docs:read`, and a tenth was used.
 */
export async function fillTable({ sql }: Database, rows: number): Promise<void> {
  // The change log is not what is looked at here, and tidying at some moment would change the times.
  await sql(`ALTER TABLE "ApiKey" DISABLE TRIGGER USER, SET (autovacuum_enabled = off)`)
  await sql(
    `INSERT INTO "ApiKey" (
       "id", "key", "lookup", "start", "clientId", "isActive", "name", "description",
       "createdAt", "updatedAt", "allowedIps", "scopes", "metadata", "createdBy", "expiresAt", "revokedAt", "suspendedUntil",
       "lastUsedAt", "usageCount"
     )
     SELECT
       md5('id' || n), 'hash-' || md5('key' || n), 'lookup-' || n, 'sophra_live_' || n,
       CASE n % $2 WHEN 0 THEN 'marked' ELSE 'client-' || n % 50 END,
       n % $2 NOT IN (2, 3),
       CASE WHEN n % ($2 * 2) = 1 THEN 'Quarterly figures FY94'
         ELSE words[1 + n % 31] || ' ' || words[1 + n / 31 % 31] END || ' ' || n,
       CASE WHEN n % ($2 * 2) = $2 + 1 THEN 'Asked for by the quarterly review, FY94'
         WHEN n % 3 > 0 THEN 'Used by ' || words[1 + n / 7 % 31] || ' and ' || words[1 + n / 11 % 31] END,
       made, made, '{10.0.0.0/8}',
       CASE WHEN n % $2 = 4 THEN '{rare:scope}' WHEN n % 2 = 0 THEN '{docs:read}' ELSE '{docs:write}' END::text[],
       jsonb_build_object('plan', CASE n % $2 WHEN 5 THEN 'rare' ELSE 'plan-' || n % 5 END, 'n', n),
       CASE n % $2 WHEN 6 THEN 'ann' ELSE 'actor-' || n % 50 END,
       CASE n % $2 WHEN 7 THEN timestamp '2024-02-01' WHEN 8 THEN timestamp '2100-01-01' ELSE timestamp '2200-01-01' END
         + n * interval '1 second',
       CASE n % $2 WHEN 3 THEN made END,
       CASE n % $2 WHEN 9 THEN timestamp '2100-01-01' END,
       CASE WHEN n % 10 = 0 THEN made + interval '1 day' END,
       CASE WHEN n % 10 = 0 THEN n ELSE 0 END
     FROM (
       SELECT n, timestamp '2024-01-01' + n * interval '1 second' AS made, $3::text[] AS words
       FROM generate_series(1, $1::integer) AS n
     ) AS numbered`,
    [rows, rows / MATCHES, WORDS],
  )
  // Its trigger did not list them.
  await sql(
    `INSERT INTO sophra_api_keys.key_usage
     SELECT "id", "lastUsedAt", "usageCount", coalesce("lastUsedAt", "createdAt") FROM "ApiKey"`,
  )
  await sql(`VACUUM ANALYZE "ApiKey", sophra_api_keys.key_usage`)
  await sql(
    `UPDATE "ApiKey" SET "usageCount" = "usageCount" + 1, "lastUsedAt" = now()
     WHERE "id" IN (SELECT md5('id' || n * $1::integer) FROM generate_series(1, $2::integer) AS n)`,
    [rows / USED, USED],
  )
}
