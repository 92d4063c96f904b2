import { afterEach, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { samples } from '../support/prometheus.js'
import { useAddon } from '../support/use-addon.js'

const { close, configure, createApiKey, metrics, verifyApiKey } = addon

const database = useAddon()
afterEach(() => close())

const NAME = 'sophra_api_key_client_verifications_total'
const countsOfClients = (): Record<string, number> =>
  Object.fromEntries([...samples(metrics())].filter(([series]) => series.startsWith(NAME)))

const startWith = async (metricsClients: number): Promise<void> => {
  await close()
  configure({ databaseUrl: database.url(), suspensionSeconds: 0, metricsClients, ...cheapHashing })
}
const useOnce = async (clientId: string, times = 1): Promise<void> => {
  const { key } = await createApiKey({ name: 'n', clientId, rateLimit: 2 })
  for (let time = 0; time < times; time++) await verifyApiKey(key)
}

// In one order: clients that were told apart stay so for as long as the process lives.

test('clients are not counted separately by default', async () => {
  await useOnce('first')
  expect(countsOfClients()).toEqual({})
})

test('the first clients are counted separately, whatever their names, and the others together', async () => {
  await startWith(3)
  const odd = String.raw`a "quoted" back\slash`
  await useOnce(odd, 3) // The third is refused.
  await useOnce('acme')
  await useOnce('acme')
  // From before the names were checked: it must not begin a line of its own.
  const key = 'k'.repeat(43)
  await database.sql(
    `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "updatedAt") VALUES ('old', $1, $2, 'n', now())`,
    [key, 'x\ny"} 1\u0007'],
  )
  await verifyApiKey(key)
  await useOnce('late')
  await useOnce('other')
  expect(countsOfClients()).toEqual({
    [`${NAME}{client="a \\"quoted\\" back\\\\slash"}`]: 2,
    [`${NAME}{client="acme"}`]: 2,
    [`${NAME}{client="x\\\\u{a}y\\"} 1\\\\u{7}"}`]: 1,
    [`${NAME}{client="other"}`]: 2,
  })
})

test('there are fewer than 200 series, however many clients and keys', async () => {
  const before = metrics()
  await startWith(50)
  const created: Awaited<ReturnType<typeof createApiKey>>[] = []
  for (let number = 0; number < 120; number++) {
    created.push(await createApiKey({ name: `key ${number}`, clientId: `client ${number % 60}` }))
  }
  for (const { key } of created) expect((await verifyApiKey(key)).valid).toBe(true)
  const text = metrics()
  const counts = Object.values(countsOfClients())
  expect(counts.length).toBe(51)
  const sum = (counts: number[]): number => counts.reduce((sum, count) => sum + count, 0)
  const told = [...samples(before)].filter(([series]) => series.startsWith(NAME))
  expect(sum(counts) - sum(told.map(([, count]) => count))).toBe(120)
  expect(samples(text).size).toBeLessThan(200)
  for (const { id, key, start } of created) {
    expect(text).not.toContain(id)
    expect(text).not.toContain(key.slice(-20))
    expect(text).not.toContain(start)
  }
})
