import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../support/child.js'

/** A file of the repository, by its path. */
export const read = (path: string): string => readFileSync(join(root, path), 'utf8')

const SKIPPED = new Set(['node_modules', 'target', 'dist', 'npm', 'portable', 'docs/api'])

/** The paths of all Markdown files under a folder of the repository, without what tools write. */
export function markdownUnder(folder = ''): string[] {
  const entries = readdirSync(join(root, folder), { withFileTypes: true })
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.name.startsWith('.') || SKIPPED.has(entry.name) || SKIPPED.has(path)) return []
    if (entry.isDirectory()) return markdownUnder(path)
    return entry.name.endsWith('.md') ? [path] : []
  })
}

/** The pages for users. */
export const pages = (): string[] => [
  'README.md',
  ...markdownUnder('docs').filter((path) => path !== 'docs/ARCHITECTURE.md'),
]

/** A fenced block. */
export interface Block {
  page: string
  /** The line after the opening fence, counted from 1. */
  line: number
  /** The first word after the fence: `ts`, `bash`, … */
  language: string
  /** The second word, where the block is a file of the page's app: `server.mjs`. */
  file?: string
  /** Without the indentation that it has as a part of a list. */
  text: string
}

/** All fenced blocks of a page, in their order. */
export function blocksOf(page: string, text = read(page)): Block[] {
  const blocks: Block[] = []
  let open: Block | undefined
  let indent = 0
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^( *)```(\S*) *(\S*)/.exec(line)
    if (!fence) {
      if (open) open.text += `${line.slice(Math.min(indent, line.search(/\S|$/)))}\n`
    } else if (open) {
      blocks.push(open)
      open = undefined
    } else {
      indent = fence[1]!.length
      open = { page, line: index + 2, language: fence[2]!, text: '' }
      if (fence[3]) open.file = fence[3]
    }
  }
  if (open) throw new Error(`${page}:${open.line}: the block has no end`)
  return blocks
}

/** What is in the blocks of a language. */
export const blocks = (text: string, language: string): string[] =>
  blocksOf('', text)
    .filter((block) => block.language === language)
    .map((block) => block.text)

/** The file of this name that a page shows. */
export function fileOf(page: string, file: string, index = 0): string {
  const found = blocksOf(page).filter((block) => block.file === file)[index]
  if (!found) throw new Error(`${page} shows no file ${file}`)
  return found.text
}

/** A text without its fenced blocks, which stay as empty lines. */
export function prose(text: string): string {
  let inside = false
  return text
    .split('\n')
    .map((line) => {
      const fence = /^ *```/.test(line)
      if (fence) inside = !inside
      return fence || inside ? '' : line
    })
    .join('\n')
}

/** The chapter under a heading, with the chapters inside it, up to the next heading of its level. */
export function chapter(text: string, title: string): string {
  const start = text.indexOf(`\n## ${title}\n`)
  if (start < 0) throw new Error(`There is no chapter '${title}'`)
  const end = text.indexOf('\n## ', start + 1)
  return text.slice(start, end < 0 ? undefined : end)
}

/** The rows of the first table that begins with this column, each cell without its backticks. */
export function table(text: string, column: string): string[][] {
  const [first] = tables(text, column)
  if (!first) throw new Error(`There is no table that begins with '${column}'`)
  return first
}

/** The rows of all tables that begin with this column. */
export function tables(text: string, column: string): string[][][] {
  const lines = text.split('\n')
  const starts = [...lines.keys()].filter((index) => cells(lines[index]!)[0] === column)
  return starts.map((start) => {
    const rows = lines.slice(start + 2)
    const end = rows.findIndex((line) => !line.startsWith('|'))
    return rows.slice(0, end < 0 ? undefined : end).map(cells)
  })
}

const cells = (line: string): string[] =>
  line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim().replace(/^`([^`]+)`$/, '$1'))

/** The targets of all links, those in blocks and in code left out. */
export const links = (text: string): string[] =>
  [
    ...prose(text)
      .replace(/`[^`\n]+`(?!\])/g, '')
      .matchAll(/\]\(([^)\s]+)\)/g),
  ].map(([, target]) => target!)

/** The files and folders that are named by their path from the root. */
export const files = (text: string): string[] =>
  [...text.matchAll(/`((?:src|__test__|benches|scripts|examples)\/[\w./-]*|[\w-]+\.js)`/g)].map(
    ([, path]) => path!,
  )

/** The anchors that GitHub gives the headings; the second of the same text gets `-1`. */
export function anchors(text: string): string[] {
  const seen = new Map<string, number>()
  return [...prose(text).matchAll(/^#+ (.+)$/gm)].map(([, title]) => {
    const anchor = title!
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-')
    const times = seen.get(anchor) ?? 0
    seen.set(anchor, times + 1)
    return times === 0 ? anchor : `${anchor}-${times}`
  })
}
