import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { afterEach, describe, expect, inject, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'

const { close, configure, createApiKey, listApiKeys } = addon

/** The databases of one server may have any of these locales; not every server has all of them. */
const LOCALES: [string, string][] = [
  ['C', `LOCALE 'C'`],
  ['C with builtin letters', `LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'`],
  ['ICU', `LOCALE_PROVIDER icu ICU_LOCALE 'und' LOCALE 'C'`],
  ['Turkish by ICU', `LOCALE_PROVIDER icu ICU_LOCALE 'tr' LOCALE 'C'`],
  ['C.UTF-8', `LOCALE 'C.UTF-8'`],
]

const connect = async (url: string): Promise<Client> => {
  const client = new Client({ connectionString: url })
  // A failed test leaves its client connected to a database that is dropped.
  client.on('error', () => {})
  await client.connect()
  return client
}

/** The name of a new database, or why the server has no such locale. */
async function create(locale: string): Promise<{ name: string } | { refused: string }> {
  const name = `locale_${randomBytes(8).toString('hex')}`
  const server = await connect(inject('postgresUrl'))
  try {
    await server.query(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8' ${locale}`)
    return { name }
  } catch (error) {
    return { refused: (error as Error).message }
  } finally {
    await server.end()
  }
}

const urlOf = (name: string): string => {
  const url = new URL(inject('postgresUrl'))
  url.pathname = `/${name}`
  return url.href
}

const made: string[] = []
afterEach(async () => {
  await close()
  const server = await connect(inject('postgresUrl'))
  for (const name of made.splice(0)) await server.query(`DROP DATABASE ${name} WITH (FORCE)`)
  await server.end()
})

/** A name, and searches that find it. */
const NAMES: [string, string[]][] = [
  ['Ключ доступа', ['ключ', 'КЛЮЧ', 'Доступ']],
  ['ÀÉÎ accents', ['àéî', 'ÀÉÎ', 'àéî ACC']],
  ['INSIDE ISTANBUL', ['inside', 'Istanbul']],
  ['ΟΔΟΣΑ', ['οδοσ', 'ΟΔΟΣ', 'οδος']],
]

describe.each(LOCALES)('in a database with the locale %s', (_, locale) => {
  test('search finds letters of either case, by its index as well as without', async (context) => {
    const created = await create(locale)
    if ('refused' in created) return context.skip(created.refused)
    made.push(created.name)
    const url = urlOf(created.name)
    configure({ databaseUrl: url, statementTimeoutMs: 10_000, ...cheapHashing })
    for (const [name] of NAMES) await createApiKey({ name, clientId: 'acme' })
    const client = await connect(url)
    const index = `SELECT 1 FROM pg_indexes WHERE indexname = 'ApiKey_search_idx'`
    expect((await client.query(index)).rowCount).toBe(1)
    for (const scan of ['enable_seqscan', 'enable_bitmapscan']) {
      await client.query(`ALTER DATABASE ${created.name} RESET ALL`)
      // Only new connections have the setting.
      await close()
      await client.query(`ALTER DATABASE ${created.name} SET ${scan} = off`)
      for (const other of ['enable_indexscan', 'enable_sort'])
        await client.query(`ALTER DATABASE ${created.name} SET ${other} = off`)
      configure({ databaseUrl: url, statementTimeoutMs: 10_000, ...cheapHashing })
      for (const [name, searches] of NAMES) {
        for (const search of searches) {
          const { keys } = await listApiKeys({ search })
          expect(
            keys.map((key) => key.name),
            `${search}, without ${scan}`,
          ).toEqual([name])
        }
      }
    }
    await client.end()
  }, 120_000)
})
