import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useSetting } from '../support/setting.js'

const { createApiKey, getQuota, setClient, verifyApiKey } = addon

useSetting()

/** Nothing that is used comes back within a test. */
const DAY = 86_400
const limitOf = (
  name: string,
  limit: number,
): { name: string; limit: number; windowSeconds: number } => ({
  name,
  limit,
  windowSeconds: DAY,
})
const quotaOf = (
  name: string,
  amount: number,
): { name: string; amount: number; period: 'total' } => ({
  name,
  amount,
  period: 'total',
})

type Cost = number | Record<string, number>
/** A limit or quota of the model: which it is, and what is left of it. */
interface Budget {
  level: string
  name: string
  left: number
}

const costs: fc.Arbitrary<Cost> = fc.oneof(
  fc.integer({ min: 0, max: 4 }),
  fc.dictionary(fc.constantFrom('a', 'b'), fc.integer({ min: 0, max: 6 })),
)
const amount = fc.integer({ min: 1, max: 60 })

let clients = 0
const newClient = (): string => `client-${(clients += 1)}`

test('10,000 random requests are answered as a reference model answers them', async () => {
  let asked = 0
  const property = fc.asyncProperty(
    fc.array(fc.record({ key: fc.nat({ max: 1 }), cost: costs }), {
      minLength: 100,
      maxLength: 120,
    }),
    fc.record({ own: amount, ofClient: amount, ofParent: amount, quota: amount, shared: amount }),
    async (requests, { own, ofClient, ofParent, quota, shared }) => {
      const [parent, clientId] = [newClient(), newClient()]
      await setClient({
        clientId: parent,
        limits: [limitOf('a', ofParent)],
        quotas: [quotaOf('default', shared)],
      })
      await setClient({ clientId, parentId: parent, limits: [limitOf('b', ofClient)] })
      const create = (): ReturnType<typeof createApiKey> =>
        createApiKey({
          name: 'n',
          clientId,
          rateLimit: own,
          rateLimitWindowSeconds: DAY,
          quotas: [quotaOf('a', quota)],
        })
      const keys = [await create(), await create()]
      const ofAll = {
        client: { level: 'client', name: 'b', left: ofClient },
        parent: { level: 'parent', name: 'a', left: ofParent },
        quota: { level: 'parent', name: 'default', left: shared },
      }
      // In the order of refusals: limits before quotas, and levels from the key upward.
      const model = keys.map(() => ({
        limits: [{ level: 'key', name: 'default', left: own }, ofAll.client, ofAll.parent],
        quotas: [{ level: 'key', name: 'a', left: quota }, ofAll.quota],
      }))
      for (const { key, cost } of requests) {
        asked += 1
        const { limits, quotas } = model[key]!
        const costOf = ({ name }: Budget): number =>
          typeof cost === 'number' ? cost : (cost[name] ?? 1)
        const exceeds = (budget: Budget): boolean =>
          costOf(budget) > budget.left && costOf(budget) > 0
        const by = [...limits, ...quotas].find(exceeds)
        if (!by) for (const budget of [...limits, ...quotas]) budget.left -= costOf(budget)
        const refusal = limits.includes(by!) ? 'RATE_LIMITED' : 'QUOTA_EXCEEDED'
        const answer = await verifyApiKey(keys[key]!.key, { cost })
        expect({
          code: answer.code,
          left: answer.limits!.map(({ remaining }) => remaining),
          by: answer.valid ? undefined : answer.limitedBy,
        }).toEqual({
          code: by ? refusal : 'VALID',
          left: limits.map(({ left }) => left),
          by: by && { level: by.level, name: by.name },
        })
      }
      const states = [
        ...(await Promise.all(keys.map(({ id }) => getQuota({ keyId: id, name: 'a' })))),
        await getQuota({ clientId: parent, name: 'default' }),
      ]
      const left = [...model.map(({ quotas }) => quotas[0]!.left), ofAll.quota.left]
      expect(states.map(({ remaining }) => remaining)).toEqual(left)
      expect(states.map(({ used }) => used)).toEqual([
        quota - left[0]!,
        quota - left[1]!,
        shared - left[2]!,
      ])
    },
  )
  await fc.assert(property, { numRuns: 100, endOnFailure: false })
  console.log(`${asked} requests`)
  expect(asked).toBeGreaterThanOrEqual(10_000)
}, 600_000)
