import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { next } from '../support/next.js'

const { close, configure } = addon

let database: Database
beforeAll(async () => {
  database = await freshDatabase()
})
afterEach(() => close())
afterAll(() => database.drop())

/** The status of a creation, asked for by a page of `app.example.com` through a proxy to another host. */
async function status(forwarded: string): Promise<number> {
  const owner = () => ({ clientId: 'c', grantable: [], permissions: ['create' as const] })
  const headers = {
    host: 'inner:3000',
    origin: 'https://app.example.com',
    'x-forwarded-host': forwarded,
    'content-type': 'application/json',
  }
  const request = new Request('http://inner:3000/keys', {
    ...{ method: 'POST', headers, body: '{"name":"n"}' },
  })
  return (await next.clientKeyRoutes({ owner }).POST(request)).status
}

test('what a proxy says of the host counts where proxies are declared', async () => {
  for (const [proxies, expected] of [
    [{}, 403],
    [{ trustedHops: 1 }, 201],
    [{ trustedProxies: ['10.0.0.0/8'] }, 201],
  ] as const) {
    configure({ databaseUrl: database.url, ...cheapHashing, ...structuredClone(proxies) } as never)
    expect(await status('app.example.com')).toBe(expected)
    for (const forwarded of [
      'evil.example',
      'app.example.com, evil.example',
      'evil.example@app.example.com',
      'app.example.com/evil.example',
      '',
    ])
      expect(await status(forwarded)).toBe(403)
    await close()
  }
})
