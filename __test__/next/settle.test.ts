import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { ask, expectFailure, next, untyped } from '../support/next.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, verifyApiKey } = addon
const { withApiKey } = next

useAddon()

const create = () =>
  createApiKey({
    name: 'Search',
    clientId: 'acme',
    limits: [{ name: 'tokens', limit: 100, windowSeconds: 86_400 }],
  })
async function left(key: string): Promise<number> {
  const { limits } = await verifyApiKey(key, { peek: true, cost: 0 })
  return limits![0]!.remaining
}
const ok = (): Response => new Response('ok')

describe('a cost that a function says', () => {
  test('is what the request is charged', async () => {
    const { key } = await create()
    const route = withApiKey(ok, {
      cost: (request) => Number(request.headers.get('x-tokens')),
    })
    const routeLater = withApiKey(ok, {
      cost: async (request) => ({ tokens: (await request.clone().text()).length, others: 3 }),
    })
    const headers = { 'x-api-key': key }
    // Cold, then warm.
    expect((await ask(route, { ...headers, 'x-tokens': '10' })).status).toBe(200)
    expect((await ask(route, { ...headers, 'x-tokens': '20' })).status).toBe(200)
    expect(await left(key)).toBe(70)
    const request = new Request('http://localhost/', { method: 'POST', headers, body: 'seven-n' })
    expect((await routeLater(request)).status).toBe(200)
    expect(await left(key)).toBe(63)
    expectFailure(await ask(route, { ...headers, 'x-tokens': '64' }), 429, 'RATE_LIMITED')
  })

  test('that is wrong is a mistake of the server', async () => {
    const { key } = await create()
    for (const wrong of [NaN, -1, 1.5, '5', { tokens: -1 }, [5], undefined, null]) {
      const route = withApiKey(ok, { cost: () => wrong as number })
      const answer = await ask(route, { 'x-api-key': key })
      expectFailure(answer, 500, 'INTERNAL')
    }
    const route = withApiKey(ok, {
      cost: () => {
        throw new Error('broken')
      },
    })
    expectFailure(await ask(route, { 'x-api-key': key }), 500, 'INTERNAL', 'Internal server error')
    expect(await left(key)).toBe(100)
  })
})

describe('the handler', () => {
  test('settles what the request has really cost', async () => {
    const { key } = await create()
    const settled: boolean[] = []
    const route = withApiKey(
      async (_request, { apiKey }) => {
        settled.push(await apiKey.settle({ tokens: 15, others: 1 }), await apiKey.settle(1))
        return ok()
      },
      { cost: { tokens: 40 } },
    )
    for (let asked = 0; asked < 2; asked += 1) await ask(route, { 'x-api-key': key })
    expect(settled).toEqual([true, false, true, false])
    expect(await left(key)).toBe(70)
  })

  test('makes a mistake of the server where it settles at no cost', async () => {
    const { key } = await create()
    const route = withApiKey(async (_request, { apiKey }) => {
      await apiKey.settle({ tokens: 1.5 })
      return ok()
    })
    expectFailure(await ask(route, { 'x-api-key': key }), 500, 'INTERNAL')
  })

  test('has nothing to settle for a key without limits', async () => {
    const { key } = await createApiKey({ name: 'Free', clientId: 'acme' })
    const route = withApiKey(async (_request, { apiKey }) =>
      Response.json({ charge: apiKey.charge, settled: await apiKey.settle(5) }),
    )
    const { body } = await ask(route, { 'x-api-key': key })
    expect(body).toEqual({ charge: null, settled: false })
  })
})

describe('refundOn', () => {
  const route = (status: number, refundOn: (response: Response) => boolean | Promise<boolean>) =>
    withApiKey(() => new Response(null, { status }), { cost: 10, refundOn })

  test('gives back what was charged, by the response', async () => {
    const { key } = await create()
    const is503 = (response: Response): boolean => response.status === 503
    for (const refundOn of [is503, async (response: Response) => is503(response)]) {
      expect((await ask(route(503, refundOn), { 'x-api-key': key })).status).toBe(503)
      const before = await left(key)
      await ask(route(500, refundOn), { 'x-api-key': key })
      expect([before, await left(key)]).toEqual([before, before - 10])
    }
    expect(await left(key)).toBe(80)
  })

  test('does not give back what was settled', async () => {
    const { key } = await create()
    const settling = withApiKey(
      async (_request, { apiKey }) => {
        await apiKey.settle(5)
        return new Response(null, { status: 503 })
      },
      { cost: 10, refundOn: () => true },
    )
    await ask(settling, { 'x-api-key': key })
    expect(await left(key)).toBe(95)
  })

  test('is asked about what the handler throws, but for the signals of Next.js', async () => {
    const { key } = await create()
    const asked: number[] = []
    const throwing = (error: object) =>
      withApiKey(
        () => {
          throw error
        },
        {
          cost: 10,
          refundOn: ({ status }) => {
            asked.push(status)
            return status >= 500
          },
        },
      )
    const headers = { 'x-api-key': key }
    await expect(ask(throwing(new Error('broken')), headers)).rejects.toThrow('broken')
    const status = (status: number) => Object.assign(new Error('refused'), { status })
    await expect(ask(throwing(status(502)), headers)).rejects.toThrow('refused')
    await expect(ask(throwing(status(404)), headers)).rejects.toThrow('refused')
    const redirect = Object.assign(new Error('redirect'), {
      digest: 'NEXT_REDIRECT;replace;/;307;',
    })
    await expect(ask(throwing(redirect), headers)).rejects.toThrow('redirect')
    expect(asked).toEqual([500, 502, 404])
    expect(await left(key)).toBe(80)
  })

  test('is checked when the guard is made', () => {
    for (const wrong of [true, null, 'yes', {}])
      expect(() => untyped.withApiKey!(ok, { refundOn: wrong })).toThrow(
        "withApiKey: 'refundOn' has a wrong value",
      )
  })
})
