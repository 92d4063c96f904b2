import { afterAll, afterEach, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { useSetting, type Issued } from '../support/setting.js'

const { close, configure, flush, getApiKey, health, metrics, onEvent, verifyApiKey } = addon

type Event = Parameters<Parameters<typeof onEvent>[0]>[0]

/** Nothing is stored but by `flush()`, and suspensions. */
const setting = useSetting({
  flushIntervalMs: 600_000,
  suspensionSeconds: 600,
  statementTimeoutMs: 30_000,
  jwtSecret: 'a secret of the tests that is long enough',
})

const told: Event[] = []
afterAll(onEvent((event) => void (event.severity !== 'info' && told.push(event))))
const toldOf = (type: string): Event[] => told.filter((event) => event.type === type)
afterEach(() => void told.splice(0))

const limited = { rateLimit: 1_000, rateLimitWindowSeconds: 86_400 }

const metric = (name: string): number =>
  Number(new RegExp(`^sophra_api_key_${name} (.+)$`, 'm').exec(metrics())![1])
const usedOf = async ({ id }: Issued): Promise<number> => (await getApiKey(id))!.usageCount
const spentOf = async ({ id }: Issued): Promise<number> => {
  const rows = await setting.sql(
    `SELECT spent::int FROM sophra_api_keys.spent WHERE limit_id = 'key/' || $1 || '/default'`,
    [id],
  )
  return (rows[0]?.spent as number | undefined) ?? 0
}
const use = async (keys: Issued[], times: number): Promise<void> => {
  for (let time = 0; time < times; time++)
    for (const { key } of keys) expect((await verifyApiKey(key)).valid).toBe(true)
}

/** Rows whose updates the app itself refuses, by a constraint or a trigger. */
const REFUSALS: [string, (id: string) => [string, string]][] = [
  [
    'a constraint',
    (id) => [
      `ALTER TABLE "ApiKey" ADD CONSTRAINT refused CHECK ("id" <> '${id}' OR "usageCount" < 2) NOT VALID`,
      `ALTER TABLE "ApiKey" DROP CONSTRAINT refused`,
    ],
  ],
  [
    'a trigger',
    (id) => [
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
       CREATE TRIGGER refused BEFORE UPDATE ON "ApiKey"
         FOR EACH ROW WHEN (OLD."id" = '${id}') EXECUTE FUNCTION refuse()`,
      `DROP TRIGGER refused ON "ApiKey"; DROP FUNCTION refuse()`,
    ],
  ],
]

test.each(REFUSALS)(
  'a row that %s makes unwritable holds up no other, and is stored once it can be',
  async (_, refusal) => {
    const keys = await setting.warmKeys(10, limited)
    await flush()
    const [bad, ...others] = keys as [Issued, ...Issued[]]
    const [refuse, allow] = refusal(bad.id)
    await setting.sql(refuse)
    await use(keys, 3)
    await flush()
    for (const other of others) expect(await usedOf(other)).toBe(4)
    expect(await usedOf(bad)).toBe(1)
    // Other processes know of the use of every limit.
    for (const key of keys) expect(await spentOf(key)).toBe(4)

    // It is told once, however often the key is used.
    await use(keys, 2)
    await flush()
    for (const other of others) expect(await usedOf(other)).toBe(6)
    for (const key of keys) expect(await spentOf(key)).toBe(6)
    await eventually(() => expect(toldOf('key.unwritable')).toHaveLength(1))
    expect(toldOf('key.unwritable')).toEqual([
      {
        type: 'key.unwritable',
        severity: 'warning',
        at: expect.any(Date),
        keyId: bad.id,
        sqlstate: expect.stringMatching(/^(23514|P0001)$/),
      },
    ])
    expect(toldOf('internal.error')).toEqual([])
    expect(metric('unwritable_keys')).toBe(1)
    const { status, problems, usagePending } = await health()
    expect({ status, usagePending }).toEqual({ status: 'degraded', usagePending: 5 })
    expect(problems).toEqual([expect.stringContaining('rows of 1 keys')])

    // The last flush tries it once more.
    await setting.sql(allow)
    await close()
    expect(await usedOf(bad)).toBe(6)
    expect((await health()).status).toBe('ok')
  },
)

test('what is left when the service closes is said, and it is only the unwritable row', async () => {
  const keys = await setting.warmKeys(10)
  await flush()
  const [bad, ...others] = keys as [Issued, ...Issued[]]
  const [refuse, allow] = REFUSALS[0]![1](bad.id)
  await setting.sql(refuse)
  await use(keys, 3)
  await expect(close()).rejects.toMatchObject({
    code: 'DATABASE_UNAVAILABLE',
    message: expect.stringContaining(': 3 uses of keys and 0 attempts'),
  })
  await setting.sql(allow)
  configure(setting.options)
  for (const other of others) expect(await usedOf(other)).toBe(4)
  expect(await usedOf(bad)).toBe(1)
})

test('a suspension that cannot be stored is in force here, and holds up no other', async () => {
  const keys = await setting.warmKeys(6, { rateLimit: 1, rateLimitWindowSeconds: 86_400 })
  await flush()
  const [bad, ...others] = keys as [Issued, ...Issued[]]
  const [refuse, allow] = REFUSALS[1]![1](bad.id)
  await setting.sql(refuse)
  for (const { key } of keys) expect((await verifyApiKey(key)).code).toBe('RATE_LIMITED')
  await eventually(async () => {
    for (const { id } of others) expect((await getApiKey(id))!.suspendedUntil).not.toBeNull()
  })
  await eventually(() => expect(toldOf('key.unwritable')).toMatchObject([{ keyId: bad.id }]))
  for (const { key } of keys) expect((await verifyApiKey(key)).code).toBe('SUSPENDED')
  expect((await getApiKey(bad.id))!.suspendedUntil).toBeNull()
  await setting.sql(allow)
  await close()
  expect((await getApiKey(bad.id))!.suspendedUntil).not.toBeNull()
  expect(toldOf('key.unwritable')).toHaveLength(1)
})

test.each([
  ['BIGINT', '9223372036854775807'],
  ['INTEGER', '2147483647'],
])('a counter that is full stays full: %s', async (type, max) => {
  await setting.sql(`ALTER TABLE "ApiKey" ALTER COLUMN "usageCount" TYPE ${type}`)
  const [full, nearlyFull, other] = (await setting.warmKeys(3, limited)) as [Issued, Issued, Issued]
  await flush()
  const store = `UPDATE "ApiKey" SET "usageCount" = $2::bigint - $3::bigint WHERE "id" = $1`
  await setting.sql(store, [full.id, max, 0])
  await setting.sql(store, [nearlyFull.id, max, 2])
  await use([full, nearlyFull, other], 3)
  await flush()
  const stored = async ({ id }: Issued): Promise<string> => {
    const [row] = await setting.sql(`SELECT "usageCount"::text FROM "ApiKey" WHERE "id" = $1`, [id])
    return row!.usageCount as string
  }
  expect([await stored(full), await stored(nearlyFull), await stored(other)]).toEqual([
    max,
    max,
    '4',
  ])
  for (const key of [full, nearlyFull, other]) expect(await spentOf(key)).toBe(4)
  expect(toldOf('key.unwritable')).toEqual([])
  await setting.sql(`DELETE FROM "ApiKey" WHERE "id" = ANY($1)`, [[full.id, nearlyFull.id]])
  await setting.sql(`ALTER TABLE "ApiKey" ALTER COLUMN "usageCount" TYPE BIGINT`)
})

test('a total that is full stays full', async () => {
  const [full, other] = (await setting.warmKeys(2, limited)) as [Issued, Issued]
  await flush()
  await setting.sql(
    `UPDATE sophra_api_keys.spent SET spent = 9223372036854775807, full_at = 'infinity' WHERE limit_id = 'key/' || $1 || '/default'`,
    [full.id],
  )
  await verifyApiKey(other.key)
  await verifyApiKey(full.key)
  await flush()
  const [row] = await setting.sql(
    `SELECT spent::text, isfinite(full_at) AS ends FROM sophra_api_keys.spent WHERE limit_id = 'key/' || $1 || '/default'`,
    [full.id],
  )
  expect(row).toEqual({ spent: '9223372036854775807', ends: true })
  expect(await usedOf(full)).toBe(2)
  expect(await spentOf(other)).toBe(2)
})

test('an unwritable admin token holds up no other', async () => {
  const admins = await Promise.all(
    ['a', 'b', 'c', 'd'].map((name) => addon.createAdminToken({ name, permissions: [] })),
  )
  const [bad, ...others] = admins as [(typeof admins)[0], ...typeof admins]
  await setting.sql(
    `ALTER TABLE "AdminToken" ADD CONSTRAINT refused CHECK ("id" <> '${bad.id}' OR "lastUsedAt" IS NULL)`,
  )
  // Again and again: whoever stores the others after the statement that was refused must not find their rows locked by it.
  for (let round = 0; round < 20; round++) {
    await setting.sql(`UPDATE "AdminToken" SET "lastUsedAt" = NULL`)
    for (const { token } of admins) expect((await addon.verifyAdminToken(token)).valid).toBe(true)
    await flush()
    const used = new Map(
      (await addon.listAdminTokens()).map(({ id, lastUsedAt }) => [id, lastUsedAt]),
    )
    for (const { id } of others) expect(used.get(id)).toBeInstanceOf(Date)
    expect(used.get(bad.id)).toBeNull()
  }
  await setting.sql(`ALTER TABLE "AdminToken" DROP CONSTRAINT refused`)
})

test('an entry that the audit log refuses holds up no other, and is counted as dropped', async () => {
  await flush()
  const before = metric('audit_dropped_total')
  await setting.sql(
    `ALTER TABLE sophra_api_keys.audit ADD CONSTRAINT refused CHECK (event ->> 'ip' <> '192.0.2.66') NOT VALID`,
  )
  for (const ip of ['192.0.2.65', '192.0.2.66', '192.0.2.67'])
    await verifyApiKey('nonsense', { ip })
  await flush()
  const { events } = await addon.listAuditEvents({ type: 'key.refused' })
  const addresses = events.flatMap((event) => ('ip' in event && event.ip ? [event.ip] : []))
  expect(addresses.sort()).toEqual(['192.0.2.65', '192.0.2.67'])
  expect(metric('audit_dropped_total')).toBe(before + 1)
  await setting.sql(`ALTER TABLE sophra_api_keys.audit DROP CONSTRAINT refused`)
})

test.each(['42501', '42P01', '55P03', '40001', '55006'])(
  'a trigger may refuse a row with %s, as with any other code',
  async (code) => {
    const [bad, other] = (await setting.warmKeys(2, limited)) as [Issued, Issued]
    await flush()
    await setting.sql(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE 'no' USING ERRCODE = '${code}'; END $$;
      CREATE TRIGGER refused BEFORE UPDATE ON "ApiKey"
        FOR EACH ROW WHEN (OLD."id" = '${bad.id}') EXECUTE FUNCTION refuse()`)
    await use([bad, other], 2)
    await flush()
    expect([await usedOf(bad), await usedOf(other)]).toEqual([1, 3])
    expect([await spentOf(bad), await spentOf(other)]).toEqual([3, 3])
    await setting.sql(`DROP TRIGGER refused ON "ApiKey"; DROP FUNCTION refuse()`)
    await setting.sql(`DELETE FROM "ApiKey" WHERE "id" = $1`, [bad.id])
  },
)

test('more rows than are set aside stop no other, and are stored once they can be', async () => {
  const SET_ASIDE = 1_000
  const bad = await setting.warmKeys(SET_ASIDE + 50, { clientId: 'refused' })
  const [other] = (await setting.warmKeys(1, limited)) as [Issued]
  await flush()
  await setting.sql(`
    ALTER TABLE "ApiKey" ADD CONSTRAINT refused CHECK ("clientId" <> 'refused' OR "usageCount" < 2) NOT VALID`)
  await use([...bad, other], 1)
  await flush().catch(() => {})
  expect(await spentOf(other)).toBe(2)
  // A flush leaves what takes long to the next one.
  let uses = 2
  await eventually(async () => {
    await use([other], 1)
    uses++
    await flush().catch(() => {})
    expect(metric('unwritable_keys')).toBe(SET_ASIDE)
  }, 100_000)
  // From here on they hold up nothing, however often they are used.
  await use([...bad, other], 1)
  await flush()
  expect(await usedOf(other)).toBe(uses + 1)
  expect(await spentOf(other)).toBe(uses + 1)
  await setting.sql(`ALTER TABLE "ApiKey" DROP CONSTRAINT refused`)
  await close()
  configure(setting.options)
  const sums = await setting.sql(
    `SELECT sum("usageCount")::int AS sum FROM "ApiKey" WHERE "clientId" = 'refused'`,
  )
  expect(sums).toEqual([{ sum: 3 * bad.length }])
}, 120_000)

test('flushes that keep failing are a problem of health, until one succeeds', async () => {
  const [key] = (await setting.warmKeys(1)) as [Issued]
  await flush()
  await setting.sql(`ALTER TABLE sophra_api_keys.usage_batches RENAME TO elsewhere`)
  await verifyApiKey(key.key)
  for (let time = 0; time < 3; time++) await expect(flush()).rejects.toThrow()
  const { status, problems } = await health()
  expect(status).toBe('degraded')
  expect(problems).toEqual([expect.stringContaining('flushes failed')])
  await setting.sql(`ALTER TABLE sophra_api_keys.elsewhere RENAME TO usage_batches`)
  await flush()
  expect(await health()).toMatchObject({ status: 'ok', problems: [] })
  expect(await usedOf(key)).toBe(2)
})
