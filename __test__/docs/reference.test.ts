import { createRequire } from 'node:module'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { next } from '../support/next.js'
import { addon, cheapHashing } from '../support/addon.js'
import { root, run, runScript } from '../support/child.js'
import { freshDatabase, type Database } from '../support/database.js'
import { moduleOf } from './example.js'
import { chapter, pages, read, table, tables } from './markdown.js'

// The tables of the reference, held to the code.

const header = read('src/binding/header.d.ts')
const everything = pages().map(read).join('\n')

const functions = Object.keys(addon).filter((name) => name !== 'ApiKeyError')

test('every function is shown in an example', () => {
  const source = pages()
    .map((page) => moduleOf(read(page)))
    .join('\n')
  const names = [...functions, ...Object.keys(next)]
  expect(names.length).toBeGreaterThan(15)
  expect(names.filter((name) => !new RegExp(`\\b${name}[(<]`).test(source))).toEqual([])
})

test('every function is in the reference', () => {
  const reference = read('docs/reference/functions.md')
  expect(functions.filter((name) => !reference.includes(`| \`${name}(`))).toEqual([])
  expect(Object.keys(next).filter((name) => !reference.includes(`\`${name}\``))).toEqual([])
})

test('every type is named', () => {
  const page = read('docs/guides/typescript-and-errors.md')
  const types = [header, read('next.d.ts')].flatMap((text) =>
    [...text.matchAll(/^export (?:interface|type) (\w+)/gm)].map(([, type]) => type!),
  )
  expect(types.length).toBeGreaterThan(40)
  expect(types.filter((type) => !page.includes(`\`${type}\``))).toEqual([])
})

test('every code is named', () => {
  const codes = [...header.matchAll(/'([A-Z_]{2,})'/g)].map(([, code]) => code!)
  expect(codes).toContain('NOT_FOUND')
  const missing = codes.filter((code) => !new RegExp(`['\`]${code}['\`]`).test(everything))
  expect(missing).toEqual([])
})

/** The fields of an interface of the types. */
function fieldsOf(name: string): string[] {
  const [, body] = new RegExp(`interface ${name}\\b[^{]*\\{\\n(.*?)\\n\\}`, 's').exec(header)!
  return [...body!.matchAll(/^ {2}(\w+)\??:/gm)].map(([, field]) => field!)
}

test('the fields of a key are in the reference', () => {
  const [settable, readOnly] = tables(
    chapter(read('docs/reference/functions.md'), 'Keys'),
    'field',
  ).map((rows) => rows.flatMap(([cell]) => cell!.replace(/`/g, '').split(', ')))
  expect(settable).toEqual(fieldsOf('CreateApiKeyInput'))
  // It belongs to the creation, not to the key.
  const stored = settable!.filter((field) => field !== 'idempotencyKey')
  expect([...stored, ...readOnly!].sort()).toEqual(fieldsOf('ApiKey').sort())
})

test('the query of a list is in the guide', () => {
  const guide = chapter(read('docs/guides/keys-and-rotation.md'), 'List and search')
  const fields = table(guide, 'field').map(([field]) => field)
  expect(fields.sort()).toEqual(
    [...fieldsOf('ApiKeyFilter'), ...fieldsOf('ListApiKeysQuery')].sort(),
  )
})

test('the context of a verify is in the reference', () => {
  const [, , context] = tables(chapter(read('docs/reference/functions.md'), 'Keys'), 'field')
  expect(context!.map(([field]) => field).sort()).toEqual(fieldsOf('VerifyContext').sort())
})

describe('the table of the options', () => {
  const rows = table(read('docs/reference/options.md'), 'option')
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
    const constants = [
      ...read('src/config/settings.rs').matchAll(/^ {4}pub const (\w+): \S+ = (.+);$/gm),
    ]
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
      // A short secret is an error of the functions for admin tokens only.
      if (option !== 'jwtSecret') expect(message).toContain(`${option} (${variable})`)
    }
  })

  const camelCase = (name: string): string =>
    name.toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
})

describe('the table of the command line', () => {
  const { bin } = JSON.parse(read('package.json')) as { bin: Record<string, string> }
  const program = join(root, bin['sophra-api-keys']!)
  const rows = table(read('docs/reference/command-line.md'), 'command')
  const help = async (...args: string[]): Promise<string> =>
    (await run([process.execPath, program, ...args, '--help'])).stdout

  test('has the commands of the program, in their order', async () => {
    const [, listed] = /\nCommands\n(.*?)\n\n/s.exec(await help())!
    const commands = listed!.split('\n').map((line) => /^ {2}(\S+(?: \S+)?) {2}/.exec(line)![1]!)
    expect(commands.length).toBeGreaterThan(10)
    expect(rows.map(([command]) => command!.replace(/ \[?<(?:id|name)>\]?$/, ''))).toEqual(commands)
  })

  test.each(rows.map(([command, what]) => [command!, what!]))(
    'has the options of %s',
    async (command, what) => {
      const name = command.replace(/ \[?<id>\]?$/, '').split(' ')
      const text = await help(...name)
      const options = [...text.matchAll(/^ {2}(?:-\w, )?--(\w[\w-]*)/gm)].map(
        ([, option]) => option!,
      )
      const common = [...(await help('migrate')).matchAll(/^ {2}(?:-\w, )?--(\w[\w-]*)/gm)]
        .map(([, option]) => option!)
        .filter((option) => !['adopt', 'sql', 'after'].includes(option))
      const named = [...what.matchAll(/`--([\w-]+)/g)].map(([, option]) => option!)
      expect(named.filter((option) => !options.includes(option))).toEqual([])
      // `keys update` names those of `keys create` as a whole.
      const others = options.filter((option) => !common.includes(option) && !named.includes(option))
      const created = rows.find(([first]) => first === 'keys create')![1]!
      const missing = others.filter((option) => {
        return command !== 'keys update <id>' || !created.includes(`\`--${option}`)
      })
      expect(missing).toEqual([])
    },
  )
})

