import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addon, cheapHashing, untyped } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { startPeer, type Peer } from '../support/peer.js'
import type { Options } from '../support/setting.js'
import { derived, headerOf, jwks, jwtSecret, revokedKeys, signed } from './support.js'

const { close, configure, createApiKey, deriveToken, rotateTokenKey, verifyApiKey } = addon

let database: Database
let peers: Peer[]
let id: string
let key: string
beforeEach(async () => {
  database = await freshDatabase()
  peers = []
  await restart()
  ;({ id, key } = await createApiKey({ name: 'Key', clientId: 'c', scopes: ['docs:*'] }))
})
afterEach(async () => {
  await Promise.all(peers.map((peer) => peer.stop()))
  await close()
  await database.drop()
})

/** Starts anew with these options. */
async function restart(options: Options = { jwtSecret }): Promise<void> {
  await close()
  configure({ databaseUrl: database.url, suspensionSeconds: 0, ...cheapHashing, ...options })
}

async function another(options: Options = { jwtSecret }): Promise<Peer> {
  const peer = await startPeer({ databaseUrl: database.url, ...cheapHashing, ...options })
  peers.push(peer)
  return peer
}

const kids = async (): Promise<string[]> => (await jwks()).keys.map(({ kid }) => kid)
const stored = () =>
  database.sql(
    `SELECT kid, public_key, private_key FROM sophra_api_keys.token_keys ORDER BY private_key IS NULL`,
  )

describe('the private part of a token key', () => {
  test('is stored only sealed, under a secret of the environment and for its name', async () => {
    await derived(key)
    const [row, ...others] = await stored()
    expect(others).toEqual([])
    const sealed = row!.private_key as Buffer
    // The mark of what is sealed, the id of the secret, the nonce, 32 bytes and their tag.
    expect(sealed[0]).toBe(1)
    expect(sealed).toHaveLength(1 + 8 + 12 + 32 + 16)
    // Nothing that the database holds signs tokens.
    const all = await database.sql(`SELECT * FROM sophra_api_keys.token_keys`)
    expect(inspect(all)).not.toContain(jwtSecret)
  })

  test('counts only if it was sealed here: what another writer puts in its place is replaced', async () => {
    await derived(key)
    const pair = generateKeyPairSync('ed25519')
    const seed = Buffer.from(pair.privateKey.export({ format: 'jwk' }).d!, 'base64url')
    const [kid] = await kids()
    const plain = Buffer.concat([Buffer.of(0), seed])
    await database.sql(`UPDATE sophra_api_keys.token_keys SET private_key = $1`, [plain])
    await restart()
    expect(headerOf(await derived(key)).kid).not.toBe(kid)
    // The seal of one key opens no other.
    const [, before] = await stored()
    const [row] = await stored()
    await database.sql(`UPDATE sophra_api_keys.token_keys SET kid = $1 WHERE kid = $2`, [
      '00000000-0000-4000-8000-000000000000',
      row!.kid,
    ])
    await restart()
    expect(headerOf(await derived(key)).kid).not.toMatch(/^0{8}/)
    expect(before!.private_key).toBeNull()
  })

  test('that no secret opens is replaced, and its public part stays until its tokens end', async () => {
    const old = await derived(key)
    await restart({ jwtSecret: 'another secret of this test, long enough' })
    const [kid] = await kids()
    expect(await kids()).toEqual([headerOf(old).kid])
    expect((await verifyApiKey(old)).code).toBe('VALID')
    const events = [] as { type: string }[]
    const stop = addon.onEvent((event) => void events.push(event))
    const renewed = await derived(key)
    await eventually(() =>
      expect(events).toContainEqual(
        expect.objectContaining({
          type: 'token_key.rotated',
          kid: headerOf(renewed).kid,
          reason: 'unreadable',
        }),
      ),
    )
    stop()
    expect((await kids()).sort()).toEqual([kid, headerOf(renewed).kid].sort())
    expect((await verifyApiKey(old)).code).toBe('VALID')
    expect((await verifyApiKey(renewed)).code).toBe('VALID')
    // Their tokens end.
    await database.sql(
      `UPDATE sophra_api_keys.derived_tokens SET ends_at = now() - interval '1 hour' WHERE kid = $1`,
      [kid],
    )
    await eventually(async () => expect(await kids()).toEqual([headerOf(renewed).kid]))
  })

  test('is opened by every secret that is configured, so that secrets can be changed', async () => {
    const [first, second] = [randomBytes(32), randomBytes(32)].map((it) => it.toString('base64'))
    await addon.deleteApiKey(id)
    await restart({ signingKeys: [first!], jwtSecret })
    const own = await createApiKey({ name: 'Key', clientId: 'c' })
    const { kid } = headerOf(await derived(own.key))
    await restart({ signingKeys: [second!, first!], jwtSecret })
    expect(headerOf(await derived(own.key)).kid).toBe(kid)
  })
})

