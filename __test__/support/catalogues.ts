import type { Database, Row } from './database.js'

const OURS = `nspname !~ '^pg_' AND nspname <> 'information_schema'`

/** Objects of an extension belong to the extension. */
const notOfExtension = (catalogue: string): string =>
  `NOT EXISTS (
     SELECT FROM pg_depend
     WHERE classid = '${catalogue}'::regclass AND objid = ${catalogue}.oid AND deptype = 'e'
   )`

/** Every object of a database, from the catalogues. The order of columns is left out. Older servers lack some properties. */
const CATALOGUES: Record<string, string> = {
  schemas: `SELECT nspname, nspacl::text FROM pg_namespace WHERE ${OURS}`,
  relations: `
    SELECT nspname, relname, relkind, relpersistence, reloptions, relrowsecurity, relreplident, relacl::text
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE ${OURS}`,
  columns: `
    SELECT nspname, relname, attname, format_type(atttypid, atttypmod) AS type, attnotnull,
      pg_get_expr(adbin, adrelid) AS fallback, attidentity, attgenerated, attstorage,
      to_jsonb(pg_attribute) ->> 'attcompression' AS compression,
      attcollation::regcollation::text
    FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid AND relkind = 'r'
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE ${OURS} AND attnum > 0 AND NOT attisdropped`,
  constraints: `
    SELECT conrelid::regclass::text, conname, contype, convalidated, pg_get_constraintdef(pg_constraint.oid)
    FROM pg_constraint JOIN pg_namespace ON pg_namespace.oid = connamespace
    WHERE ${OURS} AND ${notOfExtension('pg_constraint')}`,
  indexes: `
    SELECT pg_get_indexdef(indexrelid), indisvalid, indisready, indisprimary, indisunique,
      to_jsonb(pg_index) ->> 'indnullsnotdistinct' AS nulls_not_distinct
    FROM pg_index
    JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE ${OURS}`,
  triggers: `
    SELECT pg_get_triggerdef(oid), tgenabled FROM pg_trigger WHERE NOT tgisinternal`,
  functions: `
    SELECT pg_get_functiondef(pg_proc.oid), proacl::text
    FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
    WHERE ${OURS} AND ${notOfExtension('pg_proc')}`,
  types: `
    SELECT nspname, typname FROM pg_type JOIN pg_namespace ON pg_namespace.oid = typnamespace
    WHERE ${OURS} AND ${notOfExtension('pg_type')}`,
  extensions: `SELECT extname, extversion, extnamespace::regnamespace::text FROM pg_extension`,
}

export async function schemaOf({ sql }: Database): Promise<Record<string, Row[]>> {
  const schema: Record<string, Row[]> = {}
  for (const [kind, query] of Object.entries(CATALOGUES)) {
    const rows = await sql(query)
    schema[kind] = rows.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  }
  return schema
}
