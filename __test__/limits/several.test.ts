import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { invalidFields } from '../support/faults.js'
import { useSetting, type Issued, type NewKey } from '../support/setting.js'

const { createApiKey, flush, getApiKey, patchApiKey, setClient, updateApiKey, verifyApiKey } = addon
type Context = NonNullable<Parameters<typeof verifyApiKey>[1]>
type Limits = NonNullable<NewKey['limits']>

const setting = useSetting()

/** Nothing that is used comes back within a test. */
const DAY = 86_400
const limit = (name: string, limit: number): Limits[number] => ({ name, limit, windowSeconds: DAY })

let clients = 0
const newClient = (): string => `client-${(clients += 1)}`
const create = (fields: Partial<NewKey> = {}): Promise<Issued> =>
  createApiKey({ name: 'Limited', clientId: newClient(), ...fields })
const codeOf = async ({ key }: Issued, context?: Context): Promise<string> =>
  (await verifyApiKey(key, context)).code

/** What remains of each limit, by level and name. */
async function remaining({ key }: Issued, context?: Context): Promise<Record<string, number>> {
  const { limits } = await verifyApiKey(key, context)
  return Object.fromEntries(
    limits!.map(({ level, name, remaining }) => [`${level} ${name}`, remaining]),
  )
}

