import { generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto'
import { createHmac } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { claimsOf, encode, type Claims } from '../support/jwt.js'
import { useSetting } from '../support/setting.js'
import {
  createTokenVerifier,
  derived,
  headerOf,
  jwks,
  jwtSecret,
  plantedKey,
  signed,
  type Jwk,
} from './support.js'

const setting = useSetting({ jwtSecret })

let token: string
let header: Claims
let claims: Claims
let planted: { kid: string; key: KeyObject }
let keys: Jwk[]
let edge: ReturnType<typeof createTokenVerifier>
beforeAll(async () => {
  const { key } = await addon.createApiKey({ name: 'Key', clientId: 'c', scopes: ['docs:*'] })
  planted = await plantedKey(setting.sql)
  token = await derived(key)
  ;[header, claims] = [headerOf(token), claimsOf(token)]
  ;({ keys } = await jwks())
  edge = createTokenVerifier({ jwks: { keys } })
})

const stranger = generateKeyPairSync('ed25519').privateKey
const seconds = (): number => Math.floor(Date.now() / 1000)
const parts = (): [string, string, string] => token.split('.') as [string, string, string]
const ours = (): Jwk => keys.find(({ kid }) => kid === header.kid)!
/** Signed by a key of ours that the test knows, with a header and claims as no token of ours has them. */
const byOurs = (change: Claims, others: Claims = {}): string =>
  signed({ alg: 'EdDSA', kid: planted.kid, ...others }, { ...claims, ...change }, planted.key)
const without = (name: string): string => {
  const { [name]: _, ...rest } = claims
  return signed({ alg: 'EdDSA', kid: planted.kid }, rest, planted.key)
}
const hmac = (alg: string, secret: string | Buffer): string => {
  const message = `${encode({ ...header, alg })}.${parts()[1]}`
  return `${message}.${createHmac('sha256', secret).update(message).digest('base64url')}`
}
const raw = (head: string, body: string, key: KeyObject): string => {
  const message = `${Buffer.from(head).toString('base64url')}.${Buffer.from(body).toString('base64url')}`
  return `${message}.${sign(null, Buffer.from(message), key).toString('base64url')}`
}
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

test('what the test signs with a key of ours is accepted when nothing is wrong with it', async () => {
  // Else the refusals below would prove nothing.
  const good = byOurs({ jti: randomUUID() })
  expect((await addon.verifyApiKey(good)).code).toBe('VALID')
  expect((await edge.verify(good)).code).toBe('VALID')
})

const forgeries: [string, () => string][] = [
  ['alg none', () => `${encode({ ...header, alg: 'none' })}.${parts()[1]}.`],
  [
    'alg none with the signature',
    () => `${encode({ ...header, alg: 'none' })}.${parts()[1]}.${parts()[2]}`,
  ],
  ['alg None', () => byOurs({}, { alg: 'None' })],
  ['no alg', () => signed({ kid: planted.kid }, claims, planted.key)],
  ['alg Ed25519', () => byOurs({}, { alg: 'Ed25519' })],
  ['alg in lower case', () => byOurs({}, { alg: 'eddsa' })],
  ['HS256 under the public key', () => hmac('HS256', Buffer.from(ours().x, 'base64url'))],
  ['HS256 under the text of the public key', () => hmac('HS256', ours().x)],
  ['HS256 under JWT_SECRET', () => hmac('HS256', jwtSecret)],
  ['EdDSA with an HMAC', () => hmac('EdDSA', jwtSecret)],
  ['ES256', () => signed({ alg: 'ES256', kid: planted.kid }, claims, ec)],
  ['the signature of a stranger', () => signed(header, claims, stranger)],
  [
    'a stranger under the name of a key of ours',
    () => signed({ alg: 'EdDSA', kid: planted.kid }, claims, stranger),
  ],
  ['an unknown key', () => signed({ alg: 'EdDSA', kid: randomUUID() }, claims, planted.key)],
  [
    'the name of the other key',
    () => signed({ alg: 'EdDSA', kid: header.kid }, claims, planted.key),
  ],
  ['no kid', () => signed({ alg: 'EdDSA' }, claims, planted.key)],
  ['a kid that is a list', () => byOurs({}, { kid: [planted.kid] })],
  ['a kid that is a path', () => byOurs({}, { kid: '../../dev/null' })],
  ['a kid that is SQL', () => byOurs({}, { kid: "' OR 1=1 --" })],
  [
    'a key of its own in the header',
    () => byOurs({}, { jwk: generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }) }),
  ],
  ['a URL of keys in the header', () => byOurs({}, { jku: 'https://example.com/jwks.json' })],
  ['a critical extension', () => byOurs({}, { crit: ['exp'] })],
  ['b64 false', () => byOurs({}, { b64: false, crit: ['b64'] })],
  ['a type', () => byOurs({}, { typ: 'JWT' })],
  [
    'alg twice',
    () =>
      raw(
        `{"alg":"EdDSA","kid":"${planted.kid}","alg":"none"}`,
        JSON.stringify(claims),
        planted.key,
      ),
  ],
  [
    'blanks in the header',
    () => raw(`{"alg": "EdDSA", "kid": "${planted.kid}"}`, JSON.stringify(claims), planted.key),
  ],
  ['a header that is no JSON', () => raw('alg', JSON.stringify(claims), planted.key)],
  ['a header that is a list', () => signed(['EdDSA'], claims, planted.key)],
  ['no exp', () => without('exp')],
  ['an exp that is text', () => byOurs({ exp: String(seconds() + 60) })],
  ['an exp that is null', () => byOurs({ exp: null })],
  ['no sub', () => without('sub')],
  ['a sub that is a number', () => byOurs({ sub: 7 })],
  ['a sub that is a list', () => byOurs({ sub: [claims.sub] })],
  ['no scope', () => without('scope')],
  ['a scope that is a list', () => byOurs({ scope: ['docs:*'] })],
  ['an audience', () => byOurs({ aud: 'someone' })],
  [
    'claims that are a list',
    () => raw(`{"alg":"EdDSA","kid":"${planted.kid}"}`, '[]', planted.key),
  ],
  [
    'claims that are null',
    () => raw(`{"alg":"EdDSA","kid":"${planted.kid}"}`, 'null', planted.key),
  ],
  [
    'claims that are no JSON',
    () => raw(`{"alg":"EdDSA","kid":"${planted.kid}"}`, 'sub', planted.key),
  ],
  ['swapped claims', () => `${parts()[0]}.${encode({ ...claims, scope: '*' })}.${parts()[2]}`],
  [
    'a changed signature',
    () => token.slice(0, -20) + (token.at(-20) === 'A' ? 'B' : 'A') + token.slice(-19),
  ],
  [
    'a signature in another spelling',
    () => token.slice(0, -1) + String.fromCharCode(token.charCodeAt(token.length - 1) + 1),
  ],
  ['a signature that is all zeros', () => `${parts()[0]}.${parts()[1]}.${'A'.repeat(86)}`],
  ['no signature', () => `${parts()[0]}.${parts()[1]}`],
  ['an empty signature', () => `${parts()[0]}.${parts()[1]}.`],
  ['half of it', () => token.slice(0, token.length / 2)],
  ['truncated', () => token.slice(0, -1)],
  ['the claims alone', () => parts()[1]],
  ['a dot behind it', () => `${token}.`],
  ['a part behind it', () => `${token}.e30`],
  ['a part before it', () => `e30.${token}`],
  ['padding', () => `${token}=`],
  [
    'base64 that is not of URLs',
    () => `${parts()[0]}.${parts()[1]}.${Buffer.from(parts()[2], 'base64url').toString('base64')}`,
  ],
  ['Bearer before it', () => `Bearer ${token}`],
  ['a line end inside', () => `${parts()[0]}\n.${parts()[1]}.${parts()[2]}`],
  ['a NUL inside', () => `${parts()[0]}.${parts()[1]}\0.${parts()[2]}`],
  ['too long', () => byOurs({ more: 'x'.repeat(8_192) })],
]