test('without a secret nothing is derived or rotated, and nothing else suffers', async () => {
  const token = await derived(key)
  await restart({})
  for (const call of [() => deriveToken(key), () => rotateTokenKey(), () => deriveToken('junk')])
    await expect(call()).rejects.toMatchObject({ code: 'CONFIGURATION', status: 500 })
  const verified = await verifyApiKey(key)
  await expect(untyped.deriveToken!(verified)).rejects.toMatchObject({ code: 'CONFIGURATION' })
  expect((await verifyApiKey(token)).code).toBe('VALID')
  expect(await kids()).toHaveLength(1)
  expect(await revokedKeys()).toEqual([])
})

describe('a rotation', () => {
  test('has a new key sign at once, in all processes, and keeps the tokens of the old one', async () => {
    const peer = await another()
    const derive = (): Promise<string> =>
      peer.run(
        async ({ api }, key) => ((await api.deriveToken(key)) as { token: string }).token,
        key,
      )
    const [old, oldThere] = [await derived(key), await derive()]
    expect(headerOf(oldThere).kid).toBe(headerOf(old).kid)
    const { kid, ...others } = await rotateTokenKey({ actor: 'ops' })
    expect(others).toEqual({})
    expect(headerOf(await derived(key)).kid).toBe(kid)
    const renewedThere = await derive()
    expect(headerOf(renewedThere).kid).toBe(kid)
    for (const token of [old, oldThere, renewedThere])
      expect((await verifyApiKey(token)).code).toBe('VALID')
    expect((await kids()).sort()).toEqual([kid, headerOf(old).kid].sort())
    const [, retired] = await stored()
    expect(retired).toMatchObject({ kid: headerOf(old).kid, private_key: null })
    await addon.flush()
    const { events } = await addon.listAuditEvents({ type: 'token_key.rotated' })
    expect(events).toMatchObject([
      { kid, reason: 'rotated', actor: 'ops' },
      { kid: headerOf(old).kid, reason: 'first' },
    ])
  })

  test('whose tokens have ended leaves nothing behind', async () => {
    await derived(key, { ttlSeconds: 1 })
    const { kid } = await rotateTokenKey()
    await eventually(async () => expect(await kids()).toEqual([kid]), 15_000)
    await rotateTokenKey()
    expect(await stored()).toHaveLength(1)
    await database.sql(
      `UPDATE sophra_api_keys.derived_tokens SET ends_at = now() - interval '1 hour'`,
    )
    await derived(key)
    expect(await database.sql(`SELECT * FROM sophra_api_keys.derived_tokens`)).toHaveLength(1)
  })

  test('by many at once leaves one key that signs', async () => {
    const peer = await another()
    const there = peer.run(async ({ api }, key) => {
      const all = Array.from({ length: 10 }, () => [api.rotateTokenKey(), api.deriveToken(key)])
      return Promise.all(all.flat())
    }, key)
    await Promise.all([...Array.from({ length: 10 }, () => rotateTokenKey()), there, derived(key)])
    const [signer, ...others] = await stored()
    expect(signer!.private_key).not.toBeNull()
    expect(others.every((row) => row.private_key === null)).toBe(true)
    expect(headerOf(await derived(key)).kid).toBe(signer!.kid)
  })

  test('is refused while there are 100 keys whose tokens live', async () => {
    await derived(key)
    await database.sql(
      `WITH more AS (
         INSERT INTO sophra_api_keys.token_keys (kid, public_key)
         SELECT gen_random_uuid()::text, sha256(n::text::bytea) FROM generate_series(1, 99) AS n RETURNING kid
       )
       INSERT INTO sophra_api_keys.derived_tokens SELECT 'some', kid, now() + interval '1 day' FROM more`,
    )
    await expect(rotateTokenKey()).rejects.toMatchObject({ code: 'CONFIGURATION' })
    expect((await verifyApiKey(await derived(key))).code).toBe('VALID')
    await eventually(async () => expect(await kids()).toHaveLength(100))
  })

  test('takes an actor and nothing else', async () => {
    for (const options of [{ actor: '' }, { kid: 'x' }, 7])
      await expect(untyped.rotateTokenKey!(options)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
      })
  })
})

