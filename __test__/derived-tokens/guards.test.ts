import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { ask, next } from '../support/next.js'
import { useAddon } from '../support/use-addon.js'
import { derived, jwtSecret } from './support.js'

useAddon({ jwtSecret })

const { withApiKey } = next

test('a guard takes a token in place of its key, in both headers, warm and cold', async () => {
  const { key } = await addon.createApiKey({ name: 'Key', clientId: 'acme', scopes: ['docs:*'] })
  const guarded = withApiKey((_request, { apiKey }) => Response.json(apiKey.claims), {
    scopes: ['docs:read'],
  })
  const token = await derived(key, { scopes: ['docs:read'] })
  for (let i = 0; i < 3; i++) {
    expect(await ask(guarded, { 'x-api-key': token })).toMatchObject({
      status: 200,
      body: { client_id: 'acme', scope: 'docs:read' },
    })
    expect((await ask(guarded, { authorization: `Bearer ${token}` })).status).toBe(200)
    expect((await ask(guarded, { authorization: `Bearer ${token}x` })).status).toBe(401)
  }
  const other = await derived(key, { scopes: ['docs:write'] })
  expect(await ask(guarded, { 'x-api-key': other })).toMatchObject({
    status: 403,
    body: { missingScopes: ['docs:read'] },
  })
})

test('what a guard has verified can be derived from, and a token cannot', async () => {
  const { id, key } = await addon.createApiKey({ name: 'Key', clientId: 'acme' })
  const exchange = withApiKey(async (_request, { apiKey }) =>
    Response.json(await addon.deriveToken(apiKey)),
  )
  for (let i = 0; i < 3; i++) {
    const { status, body } = await ask(exchange, { 'x-api-key': key })
    expect(status).toBe(200)
    expect((await addon.verifyApiKey(body.token)).valid).toBe(true)
    expect(await addon.verifyApiKey(body.token)).toMatchObject({ keyId: id })
    expect(await ask(exchange, { 'x-api-key': body.token })).toMatchObject({
      status: 400,
      body: { code: 'INVALID_INPUT' },
    })
  }
})

test('the audience of a guard is that of its tokens, and does not concern keys', async () => {
  const { key } = await addon.createApiKey({ name: 'Key', clientId: 'acme' })
  const handler = (): Response => Response.json({})
  const [fixed, byCost, none] = [
    withApiKey(handler, { audience: 'billing', tag: 'pay' }),
    withApiKey(handler, { audience: 'billing', cost: () => 1 }),
    withApiKey(handler),
  ]
  const [billing, other, plain] = [
    await derived(key, { audience: 'billing' }),
    await derived(key, { audience: 'other' }),
    await derived(key),
  ]
  const statusOf = async (guard: typeof fixed, token: string): Promise<number> =>
    (await ask(guard!, { 'x-api-key': token })).status
  for (let i = 0; i < 3; i++) {
    for (const guard of [fixed, byCost]) {
      expect(await statusOf(guard, billing)).toBe(200)
      expect(await statusOf(guard, key)).toBe(200)
      for (const token of [other, plain]) expect(await statusOf(guard, token)).toBe(401)
    }
    expect(await statusOf(none, billing)).toBe(401)
    expect(await statusOf(none, plain)).toBe(200)
  }
  for (const audience of ['', 'a\nb', 'x'.repeat(256), 7, null, undefined, ['a']])
    expect(() => withApiKey(handler, { audience } as never)).toThrow(TypeError)
})
