import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../support/child.js'

/** A Markdown document of the repository, by its path. */
export const read = (path: string): string => readFileSync(join(root, path), 'utf8')

/** The chapter under a heading, with the chapters inside it, up to the next heading of its level. */
export function chapter(text: string, title: string): string {
  const start = text.indexOf(`\n## ${title}\n`)
  if (start < 0) throw new Error(`There is no chapter '${title}'`)
  const end = text.indexOf('\n## ', start + 1)
  return text.slice(start, end < 0 ? undefined : end)
}

/** The rows of the first table that begins with this column, each cell without its backticks. */
export function table(text: string, column: string): string[][] {
  const lines = text.split('\n')
  const start = lines.findIndex((line) => cells(line)[0] === column)
  const rows = lines.slice(start + 2)
  return rows
    .slice(
      0,
      rows.findIndex((line) => !line.startsWith('|')),
    )
    .map(cells)
}

const cells = (line: string): string[] =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim().replace(/^`([^`]+)`$/, '$1'))

/** What is in the fenced blocks of a language. */
export const blocks = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 'gs'))].map(([, block]) => block!)

/** The targets of all links. */
export const links = (text: string): string[] =>
  [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!)

/** The files and folders that are named by their path from the root. */
export const files = (text: string): string[] =>
  [...text.matchAll(/`((?:src|__test__|benches|scripts|examples)\/[\w./-]*|[\w-]+\.js)`/g)].map(
    ([, path]) => path!,
  )

/** The anchors that GitHub gives the headings. */
export const anchors = (text: string): string[] =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )
