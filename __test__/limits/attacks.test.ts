import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { useSetting, type Issued, type NewKey } from '../support/setting.js'

// Limits and clients under attack: concurrent requests, rows of other writers, many clients and large metadata.

const { createApiKey, flush, getApiKey, setClient, verifyApiKey } = addon
const { kept } = createRequire(import.meta.url)('../../lib/templates.js') as {
  kept(): { bytes: number }
}

const setting = useSetting()

const DAY = 86_400
const limit = (name: string, limit: number): NonNullable<NewKey['limits']>[number] => ({
  name,
  limit,
  windowSeconds: DAY,
})
const create = (fields: Partial<NewKey>): Promise<Issued> =>
  createApiKey({ name: 'n', clientId: 'attacked', ...fields })
const codeOf = async ({ key }: Issued): Promise<string> => (await verifyApiKey(key)).code

test('a request that a later limit refuses never takes the place of another in an earlier one', async () => {
  const clientId = 'used-up'
  await setClient({ clientId, limits: [limit('b', 1)] })
  const key = await create({ clientId, rateLimit: 10, rateLimitWindowSeconds: DAY })
  await setting.caughtUp()
  // Cold verifies are decided side by side, on several threads.
  const refusedBy = await setting.peer.run(async ({ api }, key) => {
    await api.verifyApiKey(key, { cost: { default: 9, b: 1 } })
    const counts: Record<string, number> = {}
    for (let round = 0; round < 100; round += 1) {
      await api.setClient({ clientId: 'used-up', metadata: { round } })
      const asked = Array.from({ length: 100 }, () => api.verifyApiKey(key))
      for (const answer of await Promise.all(asked)) {
        const by = answer.valid ? 'nothing' : answer.limitedBy!.name
        counts[by] = (counts[by] ?? 0) + 1
      }
    }
    return counts
  }, key.key)
  expect(refusedBy).toEqual({ b: 10_000 })
})

test.each(['id', 'clientId'] as const)(
  'a limit whose use cannot be stored, for its long %s, stops no other',
  async (column) => {
    const [limited, plain] = [await create({ rateLimit: 100 }), await create({})]
    const name = 'n'.repeat(64)
    const bad = await create({ limits: column === 'id' ? [limit(name, 10)] : [] })
    // The index of the ids of limits holds a little less than that of keys.
    const text = randomBytes(1_350).toString('hex')
    const fits = async (length: number): Promise<boolean> =>
      setting
        .sql(`UPDATE "ApiKey" SET "${column}" = $1 WHERE "id" = $2`, [
          text.slice(0, length),
          bad.id,
        ])
        .then(
          () => true,
          () => false,
        )
    let length = text.length
    while (!(await fits(length))) length -= 2
    if (column === 'clientId') {
      await setting.sql(`INSERT INTO sophra_api_keys.clients (client_id, limits) VALUES ($1, $2)`, [
        text.slice(0, length),
        JSON.stringify([limit(name, 10)]),
      ])
    }
    await setting.caughtUp()
    for (const key of [bad, limited, plain]) expect(await codeOf(key)).toBe('VALID')
    await flush()
    for (const { id } of [limited, plain]) expect((await getApiKey(id))!.usageCount).toBe(1)
    const [row] = await setting.sql(
      `SELECT spent::int FROM sophra_api_keys.spent WHERE limit_id = 'key/' || $1 || '/default'`,
      [limited.id],
    )
    expect(row).toEqual({ spent: 1 })
  },
)

test('a limit that another writer names like that of rateLimit does not undo it', async () => {
  const key = await create({ rateLimit: 10, rateLimitWindowSeconds: DAY })
  expect(await codeOf(key)).toBe('VALID')
  await setting.sql(`UPDATE "ApiKey" SET "limits" = $1 WHERE "id" = $2`, [
    JSON.stringify([limit('default', 1_000)]),
    key.id,
  ])
  await eventually(() => expect(verifyApiKey(key.key)).rejects.toMatchObject({ code: 'INTERNAL' }))
})

test('a change of a client with many below it refuses none of their keys, and costs no hash', async () => {
  const [COUNT, TOGETHER] = [600, 50]
  await setClient({ clientId: 'above' })
  await setting.sql(
    `INSERT INTO sophra_api_keys.clients (client_id, parent_id)
     SELECT 'below-' || n, 'above' FROM generate_series(1, $1::int) AS n`,
    [COUNT],
  )
  // In parts: so many hashes at once would be refused.
  const keys: Issued[] = []
  while (keys.length < COUNT) keys.push(...(await setting.coldKeys(TOGETHER)))
  await setting.sql(
    `UPDATE "ApiKey" SET "clientId" = 'below-' || n
     FROM unnest($1::text[]) WITH ORDINALITY AS moved (id, n) WHERE "ApiKey"."id" = moved.id`,
    [keys.map(({ id }) => id)],
  )
  await setting.caughtUp()
  const codes = async (): Promise<Set<string>> => new Set(await Promise.all(keys.map(codeOf)))
  for (let from = 0; from < COUNT; from += TOGETHER)
    await Promise.all(keys.slice(from, from + TOGETHER).map(codeOf))
  for (const isActive of [false, true]) {
    await setClient({ clientId: 'above', isActive })
    const { hashes } = await setting.cost(async () => {
      expect(await codes()).toEqual(new Set([isActive ? 'VALID' : 'CLIENT_DISABLED']))
    })
    expect(hashes).toBe(0)
  }
})

test('the metadata of a client is in memory once, however many keys it has', async () => {
  const clientId = 'large'
  await setClient({ clientId, metadata: { text: 'x'.repeat(8_000) } })
  const keys = await setting.warmKeys(200, { clientId })
  const before = kept().bytes
  const answers = await Promise.all(keys.map(({ key }) => verifyApiKey(key)))
  expect(kept().bytes - before).toBeLessThan(200 * 1_000 + 2 * 16_000)
  const [first, ...others] = answers.map((answer) => answer.valid && answer.client)
  for (const other of others) expect(other).toBe(first)
})
