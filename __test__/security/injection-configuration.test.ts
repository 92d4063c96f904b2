import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runScript } from '../support/child.js'
import { freshDatabase, type Database } from '../support/database.js'
import { fieldsOf } from '../support/declared.js'
import { eventsOf, expectHarmless, named, wellFormed } from '../support/hostile-texts.js'

// Every text in every option, of code and of the environment, and at every place of a URL.

let database: Database
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

/** Asks what needs the configuration, and reports whatever is said. */
const program = `
  const said = async (call) => {
    try {
      const answer = await call()
      return typeof answer?.key === 'string' ? {} : answer
    } catch ({ message, code, issues }) {
      return { message, code, issues }
    }
  }
  const ask = async (options) => {
    const answers = [await said(() => api.configure(options))]
    if (answers[0] === undefined) for (const call of [
      () => api.verifyApiKey('x'.repeat(43)),
      () => api.createApiKey({ name: 'n', clientId: 'c' }),
      () => api.verifyAdminToken('x'),
      () => api.health(),
      () => api.metrics().replaceAll('\\n', ''),
      () => api.close(),
    ]) answers.push(await said(call))
    report(answers)
  }`

const CODES = ['CONFIGURATION', 'DATABASE_UNAVAILABLE', 'INVALID_KEY', 'INVALID_TOKEN']

type Answers = ({ code?: string } | undefined)[][]

function expectSound(reports: unknown[], stderr: string, count: number): void {
  expect(reports).toHaveLength(count)
  for (const answer of (reports as Answers).flat()) {
    expectHarmless(answer, 'an answer')
    if (answer?.code) expect(CODES).toContain(answer.code)
  }
  eventsOf(stderr)
}

/** One after the other in a process of their own, which reads them from a file: they are more than an argument can be. */
async function askAll(options: object[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'injection-'))
  const file = join(folder, 'options.json')
  try {
    await writeFile(file, JSON.stringify(options))
    const source = `${program}; for (const options of require(process.env.FILE)) await ask(options)`
    const { code, reports, stderr } = await runScript(source, { env: { FILE: file } })
    expect(code).toBe(0)
    expectSound(reports, stderr, options.length)
  } finally {
    await rm(folder, { recursive: true })
  }
}

const cheap = { argon2MemoryKib: 8, argon2Iterations: 1 }

test('options of code', async () => {
  const base = { databaseUrl: database.url, ...cheap }
  const options = Object.keys(fieldsOf('Options'))
  const shapes = [
    (text: string) => text,
    (text: string) => [text],
    (text: string) => ({ [text]: text }),
  ]
  // One shape at a time: all of them are more than a JSON text can hold.
  for (const shape of shapes)
    await askAll(
      options.flatMap((option) => named.map(([, text]) => ({ ...base, [option]: shape(text) }))),
    )
  await askAll(named.map(([, text]) => ({ ...base, [text]: 1 })))
})

test('variables of the environment', async () => {
  const variables = Object.keys(fieldsOf('Options')).map((option) => {
    const name = option.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
    return /Url$|^jwtSecret$/.test(option) ? name : `API_KEYS_${name}`
  })
  // The environment has no NUL, and not more than some kilobytes.
  const texts = named
    .map(([, text]) => text.slice(0, 10_000))
    .filter((text) => !text.includes('\0'))
  for (const text of texts) {
    const env = Object.fromEntries(variables.map((name) => [name, text]))
    const { code, reports, stderr } = await runScript(`${program}; await ask({})`, { env })
    expect(code).toBe(0)
    expectSound(reports, stderr, 1)
    const only = { DATABASE_URL: database.url, JWT_SECRET: text, POSTGRESQL_URL: text }
    const second = await runScript(`${program}; await ask({})`, { env: only })
    expectSound(second.reports, second.stderr, 1)
  }
})

test('places of a URL', async () => {
  const urls = named
    .map(([, text]) =>
      encodeURIComponent(wellFormed(text))
        .slice(0, 30_000)
        .replace(/%[^%]{0,1}$/, ''),
    )
    .flatMap((text) =>
      [
        (url: URL) => (url.username = text),
        (url: URL) => (url.password = text),
        (url: URL) => (url.pathname = `/${text}`),
        (url: URL) => (url.search = `?schema=${text}`),
        (url: URL) => (url.search = `?${text}=${text}`),
        (url: URL) => (url.search = `?sslmode=${text}`),
        (url: URL) => (url.search = `?options=${text}`),
        (url: URL) => (url.search = `?host=${text.slice(0, 100)}`),
        (url: URL) => (url.search = `?connection_limit=${text}`),
      ].map((set) => {
        const url = new URL(database.url)
        set(url)
        return url.href
      }),
    )
  await askAll(urls.map((databaseUrl) => ({ databaseUrl, ...cheap })))
})
