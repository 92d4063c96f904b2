import type { Database } from './database.js'

/** Every row of every table that is not the system's own, as text. */
export async function dump(sql: Database['sql']): Promise<string> {
  const tables = await sql(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
     WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
  )
  const rows = await Promise.all(
    tables.map(({ name }) => sql(`SELECT t::text AS row FROM ${name as string} AS t`)),
  )
  return rows
    .flat()
    .map(({ row }) => row as string)
    .join('\n')
}

/** The forms in which a secret may have been written down. */
export function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret)
  const encoded = (['hex', 'base64', 'base64url'] as const).map((form) => bytes.toString(form))
  // The end of base64 depends on what follows.
  return [secret, ...encoded.map((text) => text.replace(/.{0,3}=*$/, ''))]
}

const HEAD = 8

/** Those of the needles that the text contains: one pass over it, however many needles there are. */
export function occurring(needles: Iterable<string>, text: string): string[] {
  const byHead = new Map<string, string[]>()
  for (const needle of needles) {
    const head = needle.slice(0, HEAD)
    byHead.set(head, [...(byHead.get(head) ?? []), needle])
  }
  const found = new Set<string>()
  for (let at = 0; at <= text.length - HEAD; at++) {
    for (const needle of byHead.get(text.slice(at, at + HEAD)) ?? []) {
      if (text.startsWith(needle, at)) found.add(needle)
    }
  }
  return [...found]
}
