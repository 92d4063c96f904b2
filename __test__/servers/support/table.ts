import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { format } from 'prettier'
import { root } from '../../support/child.js'
import type { Framework } from './framework.js'

const PAGE = join(root, 'docs/guides/servers.md')
const TABLE = /(<!-- what was run -->\n\n)([^]*?)(\n\n<!-- end -->)/

/** The columns are versions, so that a new case is a new line. */
export async function tableOf(
  names: string[],
  passed: Map<Framework, Set<string>>,
): Promise<string> {
  const frameworks = [...passed]
  const head = ['', ...frameworks.map(([{ name, version }]) => `${name} ${version}`.trim())]
  const rows = names.map((name) => [
    name,
    ...frameworks.map(([, cases]) => (cases.has(name) ? 'yes' : 'no')),
  ])
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)
  return (await format(lines.join('\n'), { parser: 'markdown' })).trim()
}

export const committedTable = (): string | undefined => TABLE.exec(readFileSync(PAGE, 'utf8'))?.[2]

export function renewTable(table: string): void {
  const page = readFileSync(PAGE, 'utf8')
  writeFileSync(
    PAGE,
    page.replace(TABLE, (_all, before, _old, after) => before + table + after),
  )
}
