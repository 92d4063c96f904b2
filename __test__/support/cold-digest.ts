import { createHash, createHmac, hkdfSync } from 'node:crypto'
import type { Database } from './database.js'

// Cold digests as the documentation describes them, made a second time.

const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** The pepper that is derived from a signing key in base64. */
export const pepperOfSigningKey = (signingKey: string): Buffer =>
  hmac(Buffer.from(signingKey, 'base64'), 'sophra-api-keys cold digest v1')

/** The pepper that is derived from `JWT_SECRET`. */
export const pepperOfSecret = (secret: string | Buffer): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, '', 'sophra-api-keys cold digest pepper v1', 32))

/** The digest of a key beside its hash. */
export const coldDigest = (pepper: Buffer, key: string, hash: string): Buffer =>
  Buffer.concat([
    hmac(pepper, 'sophra-api-keys cold digest pepper id v1').subarray(0, 8),
    createHash('sha256').update(hash).digest().subarray(0, 8),
    hmac(pepper, `${key}\n${hash}`),
  ])

/** What a row holds of its current and its previous key. */
export interface Stored {
  key: string
  coldDigest: Buffer | null
  previousKey: string | null
  previousColdDigest: Buffer | null
}

export async function storedOf(sql: Database['sql'], id: string): Promise<Stored> {
  const [row] = await sql(
    `SELECT "key", "coldDigest", "previousKey", "previousColdDigest" FROM "ApiKey" WHERE "id" = $1`,
    [id],
  )
  return row as unknown as Stored
}