describe('a forged token', () => {
  test('comes in more than 20 kinds', () => expect(forgeries.length).toBeGreaterThan(20))

  test.each(forgeries)('with %s is refused by both', async (_what, forge) => {
    const text = forge()
    const invalid = { valid: false, code: 'INVALID_KEY', status: 401, message: 'Invalid API key' }
    expect(await addon.verifyApiKey(text)).toEqual(invalid)
    expect(await addon.verifyApiKey(text, { scopes: ['docs:read'], peek: true })).toEqual(invalid)
    expect(await edge.verify(text)).toEqual(invalid)
  })

  test('that has ended is EXPIRED, whether it was seen before or not', async () => {
    for (const exp of [seconds() - 1, seconds(), 1, 0, -1]) {
      const text = byOurs({ exp })
      const expired = { valid: false, code: 'EXPIRED', status: 401, keyId: claims.sub }
      for (let i = 0; i < 2; i++) expect(await addon.verifyApiKey(text)).toMatchObject(expired)
      expect(await edge.verify(text)).toMatchObject(expired)
    }
  })

  test('that lives longer than any of ours is refused at the edge', async () => {
    expect((await edge.verify(byOurs({ exp: seconds() + 86_400 }))).code).toBe('VALID')
    for (const exp of [seconds() + 100_000, Number.MAX_SAFE_INTEGER, 1e300])
      expect((await edge.verify(byOurs({ exp }))).code).toBe('INVALID_KEY')
  })

  test('of a key that there is not is refused', async () => {
    const text = byOurs({ sub: randomUUID() })
    expect((await addon.verifyApiKey(text)).code).toBe('INVALID_KEY')
  })

  test('that is something stored, or another credential, is refused', async () => {
    const { token: admin } = await addon.createAdminToken({ name: 'ops' })
    expect((await addon.verifyApiKey(admin)).code).toBe('INVALID_KEY')
    expect((await edge.verify(admin)).code).toBe('INVALID_KEY')
    expect(await addon.verifyAdminToken(token)).toMatchObject({ code: 'INVALID_TOKEN' })
    expect(await addon.revokePresentedKey(token)).toBe(false)
    const rows = await setting.sql(`SELECT * FROM sophra_api_keys.token_keys`)
    for (const value of rows.flatMap((row) => Object.values(row)))
      if (typeof value === 'string')
        expect((await addon.verifyApiKey(value)).code).toBe('INVALID_KEY')
  })
})

