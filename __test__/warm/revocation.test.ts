import { Client } from 'pg'
import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { refusalOf } from '../support/refusal.js'
import { useSetting, type Issued } from '../support/setting.js'
import { printTimes, sum } from '../support/times.js'

const { deleteApiKey, patchApiKey, updateApiKey, verifyApiKey } = addon

const setting = useSetting()

const TRIES = 50
/** On average. Ten times what is expected, and half of what reading the log once a second would take. */
const PUSHED_MS = 250

type Way = [string, (id: string) => Promise<unknown>]

const inTransaction =
  (...statements: string[]) =>
  async (id: string): Promise<void> => {
    const client = await connected()
    await client.query('BEGIN')
    for (const text of statements) await client.query(text, [id])
    await client.query('COMMIT')
    await client.end()
  }
async function connected(): Promise<Client> {
  const client = new Client({ connectionString: setting.database.url })
  await client.connect()
  return client
}
const sql =
  (text: string) =>
  (id: string): Promise<unknown> =>
    setting.sql(text, [id])

const DISABLE = `UPDATE "public"."ApiKey" SET "isActive" = false, "updatedAt" = now()
                 WHERE ("public"."ApiKey"."id" = $1 AND 1 = 1) RETURNING "public"."ApiKey"."id"`

const byOthers: Way[] = [
  [
    'patchApiKey',
    (id) => setting.peer.run(({ api }, id) => api.patchApiKey({ id, isActive: false }), id),
  ],
  ['deleteApiKey', (id) => setting.peer.run(({ api }, id) => api.deleteApiKey(id), id)],
  [
    'updateApiKey with a new key',
    (id) => setting.peer.run(({ api }, id) => api.updateApiKey({ id, regenerateKey: true }), id),
  ],
  [
    'an expiry',
    (id) => setting.peer.run(({ api }, id) => api.patchApiKey({ id, expiresAt: new Date(0) }), id),
  ],
  ['UPDATE', sql(`UPDATE "ApiKey" SET "isActive" = false WHERE "id" = $1`)],
  ['UPDATE of the lookup', sql(`UPDATE "ApiKey" SET "lookup" = "id" WHERE "id" = $1`)],
  [
    'UPDATE of the id',
    sql(`UPDATE "ApiKey" SET "id" = "id" || '2', "isActive" = false WHERE "id" = $1`),
  ],
  ['DELETE', sql(`DELETE FROM "ApiKey" WHERE "id" = $1`)],
  ['an UPDATE like Prisma’s', inTransaction('SELECT $1::text', DISABLE, 'SELECT $1::text')],
]

