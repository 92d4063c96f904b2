import {
  createPrivateKey,
  generateKeyPairSync,
  randomUUID,
  sign,
  type KeyObject,
} from 'node:crypto'
import { createRequire } from 'node:module'
import { addon } from '../support/addon.js'
import type { Database } from '../support/database.js'
import { encode, type Claims } from '../support/jwt.js'

type Edge = typeof import('../../lib/edge.js')
type Next = typeof import('../../next.js')

const load = createRequire(import.meta.url)
export const { createTokenVerifier } = load('../../lib/edge.js') as Edge
export const { jwksRoutes, revokedKeysRoutes } = load('../../next.js') as Next

export const jwtSecret = 'a secret of this test, of 32 bytes or more'

export interface Jwk {
  kty: string
  crv: string
  x: string
  kid: string
  alg: string
  use: string
}

const REQUEST = new Request('http://localhost/')

/** What the route of the public keys serves. */
export async function jwks(): Promise<{ keys: Jwk[] }> {
  const response = await jwksRoutes().GET(REQUEST)
  return (await response.json()) as { keys: Jwk[] }
}

/** What the route of the revoked keys serves. */
export async function revokedKeys(): Promise<string[]> {
  const response = await revokedKeysRoutes().GET(REQUEST)
  return ((await response.json()) as { revoked: string[] }).revoked
}

/** A derived token, which was not refused. */
export async function derived(...given: Parameters<typeof addon.deriveToken>): Promise<string> {
  const answer = await addon.deriveToken(...given)
  if ('token' in answer) return answer.token
  throw new Error(answer.code)
}

export const headerOf = (token: string): Claims =>
  JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as Claims

/** A key of which the test has the private part, as if one of ours had been rotated a moment ago. */
export async function plantedKey(sql: Database['sql']): Promise<{ kid: string; key: KeyObject }> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const kid = randomUUID()
  const x = Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url')
  await sql(`INSERT INTO sophra_api_keys.token_keys (kid, public_key) VALUES ($1, $2)`, [kid, x])
  await sql(
    `INSERT INTO sophra_api_keys.derived_tokens VALUES ($1, $2, now() + interval '1 day')`,
    [randomUUID(), kid],
  )
  return { kid, key: privateKey }
}

/** A token by hand, so that a test can make those that nobody else would. */
export function signed(header: unknown, claims: unknown, key: KeyObject | string): string {
  const message = `${encode(header)}.${encode(claims)}`
  const signer = typeof key === 'string' ? createPrivateKey(key) : key
  return `${message}.${sign(null, Buffer.from(message), signer).toString('base64url')}`
}