test('a token of another process, whose key this one has not read, is accepted', async () => {
  await derived(key)
  const peer = await another()
  const token = await peer.run(async ({ api }, key) => {
    await api.rotateTokenKey()
    return ((await api.deriveToken(key)) as { token: string }).token
  }, key)
  expect((await verifyApiKey(token)).code).toBe('VALID')
})

test('a revocation by another process reaches tokens within 2 seconds', async () => {
  const peer = await another()
  const own = await createApiKey({ name: 'Key', clientId: 'c' })
  const token = await derived(own.key)
  expect((await verifyApiKey(token)).code).toBe('VALID')
  await peer.run(async ({ api }, id) => void (await api.revokeApiKey({ id })), own.id)
  await eventually(async () => expect((await verifyApiKey(token)).code).toBe('REVOKED'), 2_000)
  expect(await revokedKeys()).toEqual([own.id])
})

test('a token key that was deleted signs for no new token for longer than a minute', async () => {
  const token = await derived(key)
  await restart()
  await database.sql(`DELETE FROM sophra_api_keys.token_keys`)
  expect((await verifyApiKey(token)).code).toBe('INVALID_KEY')
})

test('no secret is in an error, an event or the audit log', async () => {
  const told: unknown[] = []
  const stop = addon.onEvent((event) => void told.push(event))
  const token = await derived(key, { claims: { note: 'a claim that is nobody’s business' } })
  const [head, body] = token.split('.')
  const forged = signed(headerOf(token), { sub: 'x' }, generateKeyPairSync('ed25519').privateKey)
  await verifyApiKey(forged, { path: `/files/${forged}` })
  await verifyApiKey(token, { audience: 'other', path: `/files/${token}` })
  for (const wrong of [{ claims: { sub: token } }, { scopes: [token] }, { [token]: 1 }])
    told.push(await untyped.deriveToken!(key, wrong).catch((error: unknown) => error))
  told.push(await deriveToken(token as never).catch((error: unknown) => error))
  await rotateTokenKey()
  await addon.flush()
  told.push(await addon.listAuditEvents({}))
  stop()
  const text = inspect(told, { depth: 20, maxStringLength: null, maxArrayLength: null })
  for (const secret of [token, `${head}.${body}`, forged, key, jwtSecret, 'business'])
    expect(text).not.toContain(secret)
})

test('derived tokens are counted', async () => {
  const count = (): number =>
    Number(/^sophra_api_key_derived_tokens_total (\d+)$/m.exec(addon.metrics())![1])
  const before = count()
  await derived(key)
  await derived(key)
  await expect(deriveToken(key, { ttlSeconds: 0 })).rejects.toThrow()
  expect(count()).toBe(before + 2)
})
