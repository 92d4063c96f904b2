import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { faultOf } from '../support/faults.js'
import { claimsOf, encode, jwt, type Claims } from '../support/jwt.js'
import { useAddon } from '../support/use-addon.js'

const { createAdminToken, listAdminTokens, revokeAdminToken, verifyAdminToken } = addon
type Issued = Awaited<ReturnType<typeof createAdminToken>>

const secret = 'the JWT secret of this test, of 32 bytes or more'
const database = useAddon({ jwtSecret: secret })

const invalid = {
  valid: false,
  code: 'INVALID_TOKEN',
  status: 401,
  message: 'Invalid admin token',
}
const hs256 = { alg: 'HS256', typ: 'JWT' }
const seconds = (): number => Math.floor(Date.now() / 1_000)
const year = 365 * 86_400

describe('an issued token', () => {
  test('is a JWT with the documented claims', async () => {
    const before = seconds()
    const { id, token } = await createAdminToken({ name: 'Ops' })
    const [header] = token.split('.')
    expect(JSON.parse(Buffer.from(header!, 'base64url').toString())).toMatchObject({ alg: 'HS256' })
    const claims = claimsOf(token)
    expect(claims).toMatchObject({ type: 'admin', name: 'Ops', sub: id })
    expect(claims.iat).toBeGreaterThanOrEqual(before)
    expect(claims.iat).toBeLessThanOrEqual(seconds())
    expect(claims.exp).toBe((claims.iat as number) + year)
    expect(jwt(JSON.parse(Buffer.from(header!, 'base64url').toString()), claims, secret)).toBe(
      token,
    )
  })

  test('comes with its row', async () => {
    const permissions = ['keys:read', 'keys:write']
    const expiresInSeconds = 600
    const { token, ...row } = await createAdminToken({
      name: 'Deploy',
      description: 'CI',
      permissions,
      expiresInSeconds,
    })
    expect(row).toEqual({
      id: expect.any(String),
      name: 'Deploy',
      description: 'CI',
      isActive: true,
      permissions,
      expiresAt: new Date((claimsOf(token).exp as number) * 1_000),
      createdAt: expect.any(Date),
      updatedAt: row.createdAt,
      lastUsedAt: null,
      status: 'active',
      rotatedAt: null,
      previousTokenExpiresAt: null,
    })
    const listed = (await listAdminTokens()).find(({ id }) => id === row.id)
    expect(listed).toEqual(row)
  })

  test('verifies', async () => {
    const { id, token } = await createAdminToken({ name: 'Ops', permissions: ['keys:read'] })
    const accepted = {
      valid: true,
      code: 'VALID',
      tokenId: id,
      name: 'Ops',
      permissions: ['keys:read'],
    }
    expect(await verifyAdminToken(token)).toEqual(accepted)
    expect(await verifyAdminToken(token, { permission: 'keys:read' })).toEqual(accepted)
  })

  test.each<[string[] | null, string, boolean]>([
    [['keys:read'], 'keys:read', true],
    [['keys:read'], 'keys:write', false],
    [['keys:read'], 'keys', false],
    [['keys:*'], 'keys:read', false],
    [['*'], 'anything at all', true],
    [[], 'keys:read', false],
    [null, 'keys:read', false],
  ])('with the permissions %j asked for %s: %s', async (permissions, permission, granted) => {
    const { token } = await createAdminToken({ name: 'Ops', permissions })
    const answer = await verifyAdminToken(token, { permission })
    if (granted) return expect(answer.valid).toBe(true)
    expect(answer).toEqual({
      valid: false,
      code: 'INSUFFICIENT_PERMISSION',
      status: 403,
      message: 'Insufficient permissions for this endpoint',
    })
  })

  test('has the permissions of its row, never those it claims', async () => {
    const { id, token } = await createAdminToken({ name: 'Ops', permissions: ['keys:read'] })
    await database.sql(`UPDATE "AdminToken" SET "permissions" = '{metrics:read}' WHERE "id" = $1`, [
      id,
    ])
    expect(await verifyAdminToken(token)).toMatchObject({ permissions: ['metrics:read'] })
    expect(await verifyAdminToken(token, { permission: 'keys:read' })).toMatchObject({
      code: 'INSUFFICIENT_PERMISSION',
    })
  })

  test('is refused once its row is revoked, and stays listed', async () => {
    const { id, token } = await createAdminToken({ name: 'Leaver', permissions: ['*'] })
    expect((await verifyAdminToken(token)).valid).toBe(true)
    expect(await revokeAdminToken(id)).toBeUndefined()
    expect(await verifyAdminToken(token)).toEqual(invalid)
    const listed = (await listAdminTokens()).find((row) => row.id === id)
    expect(listed).toMatchObject({ name: 'Leaver', isActive: false })
  })

  test('is stored as a digest only', async () => {
    const { id, token } = await createAdminToken({ name: 'Digest' })
    const [row] = await database.sql(`SELECT t::text AS row FROM "AdminToken" t WHERE "id" = $1`, [
      id,
    ])
    expect(row!.row).not.toContain(token)
    expect(row!.row).not.toContain(token.split('.')[2])
    for (const listed of await listAdminTokens()) expect(listed).not.toHaveProperty('token')
  })
})

