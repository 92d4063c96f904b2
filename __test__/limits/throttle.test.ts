import { randomBytes } from 'node:crypto'
import { afterAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { ask, next } from '../support/next.js'
import { forged, withWrongSecret } from '../support/forge.js'
import { useSetting } from '../support/setting.js'

const { close, configure, flush, onEvent, verifyApiKey } = addon

const PER_MINUTE = 20
const signingKey = randomBytes(32).toString('base64')
const setting = useSetting({
  throttle: PER_MINUTE,
  signingKeys: [signingKey],
  suspensionSeconds: 600,
  trustedHops: 1,
})

let addresses = 0
/** An address that no other test has used. */
const freshIp = (): string => `192.0.2.${++addresses}`

const oldKey = (): string => randomBytes(32).toString('base64url')
const codesOf = async (keys: string[], ip?: string): Promise<string[]> => {
  const codes: string[] = []
  for (const key of keys) codes.push((await verifyApiKey(key, { ip })).code)
  return codes
}
const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make)
const all = (code: string, count: number): string[] => times(count, () => code)

/** Uses up the wrong keys of an address. */
async function throttled(ip = freshIp()): Promise<string> {
  const junk = times(PER_MINUTE, () => 'junk')
  expect(await codesOf(junk, ip)).toEqual(all('INVALID_KEY', PER_MINUTE))
  return ip
}

describe('an address that keeps presenting wrong keys', () => {
  const kinds: [string, (key: string) => string][] = [
    ['junk', () => 'x'],
    ['made up by the format', (key) => forged(key)],
    ['with another secret', (key) => withWrongSecret(key, signingKey)],
    ['of the shape of old ones', () => oldKey()],
    ['one and the same', () => 'sophra_live_000000000000'],
  ]
  test.each(kinds)('is throttled: %s', async (_, make) => {
    const [real] = await setting.warmKeys(1)
    const ip = freshIp()
    const wrong = times(PER_MINUTE, () => make(real!.key))
    expect(await codesOf(wrong, ip)).toEqual(all('INVALID_KEY', PER_MINUTE))
    expect(await verifyApiKey(make(real!.key), { ip })).toEqual({
      valid: false,
      code: 'THROTTLED',
      status: 429,
      message: 'Too many invalid API keys from this address',
      retryAfterMs: expect.any(Number),
    })
  })

  test('costs the database nothing from there on', async () => {
    const ip = await throttled()
    const cost = await setting.cost(async () => {
      const keys = [...times(1_000, oldKey), ...times(1_000, () => 'junk')]
      const codes = await codesOf(keys, ip)
      // This takes too little time for more attempts than these to expire.
      expect(codes.filter((code) => code !== 'THROTTLED').length).toBeLessThan(PER_MINUTE)
    })
    expect(cost.selects).toBeLessThan(PER_MINUTE)
    expect(cost.hashes).toBe(0)
  })

  test('cannot find out which keys exist: a valid key that is not cached has to wait too', async () => {
    const [cold] = await setting.coldKeys(1)
    const ip = await throttled()
    const { code, keyId, retryAfterMs } = (await verifyApiKey(cold!.key, { ip })) as {
      code: string
      keyId?: string
      retryAfterMs: number
    }
    expect({ code, keyId }).toEqual({ code: 'THROTTLED', keyId: undefined })
    expect(retryAfterMs).toBeGreaterThan(0)
    expect(retryAfterMs).toBeLessThanOrEqual(60_000 / PER_MINUTE)
    // Whatever form the context has.
    const unusual = Object.assign(Object.create(null) as object, { ip })
    expect((await verifyApiKey(cold!.key, unusual)).code).toBe('THROTTLED')
    await eventually(async () => {
      expect((await verifyApiKey(cold!.key, { ip })).valid).toBe(true)
    }, 60_000)
  })

  test('uses a key that is in memory like everybody else', async () => {
    const [warm] = await setting.warmKeys(1)
    const ip = await throttled()
    for (let use = 0; use < 100; use++) {
      expect(await verifyApiKey(warm!.key, { ip })).toMatchObject({ valid: true, keyId: warm!.id })
    }
    // Also once its row was changed, which has it read anew.
    await setting.sql(`UPDATE "ApiKey" SET "name" = 'changed' WHERE "id" = $1`, [warm!.id])
    await setting.caughtUp()
    expect(await verifyApiKey(warm!.key, { ip })).toMatchObject({ valid: true, name: 'changed' })
  })

  test('does not hold up other addresses', async () => {
    const [elsewhere, unknown, unreadable] = await setting.coldKeys(3)
    await throttled()
    expect((await verifyApiKey(elsewhere!.key, { ip: freshIp() })).valid).toBe(true)
    expect((await verifyApiKey(unknown!.key)).valid).toBe(true)
    expect((await verifyApiKey(unreadable!.key, { ip: 'not an address' })).valid).toBe(true)
    expect(await codesOf(times(PER_MINUTE + 5, oldKey))).toEqual(all('INVALID_KEY', PER_MINUTE + 5))
  })

  test('is its whole /64 where it is one of IPv6', async () => {
    const [same, other] = await setting.coldKeys(2)
    await throttled('2001:db8:1:2::1')
    expect((await verifyApiKey(same!.key, { ip: '2001:db8:1:2:ffff::9' })).code).toBe('THROTTLED')
    expect((await verifyApiKey(other!.key, { ip: '2001:db8:1:3::1' })).valid).toBe(true)
  })

  test('gains nothing by presenting many at once', async () => {
    const ip = freshIp()
    setting.tap.freeze()
    const asked = times(200, () => verifyApiKey(oldKey(), { ip }))
    // Memory alone could answer it, but for its context. It comes behind all of them, and needs no database.
    expect((await verifyApiKey('', Object.create(null) as object)).code).toBe('INVALID_KEY')
    setting.tap.thaw()
    const atOnce = await Promise.all(asked)
    expect(new Set(atOnce.map(({ code }) => code))).toEqual(new Set(['INVALID_KEY']))
    const { retryAfterMs } = (await verifyApiKey(oldKey(), { ip })) as { retryAfterMs: number }
    expect(retryAfterMs).toBeGreaterThan((200 - PER_MINUTE - 20) * (60_000 / PER_MINUTE))
  })

  test('neither charges nor suspends the key that it aims at', async () => {
    const limit = { rateLimit: 1, rateLimitWindowSeconds: 86_400 }
    const [victim] = await setting.warmKeys(1, limit)
    const [fresh] = await setting.coldKeys(1, limit)
    const ip = freshIp()
    for (const { key } of [victim!, fresh!]) {
      const attempts = times(50, () => forged(key)).concat(
        times(50, () => withWrongSecret(key, signingKey)),
      )
      const codes = new Set(await codesOf(attempts, ip))
      for (const code of codes) expect(['INVALID_KEY', 'THROTTLED']).toContain(code)
    }
    const [row] = await setting.sql(`SELECT "suspendedUntil" FROM "ApiKey" WHERE "id" = $1`, [
      fresh!.id,
    ])
    expect(row).toEqual({ suspendedUntil: null })
    expect(await verifyApiKey(fresh!.key, { ip: freshIp() })).toMatchObject({
      valid: true,
      rateLimit: { limit: 1, remaining: 0 },
    })
  })

  test('gets a 429 from the route helpers', async () => {
    const route = next.withApiKey(() => new Response('ok'))
    const ip = await throttled()
    const answer = await ask(route, { 'x-api-key': oldKey(), 'x-forwarded-for': ip })
    expect(answer).toMatchObject({
      status: 429,
      body: { error: 'Too many invalid API keys from this address', code: 'THROTTLED' },
    })
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
  })
})