describe('the table of the events', () => {
  const rows = table(read('docs/reference/events.md'), 'type')
  const events = [...header.matchAll(/interface \w+Event extends EventBase \{(.*?)\n\}/gs)].map(
    ([, body]) => ({
      types: [.../type: (.+)/.exec(body!)![1]!.matchAll(/'([^']+)'/g)].map(([, type]) => type!),
      severity: /severity: '(\w+)'/.exec(body!)![1]!,
      fields: [...body!.matchAll(/^ {2}(\w+)\??:/gm)]
        .map(([, field]) => field!)
        .filter((field) => field !== 'type' && field !== 'severity'),
    }),
  )

  test('has every event, with its severity and its fields', () => {
    const types = events.flatMap(({ types }) => types)
    expect(types.length).toBeGreaterThan(10)
    expect(rows.map(([type]) => type).sort()).toEqual(types.sort())
    for (const { types, severity, fields } of events) {
      const described = rows.filter(([type]) => types.includes(type!))
      expect(described.map((row) => row[1])).toEqual(types.map(() => severity))
      const text = described.map((row) => row[3]).join()
      expect(fields.filter((field) => !new RegExp(`\\b${field}\\b`).test(text))).toEqual([])
    }
  })
})

describe('the table of the metrics', () => {
  const rows = table(read('docs/reference/metrics.md'), 'metric')
  let database: Database
  beforeAll(async () => {
    database = await freshDatabase()
    addon.configure({ databaseUrl: database.url, metricsClients: 1, ...cheapHashing })
    const { key } = await addon.createApiKey({ name: 'n', clientId: 'c' })
    await addon.verifyApiKey(key)
  })
  afterAll(async () => {
    await addon.close()
    await database.drop()
  })

  test('has every metric with its type', () => {
    const families = [...addon.metrics().matchAll(/^# TYPE sophra_api_key_(\w+) (\w+)$/gm)]
    const reported = families.map(([, name, type]) => [name, type])
    expect(rows.map(([name, type]) => [name, type]).sort()).toEqual(reported.sort())
  })

  test('has the labels', () => {
    for (const [name, , labels] of rows) {
      const line = new RegExp(`^sophra_api_key_${name}(?:_bucket)?\\{(\\w+)=`, 'm')
      const label = line.exec(addon.metrics())?.[1]
      expect([name, /^`?(\w+)/.exec(labels!)?.[1]]).toEqual([name, label])
    }
  })
})
