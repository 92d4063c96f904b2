import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { derived, jwks, jwtSecret, plantedKey, signed } from '../derived-tokens/support.js'
import { addon } from '../support/addon.js'
import { claimsOf } from '../support/jwt.js'
import { next } from '../support/next.js'
import { useSetting } from '../support/setting.js'

// Attacks that still succeed. Each test says what should hold; `fails` is taken away with its mend.

const wide = Array.from({ length: 500 }, (_, i) => `a:*:${i}:x:*`)
const setting = useSetting({
  jwtSecret,
  kinds: {
    secret: { prefix: 'sk' },
    publishable: { prefix: 'pk', allowedScopes: ['public:*'] },
    wide: { prefix: 'wk', allowedScopes: wide },
  },
})

const issued = (fields: object = {}) =>
  addon.createApiKey({ name: 'Key', clientId: 'acme', scopes: ['docs:read'], ...fields })
const stranger = generateKeyPairSync('ed25519').privateKey
const seconds = (): number => Math.floor(Date.now() / 1000)

describe('who knows the private part of a token key', () => {
  const stolen = async (): Promise<string> => {
    const token = await derived((await issued()).key)
    const { kid, key } = await plantedKey(setting.sql)
    const exp = seconds() + 10 * 365 * 86_400
    return signed({ alg: 'EdDSA', kid }, { ...claimsOf(token), exp }, key)
  }

  test.fails('makes no token that lives longer than any of ours', async () => {
    expect((await addon.verifyApiKey(await stolen())).code).toBe('INVALID_KEY')
  })

  test.fails(
    'has no token accepted once the key was deleted and the row was read again',
    async () => {
      const token = await stolen()
      const { kid } = JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString())
      expect((await addon.verifyApiKey(token)).code).toBe('VALID')
      await setting.sql(`DELETE FROM sophra_api_keys.token_keys WHERE kid = $1`, [kid])
      // The process has read the keys since, so it knows.
      await addon.rotateTokenKey()
      await setting.sql(`UPDATE "ApiKey" SET "name" = 'New' WHERE "id" = $1`, [claimsOf(token).sub])
      await setting.caughtUp()
      expect((await addon.verifyApiKey(token)).code).toBe('INVALID_KEY')
    },
  )
})

test.fails('a token of a key that nobody knows holds up no other token, and no JWKS', async () => {
  const [key] = await setting.coldKeys(1)
  const made = await setting.peer.run(
    async ({ api }, key) => [await api.deriveToken(key), await api.deriveToken(key)],
    key!.key,
  )
  const [first, second] = made.map((answer) => ('token' in answer ? answer.token : ''))
  const forged = (): string =>
    signed({ alg: 'EdDSA', kid: randomUUID() }, claimsOf(first!), stranger)
  // Both have been read a moment ago, so that the next forgery waits for its turn.
  await addon.verifyApiKey(first!)
  await addon.verifyApiKey(forged())
  const order: string[] = []
  const forgery = addon.verifyApiKey(forged()).then(() => order.push('forgery'))
  const others = [
    addon.verifyApiKey(second!).then(({ code }) => order.push(code)),
    jwks().then(() => order.push('keys')),
  ]
  await Promise.all([forgery, ...others])
  expect(order.at(-1)).toBe('forgery')
})

test.fails('a key within all bounds does not stop the event loop when it is verified', async () => {
  const roles = Array.from({ length: 3 }, (_, i) => `role-${i}`)
  for (const name of roles)
    await addon.setRole({
      name,
      scopes: Array.from({ length: 1_000 }, (_, i) => `a:${name}:*:x:${i}`),
    })
  const { key } = await issued({ kind: 'wide', scopes: [], roles })
  await addon.verifyApiKey(key)
  const before = performance.eventLoopUtilization()
  const start = performance.now()
  await addon.verifyApiKey(key)
  const { active } = performance.eventLoopUtilization(before)
  // It takes seconds, so the machine does not matter.
  expect(Math.max(active, performance.now() - start)).toBeLessThan(250)
})

describe('a token that is derived from a verification', () => {
  test.fails('has no scope beyond it, and the kind of the key, whatever the row says', async () => {
    const { id, key } = await issued({ kind: 'publishable', scopes: ['public:x'] })
    await setting.sql(
      `UPDATE "ApiKey" SET "start" = replace("start", 'pk_', 'sk_'), "scopes" = '{public:x,admin}' WHERE "id" = $1`,
      [id],
    )
    await setting.caughtUp()
    const verified = await addon.verifyApiKey(key)
    expect(verified).toMatchObject({ kind: 'publishable', scopes: ['public:x'] })
    const token = await derived(verified as never)
    expect(await addon.verifyApiKey(token)).toMatchObject({
      kind: 'publishable',
      scopes: ['public:x'],
    })
  })

  test.fails('is none once the key that was verified has been replaced', async () => {
    const { id, key } = await issued()
    const verified = await addon.verifyApiKey(key)
    await addon.updateApiKey({ id, regenerateKey: true } as never)
    expect((await addon.verifyApiKey(key)).code).toBe('INVALID_KEY')
    expect(await addon.deriveToken(verified as never)).toMatchObject({ code: 'INVALID_KEY' })
  })
})

test.fails('nobody makes an admin token that lives longer than their own', async () => {
  const permissions = ['admin-tokens:write']
  const own = await addon.createAdminToken({ name: 'short', permissions, expiresInSeconds: 60 })
  const { POST } = next.adminTokenRoutes()
  const response = await POST(
    new Request('http://localhost/api/admin-tokens', {
      method: 'POST',
      headers: { 'x-admin-token': own.token },
      body: JSON.stringify({ name: 'long', permissions, expiresInSeconds: 315_360_000 }),
    }),
  )
  const body = (await response.json()) as { expiresAt?: string }
  const end = body.expiresAt === undefined ? 0 : Date.parse(body.expiresAt)
  expect(end).toBeLessThanOrEqual(own.expiresAt!.getTime())
})
