import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { addon, cheapHashing } from '../support/addon.js'
import { root, run } from '../support/child.js'
import { useDatabaseEach } from '../support/database-each.js'
import type { Database } from '../support/database.js'
import { ELSEWHERE, JWT_SECRET, PREPARED, UNTRIED } from './elsewhere.js'
import { checkedLines, compile, moduleOf } from './example.js'
import { blocksOf, pages, read, type Block } from './markdown.js'
import { commandsOf, Session } from './session.js'

// Every example of every page is tried:
// - the `ts` blocks of a page are one module; a line `value // => expected` is a check
// - a block with a file name (```js server.mjs) is a file of the page's app
// - the `bash` (or `sh`) blocks of a page are typed one after the other, in the folder of these files; `# => ` after a command
//   says what it prints, and `# => exit code 1` that it fails. `.env` in that folder has the variables of the app
// - a `sql` block runs in a transaction on the database of this package
// - `json` and `yaml` must be that
// Any other block needs an entry in `elsewhere.ts`, which also prepares the database for the commands of a page.

const environment = (database: Database): Record<string, string> => ({
  DATABASE_URL: database.url,
  JWT_SECRET,
  API_KEYS_ARGON2_MEMORY_KIB: '8',
  API_KEYS_ARGON2_ITERATIONS: '1',
  API_KEYS_LOG: 'off',
  // The examples say what happens on a machine that is not overloaded.
  API_KEYS_STATEMENT_TIMEOUT_MS: '10000',
  // Nothing is sent to the hosts that the examples name.
  API_KEYS_WEBHOOKS: 'off',
})

const database = useDatabaseEach()

const all = pages().flatMap((page) => blocksOf(page))
const elsewhere = ({ page, language, text }: Block): boolean =>
  ELSEWHERE.some(
    (entry) => entry.page === page && entry.language === language && text.startsWith(entry.begins),
  ) || untried(page, text)
const untried = (page: string, text: string): boolean =>
  UNTRIED.some((entry) => entry.page === page && text.startsWith(entry.begins))
const tried = all.filter((block) => !elsewhere(block))
const isShell = ({ language }: Block): boolean => language === 'bash' || language === 'sh'
const withBlocks = (select: (block: Block) => boolean): [string, Block[]][] => {
  const selected = tried.filter(select)
  return [...new Set(selected.map(({ page }) => page))].map((page) => [
    page,
    selected.filter((block) => block.page === page),
  ])
}
const where = ({ page, line }: Block): string => `${page}:${line}`

describe('no example is overlooked', () => {
  test('each block is of a kind that is tried', () => {
    const sessions = withBlocks(isShell).map(([page]) => page)
    const unknown = tried.filter(({ language, file, page, text }) => {
      if (['ts', 'bash', 'sh', 'sql', 'json', 'yaml'].includes(language)) return false
      // A file of an app that another block names.
      const others = all.filter((block) => block.page === page && block.text !== text)
      const named = others.some((block) => block.text.includes(file ?? '\0'))
      return !(file && named && sessions.includes(page))
    })
    expect(unknown.map(where)).toEqual([])
  })

  test('what is tried elsewhere is there, and so is its test', () => {
    for (const { page, language, begins, test: path } of ELSEWHERE) {
      const found = all.filter(
        (block) =>
          block.page === page && block.language === language && block.text.startsWith(begins),
      )
      expect([page, begins, found.length]).toEqual([page, begins, 1])
      expect([path, existsSync(join(root, path))]).toEqual([path, true])
    }
    for (const { page, begins, because } of UNTRIED) {
      const blocks = all.filter((block) => block.page === page)
      const commands = blocks.filter(isShell).flatMap(commandsOf)
      const found = [...blocks, ...commands].filter(({ text }) => text.startsWith(begins))
      expect([page, begins, found.length > 0]).toEqual([page, begins, true])
      expect(because).not.toBe('')
    }
  })
})

describe('the code of', () => {
  const selected = withBlocks(({ language, file }) => language === 'ts' && !file)
  test.each(selected.map(([page]) => page))('%s compiles, and does what it says', async (page) => {
    const source = moduleOf(read(page))
    const { problems, code } = compile(source)
    expect(problems).toEqual([])
    const child = await run([process.execPath, '--input-type=module', '--eval', code], {
      env: environment(database),
    })
    expect(child.code, child.stderr).toBe(0)
    // A check that failed reports more than its line.
    expect(child.reports).toEqual(checkedLines(source).map((line) => ({ line })))
  })

  const files = tried.filter(({ language, file }) => language === 'ts' && file)
  test.each(files.map((block) => [where(block), block] as const))('%s compiles', (_, { text }) => {
    expect(compile(text).problems).toEqual([])
  })
})

const sessions = withBlocks(isShell)
test.each(sessions)(
  'the commands of %s do what they say',
  async (page, blocks) => {
    const files = tried.filter((block) => block.page === page && block.file)
    const preparation = PREPARED[page]
    if (preparation) await database.sql(preparation)
    const session = new Session(environment(database), files)
    try {
      for (const command of blocks.flatMap(commandsOf)) {
        if (untried(page, command.text)) continue
        const problem = await session.run(command)
        expect(problem, `${page}:${command.line}: ${command.text}`).toBe(undefined)
      }
    } finally {
      session.end()
    }
  },
  120_000,
)

const statements = withBlocks(({ language }) => language === 'sql')
test.each(statements)('the statements of %s can be run', async (_page, blocks) => {
  addon.configure({ databaseUrl: database.url, ...cheapHashing })
  await addon.migrate()
  for (const block of blocks) {
    const problem = await database.sql(`BEGIN;\n${block.text};\nROLLBACK`).then(
      () => undefined,
      (error: Error) => error.message,
    )
    expect(problem, where(block)).toBe(undefined)
  }
})

const data = tried.filter(({ language }) => language === 'json' || language === 'yaml')
test.each(data.map((block) => [where(block), block] as const))(
  'the data of %s is well-formed',
  (_, { language, text }) => {
    expect(() => (language === 'json' ? JSON.parse(text) : parse(text))).not.toThrow()
  },
)
