import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { startPeer } from '../support/peer.js'
import { useSetting, type Issued } from '../support/setting.js'
import { LOOKUP } from '../support/turns.js'

// Cold verifies at the same time share the statements that look their keys up.

const { listApiKeys, verifyApiKey } = addon

const setting = useSetting({
  jwtSecret: 'a secret that is long enough to be one',
  throttle: 0,
  // What is counted here does not depend on the machine's pace.
  statementTimeoutMs: 10_000,
})

const lookups = (): number => setting.tap.statements.filter((text) => LOOKUP.test(text)).length

/** Works through the list, so many at a time. */
async function atATime<T>(
  count: number,
  list: readonly T[],
  work: (one: T) => Promise<void>,
): Promise<void> {
  const left = list.values()
  const worker = async (): Promise<void> => {
    for (const one of left) await work(one)
  }
  await Promise.all(Array.from({ length: count }, worker))
}

/** The code of the result, or that of the fault. */
const outcomeOf = (answer: Promise<{ code: string }>): Promise<string> =>
  answer.then(
    ({ code }) => code,
    ({ code }: { code: string }) => `fault ${code}`,
  )

test('five thousand cold keys, 64 at a time, are right by at most 1,250 lookups and no hash', async () => {
  const keys = await setting.peer.run(async ({ api }) => {
    const made: Issued[] = []
    while (made.length < 5_000) {
      const create = () => api.createApiKey({ name: 'Key', clientId: 'client' })
      made.push(...(await Promise.all(Array.from({ length: 20 }, create))))
    }
    return made
  })
  await setting.caughtUp()
  const before = lookups()
  const cost = await setting.cost(() =>
    atATime(64, keys, async ({ id, key }) => {
      expect(await verifyApiKey(key)).toMatchObject({ code: 'VALID', keyId: id })
    }),
  )
  console.log(`5,000 cold keys, 64 at a time: ${lookups() - before} lookups`)
  expect(lookups() - before).toBeLessThanOrEqual(1_250)
  expect(cost.hashes).toBe(0)
}, 300_000)

test('each of many at once gets its own answer', async () => {
  const keys = await setting.coldKeys(64)
  const states: Record<string, string> = {
    DISABLED: `"isActive" = false`,
    EXPIRED: `"expiresAt" = '2020-01-01'`,
    IP_NOT_ALLOWED: `"allowedIps" = '{192.0.2.1}'`,
    SUSPENDED: `"suspendedUntil" = '2999-01-01'`,
  }
  const expected = new Map(keys.map(({ id }) => [id, 'VALID']))
  for (const [at, [code, change]] of Object.entries(states).entries()) {
    const ids = keys.filter((_, index) => index % 8 === at).map(({ id }) => id)
    await setting.sql(`UPDATE "ApiKey" SET ${change} WHERE "id" = ANY ($1)`, [ids])
    for (const id of ids) expected.set(id, code)
  }
  await setting.caughtUp()
  const answers = await Promise.all(keys.map(({ key }) => verifyApiKey(key)))
  expect(answers.map(({ code }) => code)).toEqual([...expected.values()])
  expect(answers.map(({ keyId }) => keyId)).toEqual(keys.map(({ id }) => id))
})

test('a lookup that is under way holds up no other: a lone one goes out at once', async () => {
  const [first, second] = await setting.coldKeys(2)
  // Of keys like these, so that there are connections.
  for (const { key } of await setting.coldKeys(5)) await verifyApiKey(key)
  const held = setting.tap.hold(LOOKUP)
  const slow = verifyApiKey(first!.key)
  const { release } = await held
  expect(await verifyApiKey(second!.key)).toMatchObject({ valid: true, keyId: second!.id })
  release()
  expect(await slow).toMatchObject({ valid: true, keyId: first!.id })
})

/** What other writers may put into a row. */
const hostile: [string, string][] = [
  ['scopes in two dimensions', `"scopes" = '{{a,b},{c,d}}'`],
  ['scopes counted from zero', `"scopes" = '[0:1]={a,b}'`],
  ['addresses counted from two', `"allowedIps" = '[2:2]={192.0.2.1}'`],
  ['a scope that is null', `"scopes" = '{a,NULL}'`],
  ['fifty thousand scopes', `"scopes" = array_fill('s'::text, '{50000}')`],
  ['addresses in two dimensions', `"allowedIps" = '{{192.0.2.1},{192.0.2.2}}'`],
  ['an address that is none', `"allowedIps" = '{here,NULL}'`],
  [
    'metadata too deep to be read',
    `"metadata" = (repeat('{"a":', 2000) || '1' || repeat('}', 2000))::jsonb`,
  ],
  ['metadata that is no object', `"metadata" = '"\\u202e"'`],
  ['metadata of a megabyte', `"metadata" = jsonb_build_object('a', repeat('m', 1000000))`],
  ['a limit below zero', `"rateLimit" = -2147483648, "rateLimitWindowSeconds" = -2147483648`],
  ['a limit of no time', `"rateLimit" = 2147483647, "rateLimitWindowSeconds" = 0`],
  [
    'instants without end',
    `"expiresAt" = 'infinity', "suspendedUntil" = '-infinity', "updatedAt" = '-infinity'`,
  ],
  ['instants before our era', `"expiresAt" = '4000-01-01 BC', "updatedAt" = '4000-01-01 BC'`],
  ['a hash that is none', `"key" = '$argon2id$' || repeat('x', 100000)`],
  ['a digest of no length', `"coldDigest" = ''`],
]

test.each(hostile)('a row with %s affects only its own answer', async (_, change) => {
  const keys = await setting.coldKeys(64)
  const bad = keys[32]!
  await setting.sql(`UPDATE "ApiKey" SET ${change} WHERE "id" = $1`, [bad.id])
  await setting.caughtUp()

  const outcomes = await Promise.all(keys.map(({ key }) => outcomeOf(verifyApiKey(key))))
  expect((await listApiKeys({ limit: 64 })).keys.map(({ id }) => id).sort()).toEqual(
    keys.map(({ id }) => id).sort(),
  )
  const [badly] = outcomes.splice(32, 1)
  expect(outcomes).toEqual(outcomes.map(() => 'VALID'))
  // Alone it is answered in the same way.
  const stranger = await startPeer({ ...setting.options, databaseUrl: setting.database.url })
  const alone = await stranger.run(
    ({ api }, key) =>
      api.verifyApiKey(key).then(
        ({ code }) => code as string,
        ({ code }: { code: string }) => `fault ${code}`,
      ),
    bad.key,
  )
  await stranger.stop()
  expect(badly).toBe(alone)
})