test('revoking what there is not rejects', async () => {
  expect(await faultOf(() => revokeAdminToken('no-such-id'))).toMatchObject({
    code: 'NOT_FOUND',
    status: 404,
  })
})

describe('a forged token', () => {
  let real: Issued
  let claims: Claims
  beforeAll(async () => {
    real = await createAdminToken({ name: 'Real', permissions: ['*'], expiresInSeconds: 3_600 })
    claims = claimsOf(real.token)
  })

  /** Gives the row of the real token to another one, stored as ours are: only itself can fail it. */
  async function planted(token: string): Promise<string> {
    await database.sql(
      `UPDATE "AdminToken" SET "lookup" = 'sha256:' || encode(sha256($2::bytea), 'hex') WHERE "id" = $1`,
      [real.id, Buffer.from(token)],
    )
    return token
  }

  const signed = (change: Claims, key = secret): string => jwt(hs256, { ...claims, ...change }, key)
  const without = (claim: string): string => {
    const { [claim]: _, ...rest } = claims
    return jwt(hs256, rest, secret)
  }
  const unsigned = (header: Claims, signature = ''): string =>
    `${encode(header)}.${encode(claims)}.${signature}`
  const parts = (): [string, string, string] => real.token.split('.') as [string, string, string]

  test('with a row is accepted when nothing else is wrong with it', async () => {
    // Else the refusals below would prove nothing.
    expect(await verifyAdminToken(await planted(signed({ jti: randomUUID() })))).toMatchObject({
      valid: true,
      tokenId: real.id,
    })
  })

  const forgeries: [string, () => string | Promise<string>][] = [
    ['alg none', () => planted(unsigned({ alg: 'none', typ: 'JWT' }))],
    ['alg None', () => planted(unsigned({ alg: 'None', typ: 'JWT' }))],
    ['alg none, signed', () => planted(jwt({ alg: 'none' }, claims, secret))],
    ['no alg', () => planted(jwt({ typ: 'JWT' }, claims, secret))],
    ['HS384', () => planted(jwt({ alg: 'HS384' }, claims, secret, 'sha384'))],
    ['HS512', () => planted(jwt({ alg: 'HS512' }, claims, secret, 'sha512'))],
    ['RS256 with an HMAC', () => planted(jwt({ alg: 'RS256' }, claims, secret))],
    ['ES256 with an HMAC', () => planted(jwt({ alg: 'ES256' }, claims, secret))],
    ['HS256 with an HMAC of SHA-512', () => planted(jwt(hs256, claims, secret, 'sha512'))],
    ['a wrong secret', () => planted(signed({}, 'another secret that is long enough too'))],
    ['an empty secret', () => planted(signed({}, ''))],
    ['expired', () => planted(signed({ exp: seconds() - 1 }))],
    ['expiring now', () => planted(signed({ exp: seconds() }))],
    ['expired in milliseconds', () => planted(signed({ exp: 1 }))],
    ['no exp', () => planted(without('exp'))],
    ['no iat', () => planted(without('iat'))],
    ['no name', () => planted(without('name'))],
    ['no type', () => planted(without('type'))],
    ['the type of a user', () => planted(signed({ type: 'user' }))],
    ['the type in capitals', () => planted(signed({ type: 'ADMIN' }))],
    ['the type in a list', () => planted(signed({ type: ['admin'] }))],
    ['an exp that is text', () => planted(signed({ exp: String(seconds() + 60) }))],
    ['an exp that is null', () => planted(signed({ exp: null }))],
    ['a name that is a number', () => planted(signed({ name: 7 }))],
    ['claims that are a list', () => planted(jwt(hs256, [] as unknown as Claims, secret))],
    ['no row', () => signed({ sub: randomUUID() })],
    ['no row, the id of a real one', () => signed({ name: 'Other' })],
    ['truncated', () => planted(real.token.slice(0, -1))],
    ['half of it', () => planted(real.token.slice(0, real.token.length / 2))],
    ['the claims alone', () => planted(parts()[1])],
    ['no signature', () => planted(`${parts()[0]}.${parts()[1]}`)],
    ['an empty signature', () => planted(`${parts()[0]}.${parts()[1]}.`)],
    ['a dot behind it', () => planted(`${real.token}.`)],
    ['a part behind it', () => planted(`${real.token}.e30`)],
    ['a space behind it', () => planted(`${real.token} `)],
    ['a space before it', () => planted(` ${real.token}`)],
    ['a line end behind it', () => planted(`${real.token}\n`)],
    ['padding', () => planted(`${real.token}=`)],
    ['Bearer before it', () => planted(`Bearer ${real.token}`)],
    ['swapped claims', () => planted(swapped({ name: 'Someone else' }))],
    ['a changed signature', () => planted(flipped(real.token))],
  ]

  function swapped(change: Claims): string {
    const [header, , signature] = parts()
    return `${header}.${encode({ ...claims, ...change })}.${signature}`
  }

  /** With another first character of the signature; the last one carries bits that do not count. */
  function flipped(token: string): string {
    const at = token.lastIndexOf('.') + 1
    return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
  }

  test.each(forgeries)('%s is refused like any other', async (_what, forge) => {
    const token = await forge()
    for (const context of [undefined, { permission: 'keys:read' }]) {
      expect(await verifyAdminToken(token, context)).toEqual(invalid)
    }
  })

  test('whose row says that it has expired is refused', async () => {
    const { id, token } = await createAdminToken({ name: 'Short' })
    await database.sql(
      `UPDATE "AdminToken" SET "expiresAt" = now() AT TIME ZONE 'UTC' - interval '1 second'
       WHERE "id" = $1`,
      [id],
    )
    expect(await verifyAdminToken(token)).toEqual(invalid)
  })

  test('that is something stored is refused', async () => {
    const rows = await database.sql(`SELECT * FROM "AdminToken" LIMIT 5`)
    for (const value of rows.flatMap((row) => Object.values(row))) {
      if (typeof value === 'string') expect(await verifyAdminToken(value)).toEqual(invalid)
    }
  })

  test('that is an API key is refused, and the other way round', async () => {
    const { key } = await addon.createApiKey({ name: 'Key', clientId: 'c' })
    expect(await verifyAdminToken(key)).toEqual(invalid)
    expect(await addon.verifyApiKey(real.token)).toMatchObject({ code: 'INVALID_KEY' })
  })
})

test('a token expires at the very second of its claim', async () => {
  const { token } = await createAdminToken({ name: 'Brief', expiresInSeconds: 1 })
  const exp = (claimsOf(token).exp as number) * 1_000
  for (;;) {
    const before = Date.now()
    const answer = await verifyAdminToken(token)
    if (!answer.valid) break
    expect(before).toBeLessThan(exp)
  }
  expect(Date.now()).toBeGreaterThanOrEqual(exp)
  expect(await verifyAdminToken(token)).toEqual(invalid)
})