describe('right keys that are refused', () => {
  test('are no wrong keys', async () => {
    const [disabled] = await setting.warmKeys(1, { isActive: false })
    const ip = freshIp()
    const refused = times(PER_MINUTE * 3, () => disabled!.key)
    expect(await codesOf(refused, ip)).toEqual(all('DISABLED', PER_MINUTE * 3))
    expect((await verifyApiKey('junk', { ip })).code).toBe('INVALID_KEY')
  })
})

test('every attempt emits an event, and a throttled flood is one entry', async () => {
  const told: { reason: string; count: number; lookup?: string }[] = []
  const ip = freshIp()
  afterAll(
    onEvent((event) => {
      if (event.type === 'key.refused' && event.ip === ip) told.push(event)
    }),
  )
  const [real] = await setting.warmKeys(1)
  await codesOf(
    times(500, () => forged(real!.key)),
    ip,
  )
  await flush()
  await eventually(() => {
    expect(told.reduce((sum, { count }) => sum + count, 0)).toBe(500)
  })
  const floods = told.filter(({ reason }) => reason === 'THROTTLED')
  expect(floods.length).toBeGreaterThan(0)
  for (const { lookup } of floods) expect(lookup).toBeUndefined()
})

test('can be switched off', async () => {
  await close()
  configure({ ...setting.options, throttle: 0 })
  const ip = freshIp()
  expect(await codesOf(times(500, oldKey), ip)).toEqual(all('INVALID_KEY', 500))
})