describe('the limits of a key', () => {
  test('are kept as they were set', async () => {
    const limits = [limit('tokens', 1_000), { ...limit('images', 5), suspends: true }]
    const key = await create({ limits })
    expect(key.limits).toEqual(limits)
    expect((await getApiKey(key.id))!.limits).toEqual(limits)
    await updateApiKey({ id: key.id, name: 'Other' })
    expect((await getApiKey(key.id))!.limits).toEqual(limits)
    expect((await patchApiKey({ id: key.id, limits: null })).limits).toEqual([])
    expect((await create()).limits).toEqual([])
  })

  test('are in the event of a change as they were and are', async () => {
    const events: unknown[] = []
    const stop = addon.onEvent((event) => void events.push(event))
    const before = [limit('tokens', 5)]
    const after = [limit('tokens', 6), { ...limit('images', 1), suspends: true }]
    const key = await create({ limits: before })
    await patchApiKey({ id: key.id, limits: after })
    const clientId = newClient()
    await setClient({ clientId, limits: after })
    await eventually(() => {
      expect(events).toContainEqual(
        expect.objectContaining({ type: 'key.changed', changes: { limits: { before, after } } }),
      )
      expect(events).toContainEqual(
        expect.objectContaining({
          type: 'client.changed',
          clientId,
          changes: { limits: { before: [], after } },
        }),
      )
    })
    stop()
  })

  test('are named by the event of a refusal', async () => {
    const events: unknown[] = []
    const stop = addon.onEvent((event) => void events.push(event))
    const clientId = newClient()
    await setClient({ clientId, limits: [limit('images', 1)] })
    const key = await create({ clientId, rateLimit: 10 })
    for (const code of ['VALID', 'RATE_LIMITED']) expect(await codeOf(key)).toBe(code)
    await flush()
    await eventually(() =>
      expect(events).toContainEqual(
        expect.objectContaining({
          type: 'key.refused',
          keyId: key.id,
          reason: 'RATE_LIMITED',
          limitedBy: { level: 'client', name: 'images' },
        }),
      ),
    )
    stop()
  })

  test('cannot be cleared by sending back a row that cannot be read', async () => {
    const key = await create({ limits: [limit('tokens', 5)] })
    const spoilt = '[{"name": "tokens"}]'
    await setting.sql(`UPDATE "ApiKey" SET "limits" = $1 WHERE "id" = $2`, [spoilt, key.id])
    const read = (await getApiKey(key.id))!
    expect(read).not.toHaveProperty('limits')
    await patchApiKey({ id: read.id, name: read.name, limits: read.limits })
    const [row] = await setting.sql(`SELECT "limits" FROM "ApiKey" WHERE "id" = $1`, [key.id])
    expect(row).toEqual({ limits: JSON.parse(spoilt) as unknown })
  })

  test('are charged together, beside that of rateLimit, and each is told', async () => {
    const key = await create({
      rateLimit: 10,
      rateLimitWindowSeconds: DAY,
      limits: [limit('tokens', 1_000), limit('images', 5)],
    })
    // Cold, and then warm.
    for (const left of [1, 2]) {
      const answer = await verifyApiKey(key.key)
      const state = (name: string, limit: number): object => ({
        level: 'key',
        name,
        limit,
        remaining: limit - left,
        resetMs: expect.any(Number),
      })
      expect(answer).toMatchObject({ valid: true })
      expect(answer.limits).toEqual([
        state('default', 10),
        state('tokens', 1_000),
        state('images', 5),
      ])
      // The tightest.
      expect(answer.rateLimit).toEqual({
        limit: 5,
        remaining: 5 - left,
        resetMs: expect.any(Number),
        windowSeconds: DAY,
      })
    }
  })

  test('are charged all or none, and the refusal says which was the first', async () => {
    const key = await create({
      rateLimit: 10,
      rateLimitWindowSeconds: DAY,
      limits: [limit('tokens', 2), limit('images', 1)],
    })
    const cost = { images: 0 }
    for (const left of [9, 8])
      expect(await remaining(key, { cost })).toMatchObject({ 'key default': left })
    for (let time = 0; time < 3; time += 1) {
      const refused = await verifyApiKey(key.key, { cost })
      expect(refused).toMatchObject({
        valid: false,
        code: 'RATE_LIMITED',
        limitedBy: { level: 'key', name: 'tokens' },
        rateLimit: { remaining: 0, limit: 2 },
        retryAfterMs: expect.any(Number),
      })
      expect(refused.limits!.map(({ remaining }) => remaining)).toEqual([8, 0, 1])
    }
  })

  test('say after what time the request is within all of them', async () => {
    const key = await create({
      rateLimit: 1,
      rateLimitWindowSeconds: 60,
      limits: [{ name: 'tokens', limit: 10, windowSeconds: 3_600 }],
    })
    expect(await codeOf(key, { cost: { tokens: 10 } })).toBe('VALID')
    const refused = await verifyApiKey(key.key)
    if (refused.valid) return
    // Not after the minute of the first one.
    expect(refused.limitedBy).toEqual({ level: 'key', name: 'default' })
    expect(refused.retryAfterMs).toBeGreaterThan(300_000)
    expect(refused.retryAfterMs).toBeLessThanOrEqual(360_000)
    // Never, if it costs more than one of them.
    const never = await verifyApiKey(key.key, { cost: { tokens: 11 } })
    expect(never).toMatchObject({ code: 'RATE_LIMITED', limitedBy: { name: 'default' } })
    expect(never).not.toHaveProperty('retryAfterMs')
  })

  test('cost what the request says of each', async () => {
    const key = await create({
      rateLimit: 100,
      rateLimitWindowSeconds: DAY,
      limits: [limit('tokens', 1_000)],
    })
    expect(await remaining(key, { cost: 5 })).toEqual({ 'key default': 95, 'key tokens': 995 })
    expect(await remaining(key, { cost: { tokens: 500 } })).toEqual({
      'key default': 94,
      'key tokens': 495,
    })
    expect(await remaining(key, { cost: { tokens: 0, default: 0 } })).toEqual({
      'key default': 94,
      'key tokens': 495,
    })
    expect(await remaining(key, { cost: 0 })).toEqual({ 'key default': 94, 'key tokens': 495 })
    expect(await codeOf(key, { cost: { tokens: 496 } })).toBe('RATE_LIMITED')
    const tooMuch = await verifyApiKey(key.key, { cost: { tokens: 1_001 } })
    expect(tooMuch).not.toHaveProperty('retryAfterMs')
    expect(await remaining(key, { cost: {} })).toEqual({ 'key default': 93, 'key tokens': 494 })
  })

  test('let a request pass that costs nothing, even where nothing is left', async () => {
    const key = await create({ limits: [limit('tokens', 1)] })
    expect(await codeOf(key)).toBe('VALID')
    expect(await codeOf(key)).toBe('RATE_LIMITED')
    expect(await codeOf(key, { cost: 0 })).toBe('VALID')
    expect(await codeOf(key, { cost: { tokens: 0 } })).toBe('VALID')
  })

  test('do not take a cost of one that the key does not have', async () => {
    const key = await create({ limits: [limit('tokens', 1)] })
    for (const cost of [{ images: 1 }, { tokens: 1, images: 0 }] as Record<string, number>[])
      expect(await invalidFields(() => verifyApiKey(key.key, { cost }))).toEqual(['cost.images'])
    // Also by a name that would be two lines where lines are read.
    const strange = { 'tokens 0\ntokens': 0 }
    await expect(verifyApiKey(key.key, { cost: strange })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    })
    // Nothing was charged, and a key that is refused anyway says nothing of its limits.
    expect(await codeOf(key)).toBe('VALID')
    await patchApiKey({ id: key.id, isActive: false })
    expect(await codeOf(key, { cost: { images: 1 } })).toBe('DISABLED')
    expect((await verifyApiKey('unknown', { cost: { images: 1 } })).code).toBe('INVALID_KEY')
  })

  test('stay as they were used when another name, limit or window is set', async () => {
    const key = await create({ limits: [limit('tokens', 100)] })
    expect(await remaining(key, { cost: 40 })).toEqual({ 'key tokens': 60 })
    await patchApiKey({ id: key.id, limits: [limit('tokens', 200), limit('images', 5)] })
    expect(await remaining(key)).toEqual({ 'key tokens': 159, 'key images': 4 })
    await patchApiKey({ id: key.id, limits: [limit('images', 5)] })
    await patchApiKey({ id: key.id, limits: [limit('tokens', 200), limit('images', 5)] })
    expect(await remaining(key)).toEqual({ 'key tokens': 158, 'key images': 3 })
    // Rotation keeps them, and lifting a suspension resets them.
    const { key: fresh } = await updateApiKey({ id: key.id, regenerateKey: true })
    expect(await remaining({ ...key, key: fresh! })).toEqual({ 'key tokens': 157, 'key images': 2 })
    await patchApiKey({ id: key.id, suspendedUntil: null })
    expect(await remaining({ ...key, key: fresh! })).toEqual({ 'key tokens': 199, 'key images': 4 })
  })

  test('are not charged by a peek', async () => {
    const key = await create({ limits: [limit('tokens', 10), limit('images', 1)] })
    expect(await remaining(key)).toEqual({ 'key tokens': 9, 'key images': 0 })
    const peek = { peek: true, cost: { images: 0 } }
    expect(await remaining(key, peek)).toEqual({ 'key tokens': 9, 'key images': 0 })
    expect(await verifyApiKey(key.key, { peek: true })).toMatchObject({
      code: 'RATE_LIMITED',
      limitedBy: { level: 'key', name: 'images' },
    })
  })

  test.each<[string, unknown, string[]]>([
    ['that are no list', {}, ['limits']],
    ['that are too many', Array.from({ length: 9 }, (_, n) => limit(`n${n}`, 1)), ['limits']],
    ['with the name of rateLimit', [limit('default', 1)], ['limits[0].name']],
    ['with a name twice', [limit('a', 1), limit('b', 1), limit('a', 2)], ['limits[2].name']],
    ['with a slash in a name', [limit('a/b', 1)], ['limits[0].name']],
    ['with an empty name', [limit('', 1)], ['limits[0].name']],
    ['with a long name', [limit('x'.repeat(65), 1)], ['limits[0].name']],
    ['of nothing', [limit('a', 0)], ['limits[0].limit']],
    ['without a window', [{ name: 'a', limit: 1 }], ['limits[0].windowSeconds']],
    [
      'with a longer window',
      [{ ...limit('a', 1), windowSeconds: DAY + 1 }],
      ['limits[0].windowSeconds'],
    ],
    ['with an unknown field', [{ ...limit('a', 1), window: 5 }], ['limits[0].window']],
    ['with no flag', [{ ...limit('a', 1), suspends: 1 }], ['limits[0].suspends']],
    ['that are texts', ['tokens'], ['limits[0]']],
  ])('cannot be ones %s', async (_what, limits, fields) => {
    const bad = { name: 'n', clientId: 'c', limits } as NewKey
    expect(await invalidFields(() => createApiKey(bad))).toEqual(fields)
  })
})

