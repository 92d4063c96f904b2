/**
 * Writes the manifest of the schema: the columns and triggers that the tables of the app must have, as Rust. It is read
 * from the catalogues of a migrated database, so that nothing has to be listed by hand or parsed from SQL.
 */

/** Each of `steps` applies a migration. The first one creates the tables as the app has them. */
export async function writeManifest(client, steps) {
  const [first, ...others] = steps
  await first()
  const original = new Set((await columns(client)).map(keyOf))
  for (const apply of others) await apply()
  const rows = (await columns(client)).map((column) => {
    const { name, type, required, fallback } = column
    const parts = [type, required && 'NOT NULL', fallback !== null && `DEFAULT ${fallback}`]
    return {
      table: column.table,
      name,
      definition: parts.filter(Boolean).join(' '),
      added: !original.has(keyOf(column)),
    }
  })
  return `//! The columns that the migrations leave on the tables of the app, and all triggers.
//! Generated from a migrated database by \`npm run sqlx:prepare\`. Do not edit.

use super::expected::{Column, Trigger};

${constant('pub', 'COLUMNS', 'Column', rows)}
${constant('pub(super)', 'TRIGGERS', 'Trigger', await triggers(client))}`
}

const keyOf = ({ table, name }) => `${table}.${name}`

function constant(visibility, name, type, rows) {
  const lines = rows.map((row) => {
    // A JSON string is a valid Rust string too.
    const fields = Object.entries(row).map(([field, value]) => `${field}: ${JSON.stringify(value)}`)
    return `    ${type} { ${fields.join(', ')} },\n`
  })
  return `#[rustfmt::skip]\n${visibility} const ${name}: &[${type}] = &[\n${lines.join('')}];\n`
}

const TABLES = `unnest(ARRAY['ApiKey', 'AdminToken']) WITH ORDINALITY AS tables (name, position)
  JOIN pg_class ON pg_class.oid = to_regclass(quote_ident(tables.name))`

async function columns(client) {
  const { rows } = await client.query(`
    SELECT tables.name AS table, attname AS name, format_type(atttypid, atttypmod) AS type,
      attnotnull AS required, pg_get_expr(adbin, adrelid) AS fallback
    FROM ${TABLES}
    JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    ORDER BY position, attnum`)
  return rows
}

/**
 * The tables that have triggers of ours: also the change log itself, by whose trigger processes check that changes arrive,
 * the balances of quotas, of which triggers tell what was granted and used, the copy of the use of keys, and the signing keys, of which a trigger notes which were stored.
 */
const TRIGGERED = [
  '"ApiKey"',
  '"AdminToken"',
  'sophra_api_keys.audit',
  'sophra_api_keys.clients',
  'sophra_api_keys.change_log',
  'sophra_api_keys.key_usage',
  'sophra_api_keys.quota_balances',
  'sophra_api_keys.roles',
  'sophra_api_keys.signing_keys',
  'sophra_api_keys.usage_batches',
]

async function triggers(client) {
  const { rows } = await client.query(
    `
    SELECT tables.name AS table, tgname AS name, pg_get_triggerdef(pg_trigger.oid, true) || ';' AS definition
    FROM unnest($1::text[]) WITH ORDINALITY AS tables (name, position)
    JOIN pg_trigger ON tgrelid = to_regclass(tables.name) AND NOT tgisinternal
    ORDER BY position, tgname`,
    [TRIGGERED],
  )
  return rows
}
