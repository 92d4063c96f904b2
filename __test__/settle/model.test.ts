import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useSetting } from '../support/setting.js'

const { createApiKey, getQuota, settle, setClient, verifyApiKey } = addon

useSetting()

type Costs = Record<string, number>

/** A limit or quota as the reference has it: nothing that is used comes back. */
interface Counted {
  name: string
  amount: number
  used: number
}

const cost = fc.integer({ min: 0, max: 60 })
const costs = fc.oneof(cost, fc.record({ tokens: cost, images: cost }, { requiredKeys: [] }))
/** To settle, some cost must be named. */
const actualCosts = costs.filter(
  (costs) => typeof costs === 'number' || Object.keys(costs).length > 0,
)
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('verify' as const), costs }),
    fc.record({ kind: fc.constant('settle' as const), costs: actualCosts, which: fc.nat() }),
  ),
  { minLength: 1, maxLength: 30 },
)
const amounts = fc.array(fc.integer({ min: 30, max: 400 }), { minLength: 5, maxLength: 5 })

const costOf = (costs: number | Costs, name: string): number | undefined =>
  typeof costs === 'number' ? costs : costs[name]

/** The milliseconds that pass here give back some thousandths of a unit, which `remaining` would round down. */
const leftOf = ({ limit, resetMs }: { limit: number; resetMs: number }): number =>
  limit - Math.round((resetMs * limit) / 86_400_000)

let clients = 0

test('any order of verifies and settlements leaves what a reference model has left', async () => {
  let [settled, refused, done] = [0, 0, 0]
  const property = fc.asyncProperty(amounts, steps, async (amounts, steps) => {
    const [a, b, c, d, e] = amounts as [number, number, number, number, number]
    const clientId = `client-${(clients += 1)}`
    const limit = (name: string, limit: number) => ({ name, limit, windowSeconds: 86_400 })
    const quota = (name: string, amount: number) => ({ name, amount, period: 'total' as const })
    await setClient({ clientId, limits: [limit('tokens', c)], quotas: [quota('tokens', d)] })
    const { id, key } = await createApiKey({
      name: 'n',
      clientId,
      limits: [limit('tokens', a), limit('images', b)],
      quotas: [quota('images', e)],
    })
    const counted = [
      ['tokens', a],
      ['images', b],
      ['tokens', c],
      ['images', e],
      ['tokens', d],
    ].map(([name, amount]) => ({ name, amount, used: 0 }) as Counted)
    const charges: { charge: string; costs: number[]; isSettled: boolean }[] = []
    for (const step of steps) {
      done += 1
      if (step.kind === 'verify') {
        const charged = counted.map(({ name }) => costOf(step.costs, name) ?? 1)
        const passes = counted.every(
          ({ amount, used }, index) => charged[index] === 0 || used + charged[index]! <= amount,
        )
        const result = await verifyApiKey(key, { cost: step.costs })
        expect(result.valid).toBe(passes)
        if (!result.valid) {
          refused += 1
          continue
        }
        counted.forEach((entry, index) => (entry.used += charged[index]!))
        charges.push({ charge: result.charge!, costs: charged, isSettled: false })
      } else {
        const found = charges[step.which % charges.length]
        if (!found) continue
        expect(await settle(found.charge, step.costs)).toBe(!found.isSettled)
        if (found.isSettled) continue
        found.isSettled = true
        settled += 1
        counted.forEach((entry, index) => {
          const actual = costOf(step.costs, entry.name)
          if (actual === undefined) return
          entry.used = Math.min(entry.amount, entry.used + actual - found.costs[index]!)
        })
      }
    }
    const { limits } = await verifyApiKey(key, { peek: true, cost: 0 })
    const quotas = [
      await getQuota({ keyId: id, name: 'images' }),
      await getQuota({ clientId, name: 'tokens' }),
    ]
    const remaining = [...limits!.map(leftOf), ...quotas.map(({ remaining }) => remaining)]
    expect(remaining).toEqual(counted.map(({ amount, used }) => amount - used))
  })
  await fc.assert(property, { numRuns: 300 })
  console.log(`${done} steps, ${settled} charges settled, ${refused} requests refused`)
}, 300_000)