describe('the limits of a client', () => {
  test('are shared by its keys, and by those of the clients below', async () => {
    const [grandparent, parent, child] = [newClient(), newClient(), newClient()]
    await setClient({ clientId: grandparent, limits: [limit('tokens', 100)] })
    await setClient({
      clientId: parent,
      parentId: grandparent,
      limits: [limit('default', 50), limit('tokens', 200)],
    })
    await setClient({ clientId: child, parentId: parent, limits: [limit('images', 5)] })
    const keys = await Promise.all([
      create({ clientId: child, limits: [limit('tokens', 90)] }),
      create({ clientId: parent }),
    ])
    expect(await remaining(keys[0]!, { cost: { tokens: 10 } })).toEqual({
      'key tokens': 80,
      'client images': 4,
      'parent default': 49,
      'parent tokens': 190,
      'grandparent tokens': 90,
    })
    expect(await remaining(keys[1]!, { cost: 20 })).toEqual({
      'client default': 29,
      'client tokens': 170,
      'parent tokens': 70,
    })
    const refused = await verifyApiKey(keys[0]!.key, { cost: { tokens: 71 } })
    expect(refused).toMatchObject({ limitedBy: { level: 'grandparent', name: 'tokens' } })
    expect(await remaining(keys[0]!, { cost: 0 })).toEqual({
      'key tokens': 80,
      'client images': 4,
      'parent default': 29,
      'parent tokens': 170,
      'grandparent tokens': 70,
    })
  })

  test('hold for all of its keys together: exactly as many pass', async () => {
    const clientId = newClient()
    await setClient({ clientId, limits: [limit('requests', 100)] })
    const keys = await setting.warmKeys(10, { clientId })
    // Each was verified once.
    const asked = Array.from({ length: 10_000 }, (_, index) => verifyApiKey(keys[index % 10]!.key))
    const passed = (await Promise.all(asked)).filter(({ valid }) => valid)
    expect(passed).toHaveLength(90)
  })

  test('are set while its keys are in use, everywhere', async () => {
    const clientId = newClient()
    const [key] = await setting.warmKeys(1, { clientId })
    await setting.peer.run(({ api }, key) => api.verifyApiKey(key), key!.key)
    await setClient({ clientId, limits: [limit('requests', 2)] })
    const limited = { limits: [{ level: 'client', name: 'requests', limit: 2 }] }
    await eventually(async () => {
      expect(await verifyApiKey(key!.key, { peek: true })).toMatchObject(limited)
      const there = await setting.peer.run(
        ({ api }, key) => api.verifyApiKey(key, { peek: true }),
        key!.key,
      )
      expect(there).toMatchObject(limited)
    })
    await setClient({ clientId, limits: null })
    await eventually(async () =>
      expect(await verifyApiKey(key!.key)).toMatchObject({ limits: [], rateLimit: null }),
    )
  })

  test('are known to a process that starts, with what others have used of them', async () => {
    const clientId = newClient()
    await setClient({ clientId, limits: [limit('requests', 100)] })
    const key = await create({ clientId, limits: [limit('tokens', 50)] })
    expect(await remaining(key, { cost: 30 })).toEqual({ 'key tokens': 20, 'client requests': 70 })
    await flush()
    const there = await setting.peer.run(({ api }, key) => api.verifyApiKey(key), key.key)
    expect(there.limits!.map(({ remaining }) => remaining)).toEqual([19, 69])
    // And what that one has used comes back.
    await setting.peer.run(({ api }) => api.flush())
    await eventually(async () => {
      await flush()
      const { limits } = await verifyApiKey(key.key, { peek: true })
      expect(limits!.map(({ remaining }) => remaining)).toEqual([19, 69])
    })
  })

  test('never let a key in whose limits another writer has spoilt', async () => {
    const clientId = newClient()
    await setClient({ clientId, limits: [limit('requests', 100)] })
    const key = await create({ clientId })
    expect(await codeOf(key)).toBe('VALID')
    await setting.sql(
      `UPDATE sophra_api_keys.clients SET limits = '[{"name": "requests"}]' WHERE client_id = $1`,
      [clientId],
    )
    await eventually(() =>
      expect(verifyApiKey(key.key)).rejects.toMatchObject({ code: 'INTERNAL', status: 500 }),
    )
    await setClient({ clientId, limits: [] })
    await eventually(async () => expect(await codeOf(key)).toBe('VALID'))
  })
})

