import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { afterEach, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { forged, withWrongSecret } from '../support/forge.js'
import { useSetting, type Issued } from '../support/setting.js'

const { flush, getApiKey, onEvent, patchApiKey, verifyApiKey } = addon

type Event = Parameters<Parameters<typeof onEvent>[0]>[0]

const signingKey = randomBytes(32).toString('base64')
/** More than any refusal here needs. */
const SUSPENSION_SECONDS = 600
const setting = useSetting({
  suspensionSeconds: SUSPENSION_SECONDS,
  suspendAfter: 3,
  signingKeys: [signingKey],
  // Whatever is asked for is evicted by the next one.
  cacheCapacity: 1,
  flushIntervalMs: 50,
})

const LIMIT = 2
const limited = { rateLimit: LIMIT, rateLimitWindowSeconds: 86_400 }
const newKey = async (fields: object = limited): Promise<Issued> =>
  (await setting.coldKeys(1, fields))[0]!
const codeOf = async (key: string, context?: object): Promise<string> =>
  (await verifyApiKey(key, context)).code

/** Spends the limit, and is refused so many times. */
async function exceed(key: string, refusals = 3): Promise<void> {
  expect(await codeOf(key, { cost: LIMIT })).toBe('VALID')
  for (let time = 0; time < refusals; time++) expect(await codeOf(key)).toBe('RATE_LIMITED')
}

const stored = async (id: string): Promise<Date> => {
  const { suspendedUntil } = (await getApiKey(id))!
  if (!suspendedUntil) throw new Error('The suspension is not stored')
  return suspendedUntil
}
/** Makes this process forget it. */
const evict = async (): Promise<void> => {
  for (let time = 0; time < 3; time++) await verifyApiKey((await newKey({})).key)
}

let stop = (): void => {}
function listen(id: string): Event[] {
  const events: Event[] = []
  stop = onEvent((event) => {
    if (event.type === 'key.suspended' && event.keyId === id) events.push(event)
  })
  return events
}
afterEach(() => stop())

test('so many refusals suspend, and not one fewer', async () => {
  const { id, key } = await newKey()
  const events = listen(id)
  await exceed(key, 2)
  await flush()
  expect((await getApiKey(id))!.suspendedUntil).toBeNull()
  expect(await verifyApiKey(key)).toMatchObject({
    code: 'RATE_LIMITED',
    retryAfterMs: SUSPENSION_SECONDS * 1_000,
  })
  expect(await codeOf(key)).toBe('SUSPENDED')
  await flush()
  await stored(id)
  await eventually(() => expect(events).toHaveLength(1))
})

test('refusals are forgotten after a window without one', async () => {
  const { id, key } = await newKey({ rateLimit: 1_000, rateLimitWindowSeconds: 1 })
  for (let window = 0; window < 3; window++) {
    await evict()
    for (const code of ['VALID', 'RATE_LIMITED', 'RATE_LIMITED']) {
      expect(await codeOf(key, { cost: 1_000 })).toBe(code)
    }
    const refused = performance.now()
    // Asking the limiter would be one more refusal.
    await eventually(() => expect(performance.now()).toBeGreaterThan(refused + 1_100))
  }
  await flush()
  expect((await getApiKey(id))!.suspendedUntil).toBeNull()
})

test('attempts that are refused for another reason never suspend', async () => {
  const fields = { ...limited, allowedIps: ['10.0.0.1'], scopes: ['read'] }
  const { id, key } = await newKey(fields)
  const ip = '10.0.0.1'
  expect(await codeOf(key, { ip, cost: LIMIT })).toBe('VALID')
  const attempts: [string, string, object][] = [
    ['INVALID_KEY', forged(key), { ip }],
    ['INVALID_KEY', withWrongSecret(key, signingKey), { ip }],
    ['IP_NOT_ALLOWED', key, { ip: '10.0.0.2' }],
    ['IP_NOT_ALLOWED', key, {}],
    ['INSUFFICIENT_SCOPE', key, { ip, scopes: ['write'] }],
    ['RATE_LIMITED', key, { ip, cost: LIMIT + 1 }],
  ]
  for (const [code, presented, context] of attempts) {
    for (let time = 0; time < 10; time++) expect(await codeOf(presented, context)).toBe(code)
  }
  await patchApiKey({ id, expiresAt: new Date(0) })
  for (let time = 0; time < 10; time++) expect(await codeOf(key, { ip })).toBe('EXPIRED')
  await patchApiKey({ id, expiresAt: null, isActive: false })
  for (let time = 0; time < 10; time++) expect(await codeOf(key, { ip })).toBe('DISABLED')
  await patchApiKey({ id, isActive: true })
  await flush()
  expect((await getApiKey(id))!.suspendedUntil).toBeNull()
  // Nor have they counted towards it.
  for (let time = 0; time < 2; time++) expect(await codeOf(key, { ip })).toBe('RATE_LIMITED')
  await flush()
  expect((await getApiKey(id))!.suspendedUntil).toBeNull()
})

test('during an outage it takes effect here at once, and is stored and announced afterwards', async () => {
  const { id, key } = await newKey()
  const events = listen(id)
  expect(await codeOf(key, { cost: LIMIT })).toBe('VALID')
  setting.tap.cut()
  for (let time = 0; time < 3; time++) expect(await codeOf(key)).toBe('RATE_LIMITED')
  for (let time = 0; time < 3; time++) expect(await codeOf(key)).toBe('SUSPENDED')
  const others = await setting.peer.run(({ api }, id) => api.getApiKey(id), id)
  expect(others!.suspendedUntil).toBeNull()
  expect(events).toHaveLength(0)
  setting.tap.mend()
  await eventually(() => flush())
  const until = await stored(id)
  await eventually(() => expect(events).toMatchObject([{ suspendedUntil: until }]))
  const there = (): Promise<string> =>
    setting.peer.run(async ({ api }, key) => (await api.verifyApiKey(key)).code, key)
  await eventually(async () => expect(await there()).toBe('SUSPENDED'))
  await flush()
  expect(events).toHaveLength(1)
})

test('is announced once, even if the answer to its UPDATE is lost', async () => {
  const { id, key } = await newKey()
  const events = listen(id)
  await exceed(key, 2)
  await flush()
  const held = setting.tap.hold(/"suspendedUntil" = /)
  expect(await codeOf(key)).toBe('RATE_LIMITED')
  await held
  // The server has done it, and nobody has heard.
  await eventually(async () => {
    const [row] = await setting.sql(`SELECT "suspendedUntil" FROM "ApiKey" WHERE "id" = $1`, [id])
    expect(row!.suspendedUntil).not.toBeNull()
  })
  setting.tap.cut()
  setting.tap.mend()
  await eventually(() => flush())
  await eventually(() => expect(events).toHaveLength(1))
  expect(await codeOf(key)).toBe('SUSPENDED')
})

test.each([
  ['stored', async (id: string) => void (await eventually(() => stored(id)))],
  ['evicted', evict],
  ['stored and evicted', async (id: string) => (await eventually(() => stored(id)), evict())],
])('lifted by another process, it is forgiven here: %s', async (_, first) => {
  for (let time = 0; time < 5; time++) {
    const { id, key } = await newKey()
    await exceed(key)
    await first(id)
    await setting.peer.run(({ api }, id) => api.patchApiKey({ id, suspendedUntil: null }), id)
    await setting.caughtUp()
    // Had it not been stored before, it must not be stored after.
    await flush()
    expect(await verifyApiKey(key)).toMatchObject({ code: 'VALID', rateLimit: { remaining: 1 } })
    expect((await getApiKey(id))!.suspendedUntil).toBeNull()
  }
})

test('is dropped without an event if another process lifts it before this one can store it', async () => {
  const { id, key } = await newKey()
  const events = listen(id)
  expect(await codeOf(key, { cost: LIMIT })).toBe('VALID')
  await flush()
  setting.tap.cut()
  for (let time = 0; time < 3; time++) expect(await codeOf(key)).toBe('RATE_LIMITED')
  expect(await codeOf(key)).toBe('SUSPENDED')
  await setting.peer.run(({ api }, id) => api.patchApiKey({ id, suspendedUntil: null }), id)
  setting.tap.mend()
  await eventually(() => flush())
  await setting.caughtUp()
  expect(await verifyApiKey(key)).toMatchObject({ code: 'VALID', rateLimit: { remaining: 1 } })
  expect((await getApiKey(id))!.suspendedUntil).toBeNull()
  expect(events).toEqual([])
})

test('a locked row holds up no other suspension, and no usage', async () => {
  const [locked, other] = [await newKey(), await newKey()]
  const used = await newKey({})
  await exceed(locked.key, 2)
  await exceed(other.key, 2)
  await flush()
  const holder = new Client({ connectionString: setting.database.url })
  await holder.connect()
  await holder.query('BEGIN')
  await holder.query(`SELECT FROM "ApiKey" WHERE "id" = $1 FOR UPDATE`, [locked.id])
  expect(await codeOf(locked.key)).toBe('RATE_LIMITED')
  expect(await codeOf(other.key)).toBe('RATE_LIMITED')
  expect(await codeOf(used.key)).toBe('VALID')
  await eventually(() => stored(other.id))
  await eventually(async () => expect((await getApiKey(used.id))!.usageCount).toBe(1))
  expect(await codeOf(locked.key)).toBe('SUSPENDED')
  expect((await getApiKey(locked.id))!.suspendedUntil).toBeNull()
  await holder.query('COMMIT')
  await holder.end()
  await eventually(() => stored(locked.id))
})
