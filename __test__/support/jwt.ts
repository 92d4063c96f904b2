import { createHmac } from 'node:crypto'

export type Claims = Record<string, unknown>

/** A JWT by hand, so that a test can make those that no library would. */
export function jwt(header: Claims, claims: Claims, secret: string, digest = 'sha256'): string {
  const signed = `${encode(header)}.${encode(claims)}`
  return `${signed}.${createHmac(digest, secret).update(signed).digest('base64url')}`
}

export const encode = (value: unknown): string =>
  Buffer.from(JSON.stringify(value)).toString('base64url')

export const claimsOf = (token: string): Claims =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Claims