describe('all or nothing', () => {
  const costs = fc.oneof(
    fc.integer({ min: 0, max: 4 }),
    fc.dictionary(fc.constantFrom('a', 'b'), fc.integer({ min: 0, max: 6 })),
  )

  test('10,000 random requests are answered as a reference model answers them', async () => {
    let asked = 0
    const property = fc.asyncProperty(
      fc.array(fc.record({ key: fc.nat({ max: 1 }), cost: costs }), {
        minLength: 100,
        maxLength: 120,
      }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 5, maxLength: 5 }),
      async (requests, amounts) => {
        const [own, ofClient, ofParent, named, other] = amounts as [
          number,
          number,
          number,
          number,
          number,
        ]
        const [parent, clientId] = [newClient(), newClient()]
        await setClient({ clientId: parent, limits: [limit('a', ofParent)] })
        await setClient({
          clientId,
          parentId: parent,
          limits: [limit('default', ofClient), limit('b', other)],
        })
        const keys = await Promise.all(
          [0, 1].map(() =>
            create({
              clientId,
              rateLimit: own,
              rateLimitWindowSeconds: DAY,
              limits: [limit('a', named)],
            }),
          ),
        )
        // The limits in their order: what remains of each, those of the client shared.
        const shared = [
          { name: 'default', left: ofClient },
          { name: 'b', left: other },
          { name: 'a', left: ofParent },
        ]
        const model = keys.map(() => [
          { name: 'default', left: own },
          { name: 'a', left: named },
          ...shared,
        ])
        for (const { key, cost } of requests) {
          asked += 1
          const limits = model[key]!
          const costOf = (name: string): number =>
            typeof cost === 'number' ? cost : (cost[name] ?? 1)
          const first = limits.findIndex(
            ({ name, left }) => costOf(name) > left && costOf(name) > 0,
          )
          if (first < 0) for (const limit of limits) limit.left -= costOf(limit.name)
          const answer = await verifyApiKey(keys[key]!.key, { cost })
          expect({
            valid: answer.valid,
            left: answer.limits!.map(({ remaining }) => remaining),
            by: answer.valid
              ? -1
              : answer.limits!.findIndex(
                  ({ level, name }) =>
                    level === answer.limitedBy!.level && name === answer.limitedBy!.name,
                ),
          }).toEqual({ valid: first < 0, left: limits.map(({ left }) => left), by: first })
        }
      },
    )
    await fc.assert(property, { numRuns: 100, endOnFailure: false })
    console.log(`${asked} requests`)
    expect(asked).toBeGreaterThanOrEqual(10_000)
  }, 600_000)
})

