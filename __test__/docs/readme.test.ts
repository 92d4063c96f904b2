import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { root, run, runScript } from '../support/child.js'
import { next } from '../support/next.js'
import { freshDatabase } from '../support/database.js'
import { checkedLines, compile, moduleOf } from './example.js'
import { anchors, chapter, files, links, read, table } from './markdown.js'

const readme = read('README.md')
const header = read('src/binding/header.d.ts')

describe('the API by example', () => {
  const source = moduleOf(readme)

  test('compiles, and does what it says', async () => {
    const { problems, code } = compile(source)
    expect(problems).toEqual([])

    const database = await freshDatabase()
    const child = await run([process.execPath, '--input-type=module', '--eval', code], {
      env: {
        DATABASE_URL: database.url,
        JWT_SECRET: 'a secret of the README, of 32 bytes or more',
      },
    })
    await database.drop()

    expect(child.code, child.stderr).toBe(0)
    const checks = checkedLines(source)
    expect(checks.length).toBeGreaterThan(20)
    // A check that failed reports more than its line.
    expect(child.reports).toEqual(checks.map((line) => ({ line })))
  })

  test('shows every function', () => {
    const names = [...Object.keys(addon), ...Object.keys(next)]
    const missing = names.filter((name) => !new RegExp(`\\b${name}[(<]`).test(source))
    expect(missing).toEqual([])
  })

  test('names every code', () => {
    const codes = [...header.matchAll(/'([A-Z_]{2,})'/g)].map(([, code]) => code!)
    expect(codes).toContain('NOT_FOUND')
    const missing = codes.filter((code) => !new RegExp(`['\`]${code}['\`]`).test(readme))
    expect(missing).toEqual([])
  })
})

describe('the configuration table', () => {
  const rows = table(chapter(readme, 'Configuration'), 'option')
  const options = rows.map(([option]) => option)
  const defaultOf = new Map(rows.map(([option, , value]) => [option, value]))

  const [, documented] = /export interface Options \{\n(.*?)\n\}/s.exec(header)!
  const fields = [...documented!.matchAll(/\/\*\*(.*?)\*\/\s*(\w+)\?:/gs)].map(([, doc, name]) => ({
    name,
    value: /@default (.+)/.exec(doc!)?.[1]?.trim(),
  }))

  test('has the options of configure()', () => {
    expect(options).toEqual(fields.map(({ name }) => name))
  })

  test('has the defaults that the types document', () => {
    for (const { name, value } of fields) {
      // Text or a list is written as a literal there: 'auto', ['sophra'].
      const plain = value?.replace(/^\[?'(\w+)'\]?$/, '$1')
      if (plain) expect([name, defaultOf.get(name)]).toEqual([name, plain])
    }
  })

  test('has the defaults of the code', () => {
    const constants = [...read('src/config.rs').matchAll(/^ {4}pub const (\w+): \S+ = (.+);$/gm)]
    expect(constants.length).toBeGreaterThan(5)
    for (const [, name, literal] of constants) {
      const option = name === 'PREFIX' ? 'prefixes' : camelCase(name!)
      const value = literal!.replace(/["_]/g, '')
      expect([option, defaultOf.get(option)?.split(' ').at(-1)]).toEqual([option, value])
    }
  })

  test('has the variables that are read', async () => {
    const env = Object.fromEntries(rows.map(([, variable]) => [variable, '?']))
    const child = await runScript(
      `await api.listApiKeys().catch(({ message }) => report(message))`,
      { env },
    )
    const message = child.reports[0] as string
    for (const [option, variable] of rows) {
      // A short secret is a fault of the admin functions only.
      if (option !== 'jwtSecret') expect(message).toContain(`${option} (${variable})`)
    }
  })

  const camelCase = (name: string): string =>
    name.toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
})

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'docs/ARCHITECTURE.md',
  'docs/moving-over.md',
  'SECURITY.md',
  'examples/nextjs/README.md',
  'examples/observability/README.md',
  'examples/testing/README.md',
]

test.each(documents)('the links of %s lead somewhere', (path) => {
  for (const link of links(read(path))) {
    if (/^https?:/.test(link)) continue
    const [file, anchor] = link.split('#')
    const target = file ? join(dirname(path), file) : path
    expect(existsSync(join(root, target)), link).toBe(true)
    if (anchor) expect(anchors(read(target)), link).toContain(anchor)
  }
})

describe('the maps', () => {
  test.each(['CONTRIBUTING.md', 'docs/ARCHITECTURE.md'])(
    '%s names files that there are',
    (path) => {
      const named = files(read(path))
      expect(named.length).toBeGreaterThan(10)
      expect(named.filter((file) => !existsSync(join(root, file)))).toEqual([])
    },
  )

  test('every part of the crate is on the map', () => {
    const parts = readdirSync(join(root, 'src')).filter((name) => name.endsWith('.rs'))
    const named = files(read('CONTRIBUTING.md'))
    expect(parts.filter((name) => !named.includes(`src/${name}`))).toEqual([])
  })
})
