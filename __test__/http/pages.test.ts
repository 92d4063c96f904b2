import { beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { KEYS_ROUTE, useApp } from '../support/example-app.js'

describe(KEYS_ROUTE, () => {
  const app = useApp()

  /** Follows the `Link` headers from a query to the end; answers the ids of each page. */
  async function walk(query: string): Promise<string[][]> {
    const pages: string[][] = []
    for (let next: string | undefined = query; next !== undefined;) {
      const { status, body, headers } = await app.keys('GET', undefined, next)
      expect(status).toBe(200)
      pages.push(body.map((key: { id: string }) => key.id))
      const link = headers.get('link')
      if (link === null) break
      const [, target] = /^<([^>]+)>; rel="next"$/.exec(link)!
      const url: URL = new URL(target!, `${app.url()}${KEYS_ROUTE}${next}`)
      expect(url.origin + url.pathname).toBe(`${app.url()}${KEYS_ROUTE}`)
      next = url.search
    }
    return pages
  }

  const sizes = (pages: string[][]) => pages.map((page) => page.length)

  beforeAll(async () => {
    for (let index = 0; index < 25; index++) {
      const clientId = index % 5 === 0 ? 'a&b=c' : 'acme'
      await addon.createApiKey({ name: `Key ${index}`, clientId, isActive: index % 2 === 0 })
    }
  })

  test('a limit gives pages to the end, each key once, newest first', async () => {
    const all = (await walk('')).flat()
    expect(all).toHaveLength(25)
    const pages = await walk('?limit=10')
    expect(sizes(pages)).toEqual([10, 10, 5])
    expect(pages.flat()).toEqual(all)
    expect(sizes(await walk('?limit=25'))).toEqual([25])
  })

  test('the next page keeps the filters', async () => {
    const pages = await walk('?limit=2&clientId=a%26b%3Dc&search=Key%20')
    expect(sizes(pages)).toEqual([2, 2, 1])
    expect(new Set(pages.flat()).size).toBe(5)
    expect(sizes(await walk('?limit=10&isActive=true'))).toEqual([10, 3])
  })

  test('of a parameter that is given twice the last one counts', async () => {
    const { body } = await app.keys('GET', undefined, '?limit=1&limit=3')
    expect(body).toHaveLength(3)
  })

  test('a Host header does not decide where the next page is', async () => {
    const { headers } = await app.keys('GET', undefined, '?limit=1')
    expect(headers.get('link')).toMatch(new RegExp(`^<${KEYS_ROUTE}\\?`))
  })

  test('ten thousand keys come without a limit, and a link when there are more', async () => {
    await app.sql(
      `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "createdAt", "updatedAt")
     SELECT 'many-' || n, 'an old plaintext key no ' || n, 'many', 'Many',
       timestamp '2024-01-01' + n * interval '1 ms', now()
     FROM generate_series(1, 12345) AS n`,
    )
    const pages = await walk('?clientId=many')
    expect(sizes(pages)).toEqual([10_000, 2_345])
    expect(new Set(pages.flat()).size).toBe(12_345)
    expect(pages[0]![0]).toBe('many-12345')
    expect(sizes(await walk('?clientId=many&limit=10000'))).toEqual([10_000, 2_345])
    expect(sizes(await walk('?clientId=many&limit=4200'))).toEqual([4_200, 4_200, 3_945])
  })
})