describe('a key revoked elsewhere', () => {
  test.each(byOthers)('by %s is refused here at once', async (what, revoke) => {
    const times: number[] = []
    for (const { id, key } of await setting.warmKeys(TRIES)) {
      expect((await verifyApiKey(key)).valid).toBe(true)
      const start = performance.now()
      const [time] = await Promise.all([refusalOf(key, start), revoke(id)])
      times.push(time)
    }
    printTimes(`${what} elsewhere, from the call to the refusal here`, times)
    expect(sum(times) / TRIES).toBeLessThan(PUSHED_MS)
  })

  test('by TRUNCATE is refused here at once', async () => {
    const times: number[] = []
    await setting.sql(`CREATE TABLE kept AS TABLE "ApiKey"`)
    for (let time = 0; time < 10; time++) {
      const keys = await setting.warmKeys(5)
      const start = performance.now()
      const refused = Promise.all(keys.map(({ key }) => refusalOf(key, start)))
      await setting.sql(`TRUNCATE "ApiKey"`)
      times.push(...(await refused))
      await setting.sql(`INSERT INTO "ApiKey" TABLE kept`)
    }
    printTimes('TRUNCATE elsewhere, from the call to the refusal here', times)
    expect(sum(times) / times.length).toBeLessThan(PUSHED_MS)
  })

  test('in transactions that commit long after later ones is refused when they do', async () => {
    const keys = await setting.warmKeys(TRIES)
    const open = await Promise.all(
      keys.map(async ({ id }) => {
        const client = await connected()
        await client.query('BEGIN')
        await client.query(DISABLE, [id])
        return client
      }),
    )
    const times: number[] = []
    // From the middle out: neither the oldest nor the youngest first.
    const order = keys.map((_, at) => (at * 37 + 24) % TRIES)
    expect(new Set(order).size).toBe(TRIES)
    for (const at of order) {
      // Later transactions commit and are seen; what is not committed is not.
      await setting.caughtUp()
      expect((await verifyApiKey(keys[at]!.key)).valid).toBe(true)
      const start = performance.now()
      const refused = refusalOf(keys[at]!.key, start)
      await open[at]!.query('COMMIT')
      times.push(await refused)
      await open[at]!.end()
    }
    printTimes('a commit long after later ones, from the call to the refusal here', times)
    expect(sum(times) / TRIES).toBeLessThan(PUSHED_MS)
  })

  test('within a savepoint is refused, and what is rolled back is not', async () => {
    const [revoked, spared, given] = await setting.warmKeys(3)
    const client = await connected()
    await client.query('BEGIN')
    await client.query('SAVEPOINT one')
    await client.query(DISABLE, [spared!.id])
    await client.query('ROLLBACK TO one')
    await client.query('SAVEPOINT two')
    await client.query(DISABLE, [revoked!.id])
    await client.query('RELEASE two')
    await setting.caughtUp()
    const refused = refusalOf(revoked!.key)
    await client.query('COMMIT')
    await refused
    await client.query('BEGIN')
    await client.query(DISABLE, [given!.id])
    await client.query('ROLLBACK')
    await client.end()
    await setting.caughtUp()
    for (const { key } of [spared!, given!]) expect((await verifyApiKey(key)).valid).toBe(true)
  })
})

describe('a key revoked here', () => {
  const byUs: [string, (id: string) => Promise<unknown>, (id: string) => Promise<unknown>][] = [
    [
      'patchApiKey',
      (id) => patchApiKey({ id, isActive: false }),
      (id) => patchApiKey({ id, isActive: true }),
    ],
    [
      'updateApiKey',
      (id) => updateApiKey({ id, expiresAt: new Date(0) }),
      (id) => updateApiKey({ id, expiresAt: null }),
    ],
  ]

  test.each(byUs)(
    'by %s is refused at once, and accepted at once again',
    async (_what, off, on) => {
      const keys = await setting.warmKeys(10)
      const toggle = async ({ id, key }: Issued): Promise<void> => {
        for (let time = 0; time < 50; time++) {
          await off(id)
          expect((await verifyApiKey(key)).valid).toBe(false)
          await on(id)
          expect((await verifyApiKey(key)).valid).toBe(true)
        }
      }
      await Promise.all(keys.map(toggle))
    },
  )

  test('by a new key is refused at once, and the new one accepted', async () => {
    const keys = await setting.warmKeys(10)
    const replace = async ({ id, key }: Issued): Promise<void> => {
      let current = key
      for (let time = 0; time < 20; time++) {
        const { key: next } = await updateApiKey({ id, regenerateKey: true })
        expect((await verifyApiKey(current)).code).toBe('INVALID_KEY')
        expect((await verifyApiKey(next!)).valid).toBe(true)
        current = next!
      }
    }
    await Promise.all(keys.map(replace))
  })

  test('is refused also where the answer to the revocation was lost', async () => {
    for (const { id, key } of await setting.warmKeys(5)) {
      const held = setting.tap.hold(/^COMMIT/)
      const revocation = patchApiKey({ id, isActive: false }).then(
        () => 'done',
        ({ code }: { code: string }) => code,
      )
      await held
      await eventually(async () => {
        const rows = await setting.sql(`SELECT "isActive" FROM "ApiKey" WHERE "id" = $1`, [id])
        expect(rows).toEqual([{ isActive: false }])
      })
      setting.tap.cut()
      setting.tap.mend()
      if ((await revocation) === 'done') expect((await verifyApiKey(key)).valid).toBe(false)
      await refusalOf(key)
    }
  })

  test('by deleteApiKey is refused at once', async () => {
    const keys = await setting.warmKeys(200)
    for (const { id, key } of keys) {
      await deleteApiKey(id)
      expect((await verifyApiKey(key)).code).toBe('INVALID_KEY')
    }
  })
})