describe('a limit that suspends', () => {
  test('suspends the key that keeps exceeding it, and no other of the client', async () => {
    const peer = await setting.peer.run(
      async ({ api }, options) => {
        await api.close()
        api.configure({ ...options, suspensionSeconds: 60, suspendAfter: 3 })
        const clientId = 'suspending'
        const window = { windowSeconds: 86_400 }
        await api.setClient({
          clientId,
          limits: [{ name: 'requests', limit: 2, suspends: true, ...window }],
        })
        const create = (): Promise<{ key: string }> => api.createApiKey({ name: 'n', clientId })
        const [one, other] = [await create(), await create()]
        const codes = []
        for (let time = 0; time < 6; time += 1) codes.push((await api.verifyApiKey(one.key)).code)
        const { code } = await api.verifyApiKey(other.key)
        const own = await api.createApiKey({
          name: 'n',
          clientId: 'own',
          limits: [{ name: 'tokens', limit: 1, ...window }],
        })
        const ownCodes = []
        for (let time = 0; time < 6; time += 1)
          ownCodes.push((await api.verifyApiKey(own.key)).code)
        await api.close()
        api.configure(options)
        return { codes, code, ownCodes }
      },
      { ...setting.options, databaseUrl: setting.database.url },
    )
    const limited = 'RATE_LIMITED'
    expect(peer.codes).toEqual(['VALID', 'VALID', limited, limited, limited, 'SUSPENDED'])
    expect(peer.code).toBe(limited)
    // Only one that says so suspends.
    expect(peer.ownCodes).toEqual(['VALID', limited, limited, limited, limited, limited])
  })
})
