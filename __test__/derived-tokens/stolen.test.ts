import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { claimsOf } from '../support/jwt.js'
import { useSetting } from '../support/setting.js'
import { derived, jwks, jwtSecret, plantedKey, signed } from './support.js'

// What is held against those who know the private part of a token key, or make up the names of keys.

const setting = useSetting({ jwtSecret })

const seconds = (): number => Math.floor(Date.now() / 1000)
const issued = (): Promise<{ key: string }> =>
  addon.createApiKey({ name: 'Key', clientId: 'acme', scopes: ['docs:read'] })

describe('who knows the private part of a token key', () => {
  const stolen = async (lifeSeconds: number): Promise<{ token: string; kid: string }> => {
    const token = await derived((await issued()).key)
    const { kid, key } = await plantedKey(setting.sql)
    const claims = { ...claimsOf(token), exp: seconds() + lifeSeconds }
    return { token: signed({ alg: 'EdDSA', kid }, claims, key), kid }
  }

  test('makes no token that lives longer than any of ours', async () => {
    const { token } = await stolen(10 * 365 * 86_400)
    expect((await addon.verifyApiKey(token)).code).toBe('INVALID_KEY')
  })

  test('has no token accepted once the key was deleted and the row was read again', async () => {
    const { token, kid } = await stolen(3_600)
    expect((await addon.verifyApiKey(token)).code).toBe('VALID')
    await setting.sql(`DELETE FROM sophra_api_keys.token_keys WHERE kid = $1`, [kid])
    // The process has read the keys since, so it knows.
    await addon.rotateTokenKey()
    await setting.sql(`UPDATE "ApiKey" SET "name" = 'New' WHERE "id" = $1`, [claimsOf(token).sub])
    await setting.caughtUp()
    expect((await addon.verifyApiKey(token)).code).toBe('INVALID_KEY')
  })
})

test('a token of a key that nobody knows holds up no other token, and no JWKS', async () => {
  const [key] = await setting.coldKeys(1)
  const made = await setting.peer.run(
    async ({ api }, key) => [await api.deriveToken(key), await api.deriveToken(key)],
    key!.key,
  )
  const [first, second] = made.map((answer) => ('token' in answer ? answer.token : ''))
  const stranger = generateKeyPairSync('ed25519').privateKey
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
