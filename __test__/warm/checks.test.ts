import { setImmediate as immediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { addon, untyped } from '../support/addon.js'
import * as bad from '../support/bad-values.js'
import { eventually } from '../support/eventually.js'
import { invalidFields } from '../support/faults.js'
import { useSetting, type NewKey } from '../support/setting.js'

const { flush, getApiKey, patchApiKey, updateApiKey, verifyApiKey } = addon

const setting = useSetting({ suspensionSeconds: 2, flushIntervalMs: 20 })

const perDay = { rateLimitWindowSeconds: 86_400 }
const warmKey = async (fields: Partial<NewKey> = {}): Promise<{ id: string; key: string }> =>
  (await setting.warmKeys(1, fields))[0]!
const codeOf = async (...args: Parameters<typeof verifyApiKey>): Promise<string> =>
  (await verifyApiKey(...args)).code

describe('a warm key', () => {
  test('expires at the instant, without a look at the database', async () => {
    const expiresAt = new Date(Date.now() + 700)
    const [warm] = await setting.coldKeys(1, { expiresAt })
    expect(await codeOf(warm!.key)).toBe('VALID')
    const cost = await setting.cost(async () => {
      for (;;) {
        const before = Date.now()
        const code = await codeOf(warm!.key)
        const after = Date.now()
        if (before >= expiresAt.getTime()) expect(code).toBe('EXPIRED')
        if (after < expiresAt.getTime()) expect(code).toBe('VALID')
        if (code === 'EXPIRED') break
        await immediate()
      }
    })
    expect(cost).toEqual({ selects: 0, hashes: 0, statements: [] })
  })

  test('that was replaced is refused at the end of its grace, without a look at the database', async () => {
    const old = await warmKey()
    await updateApiKey({ id: old.id, regenerateKey: true, gracePeriodSeconds: 1 })
    const until = (await getApiKey(old.id))!.previousKeyExpiresAt!.getTime()
    await setting.caughtUp()
    expect(await codeOf(old.key)).toBe('VALID')
    const cost = await setting.cost(async () => {
      for (;;) {
        const before = Date.now()
        const code = await codeOf(old.key)
        if (before >= until) expect(code).toBe('INVALID_KEY')
        if (Date.now() < until) expect(code).toBe('VALID')
        if (code === 'INVALID_KEY') break
        await immediate()
      }
    })
    expect(cost).toMatchObject({ selects: 0, hashes: 0 })
  })

  test('is held to its allow-list by the address of each request', async () => {
    const { key } = await warmKey({ allowedIps: ['192.0.2.0/24', '2001:db8::/32'] })
    const ok = [
      '192.0.2.1',
      '192.0.2.255',
      '::ffff:192.0.2.7',
      '2001:db8::1',
      '2001:DB8:0:0::1',
      '192.0.2.1:80',
    ]
    const not = ['192.0.3.1', '2001:db9::1', '::ffff:192.0.3.7', '', 'x', '192.0.3.1:80', '\ud800']
    for (let round = 0; round < 3; round++) {
      for (const ip of ok) expect(await codeOf(key, { ip }), ip).toBe('VALID')
      for (const ip of not) expect(await codeOf(key, { ip }), ip).toBe('IP_NOT_ALLOWED')
      for (const ip of [null, undefined]) expect(await codeOf(key, { ip })).toBe('IP_NOT_ALLOWED')
      expect(await codeOf(key)).toBe('IP_NOT_ALLOWED')
      expect(await codeOf(key, null)).toBe('IP_NOT_ALLOWED')
    }
  })

  test('is held to the scopes that each request needs', async () => {
    const { key } = await warmKey({ scopes: ['docs:*', 'search'] })
    const ok = [[], ['search'], ['docs:a'], ['docs:a:b', 'search'], ['docs:*']]
    const not = [['docs'], ['search:a'], ['Search'], ['search', 'x'], ['*'], ['docs:a', 'doc:a']]
    for (let round = 0; round < 3; round++) {
      for (const scopes of ok) expect(await codeOf(key, { scopes })).toBe('VALID')
      for (const scopes of not) expect(await codeOf(key, { scopes })).toBe('INSUFFICIENT_SCOPE')
    }
  })

  test('is asked for what the list of scopes holds now', async () => {
    const { key } = await warmKey({ scopes: ['a'] })
    const scopes = ['a']
    const context = { scopes }
    expect(await codeOf(key, context)).toBe('VALID')
    scopes.push('b')
    expect(await codeOf(key, context)).toBe('INSUFFICIENT_SCOPE')
    scopes.pop()
    expect(await codeOf(key, context)).toBe('VALID')
    scopes[0] = 'b'
    expect(await codeOf(key, context)).toBe('INSUFFICIENT_SCOPE')
    context.scopes = []
    expect(await codeOf(key, context)).toBe('VALID')
    const answer = verifyApiKey(key, Object.assign(context, { scopes: ['b'] }))
    context.scopes = ['a']
    expect((await answer).code).toBe('INSUFFICIENT_SCOPE')
  })

  test('is held to its limit, with what each request costs', async () => {
    const { key } = await warmKey({ rateLimit: 10, ...perDay })
    const remaining = async (cost?: number): Promise<number | string> => {
      const answer = await verifyApiKey(key, { cost })
      return answer.valid ? answer.rateLimit!.remaining : answer.code
    }
    // The first of ten made it warm.
    expect(await remaining()).toBe(8)
    expect(await remaining(3)).toBe(5)
    expect(await remaining(11)).toBe('RATE_LIMITED')
    expect(await remaining(5)).toBe(0)
    expect(await remaining()).toBe('RATE_LIMITED')
  })

  test('keeps what was spent of its limit when it is changed', async () => {
    const { id, key } = await warmKey({ rateLimit: 6, ...perDay })
    expect(await verifyApiKey(key)).toMatchObject({ rateLimit: { remaining: 4 } })
    await patchApiKey({ id, name: 'Renamed' })
    expect(await verifyApiKey(key)).toMatchObject({ name: 'Renamed', rateLimit: { remaining: 3 } })
    await setting.sql(`UPDATE "ApiKey" SET "scopes" = '{a}' WHERE "id" = $1`, [id])
    await setting.caughtUp()
    // Whatever is swept between two uses, is swept here.
    for (let time = 0; time < 3; time++) await flush()
    expect(await verifyApiKey(key)).toMatchObject({ scopes: ['a'], rateLimit: { remaining: 2 } })
    const { key: next } = await updateApiKey({ id, regenerateKey: true, gracePeriodSeconds: 60 })
    expect(await verifyApiKey(next!)).toMatchObject({ rateLimit: { remaining: 1 } })
    expect(await verifyApiKey(key)).toMatchObject({ rateLimit: { remaining: 0 } })
    expect(await codeOf(next!)).toBe('RATE_LIMITED')
    await flush()
    expect((await getApiKey(id))!.usageCount).toBe(6)
  })

  test('is held to a limit that was changed', async () => {
    const { id, key } = await warmKey()
    expect((await verifyApiKey(key)).rateLimit).toBeNull()
    await patchApiKey({ id, rateLimit: 2, ...perDay })
    expect(await verifyApiKey(key)).toMatchObject({ rateLimit: { limit: 2, remaining: 1 } })
    expect(await verifyApiKey(key)).toMatchObject({ rateLimit: { limit: 2, remaining: 0 } })
    expect(await codeOf(key)).toBe('RATE_LIMITED')
    await patchApiKey({ id, rateLimit: null, suspendedUntil: null })
    expect((await verifyApiKey(key)).rateLimit).toBeNull()
  })

  test('is suspended at once, and when that is over accepted again', async () => {
    const { id, key } = await warmKey({ rateLimit: 1, ...perDay })
    const cost = await setting.cost(async () => {
      expect(await codeOf(key)).toBe('RATE_LIMITED')
      expect(await codeOf(key)).toBe('SUSPENDED')
    })
    expect(cost.hashes).toBe(0)
    await eventually(async () => expect((await getApiKey(id))!.suspendedUntil).not.toBeNull())
    expect(await codeOf(key)).toBe('SUSPENDED')
    await patchApiKey({ id, suspendedUntil: null })
    expect(await codeOf(key)).toBe('VALID')
  })

  test('is suspended by another process too', async () => {
    const { key } = await warmKey({ rateLimit: 1, ...perDay })
    const code = await setting.peer.run(async ({ api }, key) => {
      await api.verifyApiKey(key)
      return (await api.verifyApiKey(key)).code
    }, key)
    // It may have heard already what was used here: then its first verify is over the limit.
    expect(['RATE_LIMITED', 'SUSPENDED']).toContain(code)
    await eventually(async () => expect(await codeOf(key)).toBe('SUSPENDED'))
  })
})

describe('what is wrong with the context', () => {
  const wrong: [string, unknown][] = [
    ['an unknown field', { scope: ['a'] }],
    ['a known and an unknown field', { ip: '10.0.0.1', ipAddress: '10.0.0.1' }],
    ['a field of the answer', { valid: true }],
    ...[-1, 1.5, NaN, Infinity, 1_000_001, 2 ** 32 + 1, '1', [1], true, 1n].map(
      (cost): [string, unknown] => [`a cost of ${typeof cost} ${String(cost)}`, { cost }],
    ),
    ['a cost of a name that is none', { cost: { tokens: -1 } }],
    ...[5, true, {}, ['10.0.0.1'], Symbol('s'), bad.throws].map((ip, at): [string, unknown] => [
      `an address that is no text (${at})`,
      { ip },
    ]),
    ...[5, {}, [], Symbol('s')].map((path, at): [string, unknown] => [
      `a path that is no text (${at})`,
      { path },
    ]),
    ...bad.requiredScopes.map(([what, scopes]): [string, unknown] => [
      `scopes: ${what}`,
      { scopes },
    ]),
    ...bad.badScopes.map((scope, at): [string, unknown] => [
      `scopes with a bad one (${at})`,
      { scopes: ['a', scope] },
    ]),
    ['a scope of two lines', { scopes: ['a\na'] }],
    ['a list of a list', { scopes: [['a']] }],
    ['a scope with a text form', { scopes: [{ toString: () => 'a' }] }],
    ['a scope that is undefined', { scopes: ['a', undefined] }],
    ['a scope that is null', { scopes: [null] }],
    ['a list with a hole', { scopes: Object.assign(['a'], { length: 3 }) }],
    ['a hole alone', { scopes: new Array(1) }],
    ['a String object', { scopes: [new String('a')] }],
    ['a getter that throws', bad.throwingGetter({}, 'ip')],
    ['a getter of scopes that throws', bad.throwingGetter({}, 'scopes')],
    ['a list whose entry throws', { scopes: bad.throwingGetter([], '0') }],
    ['no object', 5],
    ['text', '10.0.0.1'],
    ['a list', [{ ip: '10.0.0.1' }]],
    ['a function', bad.throws],
    ['a symbol', Symbol('s')],
    ['a proxy that throws', bad.throwingProxy],
    ['a revoked proxy', bad.revokedProxy],
    ['everything', { ip: 5, scopes: 'a', cost: -1, path: 1, more: 1 }],
  ]

  test.each(wrong)('is the same error warm as cold: %s', async (_what, context) => {
    const { key } = await warmKey({ scopes: ['a'] })
    const verify = (key: string) => (): unknown => untyped.verifyApiKey!(key, context)
    const cold = await invalidFields(verify('no key at all, but long enough for one'))
    expect(await invalidFields(verify(key))).toEqual(cold)
  })

  test('is reported each time', async () => {
    const { key } = await warmKey()
    for (let time = 0; time < 1_000; time++) {
      for (const cost of [-1, -0, { default: -0 }]) {
        const [field] = await invalidFields(() => untyped.verifyApiKey!(key, { cost }))
        expect(field).toMatch(/^cost/)
      }
    }
    expect(await codeOf(key)).toBe('VALID')
  })

  test('is reported together with what is wrong with the key', async () => {
    await warmKey()
    const fields = await invalidFields(() => untyped.verifyApiKey!(5, { cost: -1, x: 1 }))
    expect(fields).toEqual(['cost', 'key', 'x'])
  })
})

describe('an unusual context', () => {
  const verify = untyped.verifyApiKey as unknown as (key: string, context: unknown) => Promise<any>
  const read = { scopes: ['a'], ip: '10.0.0.1', cost: 1, path: '/' }
  class Request {
    ip = '10.0.0.1'
    scopes = ['a']
  }
  const unusual: [string, () => object][] = [
    ['a proxy', () => new Proxy(read, {})],
    ['a proxy of a proxy', () => new Proxy(new Proxy(read, {}), {})],
    ['getters', () => Object.defineProperty({}, 'scopes', { get: () => ['a'], enumerable: true })],
    ['no prototype', () => Object.assign(Object.create(null) as object, read)],
    ['a class of its own', () => new Request()],
    ['frozen', () => Object.freeze({ scopes: Object.freeze(['a']) })],
    ['fields that are undefined', () => ({ ip: undefined, scopes: undefined, cost: undefined })],
    ['fields that are null', () => ({ ip: null, scopes: null, cost: null, path: null })],
    ['scopes of a class', () => ({ scopes: new (class extends Array<string> {})('a') })],
    ['a hundred scopes', () => ({ scopes: Array.from({ length: 100 }, () => 'a') })],
    ['an address as long as a book', () => ({ ip: 'x'.repeat(1_000_000) })],
    ['a path with everything', () => ({ path: '/\u0000\ud800\n' })],
    ['the highest cost', () => ({ cost: 1_000_000 })],
    ['no cost', () => ({ cost: 0 })],
    ['costs of no name', () => ({ cost: {} })],
    ['a cost in floating point', () => ({ cost: 1e3 })],
  ]

  test.each(unusual)('is read warm as it is cold: %s', async (_what, context) => {
    const [cold, warm] = await setting.coldKeys(2, { scopes: ['a'] })
    await verifyApiKey(warm!.key)
    const answerOf = async (key: string): Promise<unknown> => {
      const { keyId: _, ...answer } = await verify(key, context()).catch(
        ({ code, issues }: Record<string, unknown>) => ({ code, issues }),
      )
      return answer
    }
    expect(await answerOf(warm!.key)).toEqual(await answerOf(cold!.key))
  })

  test('does not get in the way of verifies that its getters make', async () => {
    const outer = await warmKey({ scopes: ['a'], rateLimit: 100, ...perDay })
    const inner = await warmKey({ rateLimit: 100, ...perDay })
    const inside: ReturnType<typeof verifyApiKey>[] = []
    const verifyInside = <T>(value: T): T => {
      inside.push(verifyApiKey(inner.key, { cost: 2 }), verifyApiKey('nonsense'))
      return value
    }
    const asked = (scope: string): Parameters<typeof verifyApiKey>[1] => ({
      scopes: [scope],
      cost: 7,
      get path() {
        return verifyInside('/')
      },
      get ip() {
        return verifyInside('10.0.0.1')
      },
    })
    expect(await verifyApiKey(outer.key, asked('a'))).toMatchObject({
      valid: true,
      keyId: outer.id,
      rateLimit: { remaining: 92 },
    })
    expect((await verifyApiKey(outer.key, asked('b'))).code).toBe('INSUFFICIENT_SCOPE')
    const ids = (await Promise.all(inside)).map(({ keyId }) => keyId)
    expect(new Set(ids)).toEqual(new Set([inner.id, undefined]))
  })

  test('cannot get in without the scope by a list that is a proxy', async () => {
    const { key } = await warmKey({ scopes: ['a'] })
    const code = await verify(key, { scopes: new Proxy(['b'], {}) }).then(
      (answer: { code: string }) => answer.code,
      (fault: { code: string }) => fault.code,
    )
    expect(['INSUFFICIENT_SCOPE', 'INVALID_INPUT']).toContain(code)
  })

  test('whose getters change their mind cannot get in without the scope', async () => {
    const { key } = await warmKey({ scopes: ['a'] })
    for (let honest = 1; honest <= 3; honest++) {
      let reads = 0
      const context = {
        get scopes(): string[] {
          return ++reads <= honest ? ['b'] : ['b', 'c']
        },
      }
      expect(await codeOf(key, context)).toBe('INSUFFICIENT_SCOPE')
    }
  })
})

describe('a warm key in another form of text', () => {
  test('is the same key', async () => {
    const { key } = await warmKey()
    const half = Math.floor(key.length / 2)
    const forms = [
      key.slice(0, half) + key.slice(half),
      `x${key}é`.slice(1, -1),
      [...key].join(''),
      Buffer.from(key).toString(),
      JSON.parse(JSON.stringify(key)) as string,
    ]
    for (const form of forms) expect(await codeOf(form)).toBe('VALID')
  })

  test('is another one with anything more or less', async () => {
    const { key } = await warmKey()
    const others = [
      ...[`${key}\u0000`, `${key}\u00a0`, `${key} x`, key.slice(0, -1), `${key}é`, `${key}\ud800`],
      ...[key.toLowerCase(), key.toUpperCase(), key + key, key + 'x'.repeat(1_000_000), '', 'é'],
      ...[key.replace('_', '\uff3f'), key.replace('s', '\u017f'), `${key.slice(0, -1)}\u0130`],
    ]
    for (const other of others) expect(await codeOf(other), other.slice(0, 90)).toBe('INVALID_KEY')
    expect(await codeOf(key)).toBe('VALID')
  })

  test('is no String object and nothing with a text form', async () => {
    const { key } = await warmKey()
    for (const value of [new String(key), { toString: () => key }, [[key]], Buffer.from(key)]) {
      expect(await invalidFields(() => untyped.verifyApiKey!(value))).toEqual(['key'])
    }
  })
})