test('a token by which one of another process is known costs no statement once it is warm', async () => {
  const [issued] = await setting.coldKeys(1, { scopes: ['docs:*'], rateLimit: 1_000_000 })
  const given = await setting.peer.run(async ({ api }, key) => api.deriveToken(key), issued!.key)
  const text = (given as { token: string }).token
  expect((await addon.verifyApiKey(text, { scopes: ['docs:read'] })).code).toBe('VALID')
  const cost = await setting.cost(async () => {
    for (let i = 0; i < 20_000; i++) {
      const answer = await addon.verifyApiKey(text, { scopes: ['docs:read'] })
      if (!answer.valid) throw new Error(answer.code)
    }
  })
  expect(cost).toEqual({ selects: 0, hashes: 0, statements: [] })
})

test('what has not the form of a token, or is signed by nobody of ours, costs no statement', async () => {
  await addon.verifyApiKey(token)
  const texts = [
    ...['a changed signature', 'no kid', 'a kid that is SQL', 'alg None', 'too long'],
    ...['the signature of a stranger', 'a dot behind it', 'HS256 under JWT_SECRET'],
  ].map((name) => forgeries.find(([what]) => what === name)![1]())
  const cost = await setting.cost(async () => {
    for (let i = 0; i < 300; i++) {
      // Each is new to the process.
      const text = texts[i % texts.length]!
      const at = (i * 7) % 200
      for (const junk of [text, text.slice(0, 90 + at) + 'AB' + text.slice(92 + at)])
        expect((await addon.verifyApiKey(junk)).code).toBe('INVALID_KEY')
    }
  })
  expect(cost).toEqual({ selects: 0, hashes: 0, statements: [] })
})

test('tokens of keys that nobody knows cost at most a statement a second, and a known name none', async () => {
  const names = Array.from({ length: 40 }, () => randomUUID())
  const start = performance.now()
  const cost = await setting.cost(async () => {
    const forged = names.flatMap((kid) =>
      Array.from({ length: 5 }, (_, i) =>
        signed({ alg: 'EdDSA', kid }, { ...claims, i }, stranger),
      ),
    )
    const answers = await Promise.all(forged.map((text) => addon.verifyApiKey(text)))
    for (const { code } of answers) expect(code).toBe('INVALID_KEY')
  })
  const seconds = (performance.now() - start) / 1000
  expect(cost.selects).toBe(0)
  expect(cost.statements.length).toBeLessThanOrEqual(Math.ceil(seconds) + 1)
  const again = await setting.cost(async () => {
    const text = signed({ alg: 'EdDSA', kid: names[0] }, { ...claims, again: 1 }, stranger)
    expect((await addon.verifyApiKey(text)).code).toBe('INVALID_KEY')
  })
  expect(again.statements).toEqual([])
})
