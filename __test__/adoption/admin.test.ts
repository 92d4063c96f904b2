import { createHmac } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { runScript } from '../support/child.js'
import { faultOf } from '../support/faults.js'
import { claimsOf, encode, jwt } from '../support/jwt.js'
import { dump, formsOf, occurring } from '../support/leaks.js'
import { promptly } from '../support/promptly.js'
import { useSetting } from '../support/setting.js'
import {
  changesLogged,
  digestOf,
  inSeconds,
  insertOldToken,
  storedRows,
  type OldToken,
} from '../support/old-rows.js'

const { createAdminToken, flush, listAdminTokens, migrate, revokeAdminToken } = addon
const { verifyAdminToken, verifyApiKey } = addon

const secret = 'the JWT secret of this test, of 32 bytes or more'
const setting = useSetting({ jwtSecret: secret })
const invalid = {
  valid: false,
  code: 'INVALID_TOKEN',
  status: 401,
  message: 'Invalid admin token',
}

const isRefused = (token: string): Promise<number> =>
  promptly('the token is refused', async () => !(await verifyAdminToken(token)).valid)

describe('a token of an old instance', () => {
  test('verifies by its signature, and nothing but its use is written', async () => {
    const { id, token } = await insertOldToken(setting.sql, secret, { name: 'Somebody' })
    const before = await storedRows(setting.sql, 'AdminToken')
    expect(await verifyAdminToken(token)).toEqual({
      valid: true,
      code: 'VALID',
      tokenId: id,
      name: 'Somebody',
      permissions: [],
    })
    expect(await verifyAdminToken(token, { permission: 'keys:read' })).toMatchObject({
      code: 'INSUFFICIENT_PERMISSION',
      status: 403,
    })
    await flush()
    expect(await storedRows(setting.sql, 'AdminToken')).toEqual(before)
    const listed = (await listAdminTokens()).find((row) => row.id === id)
    expect(listed!.lastUsedAt).toBeInstanceOf(Date)
  })

  test.each<[string, string[]]>([
    ['prod-api-1', ['*']],
    ['staging-monitoring-22', ['metrics:read', 'monitoring']],
    ['dev-deployment-3', ['deployment']],
    ['test-backup-4', ['backup']],
    ['prod-maintenance-5', ['maintenance']],
    ['prod-api-1x', []],
    ['my-prod-api-1', []],
    ['prod-admin-1', []],
    ['PROD-api-1', []],
    ['prod-api-1\n', []],
  ])('named %j permits %j', async (name, permissions) => {
    const { id, token } = await insertOldToken(setting.sql, secret, { name })
    expect(await verifyAdminToken(token)).toMatchObject({ valid: true, tokenId: id, permissions })
    const listed = (await listAdminTokens()).find((row) => row.id === id)
    expect(listed!.permissions).toEqual(permissions)
    await setting.sql(`DELETE FROM "AdminToken" WHERE "id" = $1`, [id])
  })

  test('has the permissions of the name in the database, not of the one that it claims', async () => {
    const claimed = await insertOldToken(setting.sql, secret, { name: 'prod-api-77' })
    await setting.sql(`UPDATE "AdminToken" SET "name" = 'Somebody' WHERE "id" = $1`, [claimed.id])
    expect(claimsOf(claimed.token).name).toBe('prod-api-77')
    expect(await verifyAdminToken(claimed.token)).toMatchObject({ permissions: [] })
    await setting.sql(`UPDATE "AdminToken" SET "permissions" = '{keys:read}' WHERE "id" = $1`, [
      claimed.id,
    ])
    await promptly('the permission is known', async () => {
      const answer = await verifyAdminToken(claimed.token, { permission: 'keys:read' })
      return answer.valid
    })
  })

  test('may have a sub of any kind', async () => {
    for (const sub of ['user-7', 7]) {
      const { id, token } = await insertOldToken(setting.sql, secret, { sub })
      expect(await verifyAdminToken(token)).toMatchObject({ valid: true, tokenId: id })
    }
  })

  test('is refused once its row is off, gone, or holds another token', async () => {
    const changes = [
      `UPDATE "AdminToken" SET "isActive" = false WHERE "id" = $1`,
      `DELETE FROM "AdminToken" WHERE "id" = $1`,
      `UPDATE "AdminToken" SET "token" = "id" WHERE "id" = $1`,
    ]
    for (const change of changes) {
      const { id, token } = await insertOldToken(setting.sql, secret)
      expect((await verifyAdminToken(token)).valid).toBe(true)
      await setting.sql(change, [id])
      await isRefused(token)
      expect(await verifyAdminToken(token)).toEqual(invalid)
    }
  })

  const header = { alg: 'HS256', typ: 'JWT' }
  const claims = { type: 'admin', name: 'Forged', iat: inSeconds(0), exp: inSeconds(600) }
  const signedText = (text: string): string =>
    `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
  const raw = (headerText: string, claimsText: string): string =>
    signedText(
      [headerText, claimsText].map((text) => Buffer.from(text).toString('base64url')).join('.'),
    )

  test.each<[string, string]>([
    ['signed with another secret', jwt(header, claims, 'another secret that is long enough too')],
    ['not signed at all', `${encode({ alg: 'none' })}.${encode(claims)}.`],
    ['signed with HS512', jwt({ alg: 'HS512' }, claims, secret, 'sha512')],
    ['said to be RS256', jwt({ alg: 'RS256' }, claims, secret)],
    [
      'with an extension that is critical',
      jwt({ ...header, crit: ['b64'], b64: true }, claims, secret),
    ],
    ['with an unknown critical extension', jwt({ ...header, crit: ['x'], x: 1 }, claims, secret)],
    ['with an empty crit', jwt({ ...header, crit: [] }, claims, secret)],
    [
      'with a payload that is not encoded',
      signedText(`${encode({ ...header, b64: false, crit: ['b64'] })}.{}`),
    ],
    ['with b64 alone', jwt({ ...header, b64: false }, claims, secret)],
    ['with an alg twice', raw('{"alg":"none","alg":"HS256"}', JSON.stringify(claims))],
    [
      'with an exp twice',
      raw(JSON.stringify(header), JSON.stringify(claims).replace('}', ',"exp":9999999999}')),
    ],
    [
      'with a type twice',
      raw(JSON.stringify(header), JSON.stringify(claims).replace('{', '{"type":"user",')),
    ],
    ['with text behind the claims', raw(JSON.stringify(header), `${JSON.stringify(claims)} x`)],
    ['with a key in its header', jwt({ ...header, jwk: { kty: 'oct', k: 'YQ' } }, claims, 'a')],
    [
      'with the place of a key in its header',
      jwt({ ...header, jku: 'http://127.0.0.1/', kid: '../../dev/null' }, claims, ''),
    ],
    ['not yet valid', jwt(header, { ...claims, nbf: inSeconds(600) }, secret)],
    ['with an nbf that is text', jwt(header, { ...claims, nbf: '1' }, secret)],
    ['expired', jwt(header, { ...claims, exp: inSeconds(-1) }, secret)],
    [
      'expired a millisecond ago',
      jwt(header, { ...claims, exp: Date.now() / 1_000 - 0.001 }, secret),
    ],
    [
      'with an exp beyond all numbers',
      raw(JSON.stringify(header), '{"type":"admin","name":"x","iat":1,"exp":1e999}'),
    ],
    ['without exp', jwt(header, { ...claims, exp: undefined }, secret)],
    ['without type', jwt(header, { ...claims, type: undefined }, secret)],
    ['without iat', jwt(header, { ...claims, iat: undefined }, secret)],
    ['without name', jwt(header, { ...claims, name: undefined }, secret)],
    ['of a user', jwt(header, { ...claims, type: 'user' }, secret)],
    ['of 10 KB', jwt(header, { ...claims, pad: 'x'.repeat(10_000) }, secret)],
    ['of no form at all', 'a token that never was one'],
    ['that is empty in all parts', '..'],
    ['with a space before it', ` ${jwt(header, claims, secret)}`],
    ['with a line end behind it', `${jwt(header, claims, secret)}\n`],
  ])('%s is refused like any other', async (_what, token) => {
    const { id } = await insertOldToken(setting.sql, secret, { name: 'prod-api-9', token })
    for (const context of [undefined, { permission: 'keys:read' }]) {
      expect(await verifyAdminToken(token, context)).toEqual(invalid)
    }
    await setting.sql(`DELETE FROM "AdminToken" WHERE "id" = $1`, [id])
  })

  test('is accepted until the very millisecond of its exp', async () => {
    const exp = Date.now() + 500
    const { token } = await insertOldToken(setting.sql, secret, { exp: exp / 1_000 })
    for (;;) {
      const before = Date.now()
      const { valid } = await verifyAdminToken(token)
      if (!valid) break
      expect(before).toBeLessThan(exp)
    }
    expect(Date.now()).toBeGreaterThanOrEqual(exp)
  })
})

describe('a token that was verified', () => {
  test('is answered from memory', async () => {
    const { token } = await insertOldToken(setting.sql, secret)
    const issued = await createAdminToken({ name: 'Ours', permissions: ['keys:read'] })
    await setting.caughtUp()
    for (const text of [token, issued.token]) await verifyAdminToken(text)
    // The creation is in the audit log. What stores the use goes on beside it.
    await flush()
    const statements = async (): Promise<string[]> => {
      const { statements } = await setting.cost(async () => {
        for (let time = 0; time < 50; time++) {
          for (const text of [token, issued.token]) {
            expect((await verifyAdminToken(text)).valid).toBe(true)
          }
        }
      })
      return statements.filter((text) => !text.includes('"lastUsedAt" = greatest'))
    }
    expect(await statements()).toEqual([])
  })

  test('is refused at once when it is revoked here, and soon when elsewhere', async () => {
    const [here, elsewhere] = await Promise.all(
      ['Here', 'Elsewhere'].map((name) => createAdminToken({ name })),
    )
    for (const { token } of [here!, elsewhere!]) {
      expect((await verifyAdminToken(token)).valid).toBe(true)
    }
    await revokeAdminToken(here!.id)
    expect(await verifyAdminToken(here!.token)).toEqual(invalid)
    await setting.peer.run(({ api }, id) => api.revokeAdminToken(id), elsewhere!.id)
    await isRefused(elsewhere!.token)
  })

  test('is refused after a TRUNCATE', async () => {
    const kept = await setting.sql(`SELECT * FROM "AdminToken"`)
    expect(kept.length).toBeGreaterThan(0)
    const { token } = await createAdminToken({ name: 'Truncated' })
    expect((await verifyAdminToken(token)).valid).toBe(true)
    await setting.sql(`TRUNCATE "AdminToken"`)
    await isRefused(token)
  })
})

describe('adoption', () => {
  let tokens: Record<string, OldToken>
  beforeAll(async () => {
    tokens = {
      all: await insertOldToken(setting.sql, secret, { name: 'prod-api-1' }),
      some: await insertOldToken(setting.sql, secret, { name: 'dev-monitoring-1' }),
      none: await insertOldToken(setting.sql, secret, { name: 'Somebody' }),
      given: await insertOldToken(setting.sql, secret, { name: 'prod-api-2' }),
      forged: await insertOldToken(setting.sql, 'another secret that is long enough too', {
        name: 'prod-api-3',
      }),
      broken: await insertOldToken(setting.sql, secret, { name: 'Odd', token: 'never a token' }),
    }
    await setting.sql(`UPDATE "AdminToken" SET "permissions" = '{keys:read}' WHERE "id" = $1`, [
      tokens.given!.id,
    ])
    await setting.caughtUp()
  })

  test('replaces every token by its digest, stores what it permits, and names each *', async () => {
    const verified = Object.values(tokens).slice(0, 4)
    const before = []
    for (const { token } of verified) before.push(await verifyAdminToken(token))
    const changes = await changesLogged(setting.sql)
    const env = { DATABASE_URL: setting.database.url, JWT_SECRET: secret }
    const child = await runScript(`report(await api.migrate({ adopt: true }))`, { env })

    const star = [
      { id: tokens.all!.id, name: 'prod-api-1' },
      { id: tokens.forged!.id, name: 'prod-api-3' },
    ].sort((a, b) => (a.id < b.id ? -1 : 1))
    expect(child.reports).toEqual([{ applied: [], adopted: 6, remaining: 0, allPermissions: star }])
    const lines = child.stderr.trim().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { name: string }).name).sort()).toEqual([
      'prod-api-1',
      'prod-api-3',
    ])

    const stored = await dump(setting.sql)
    const texts = Object.values(tokens).map(({ token }) => token)
    expect(occurring(texts.flatMap(formsOf), stored)).toEqual([])
    expect(occurring(texts.map(digestOf), stored)).toHaveLength(texts.length)
    // The permissions that were derived until then are a change; those that stood there already are none.
    expect(await changesLogged(setting.sql)).toBe(changes + 5)
    // Like before: from the cache here, by the digest in the other process.
    for (const [index, { token }] of verified.entries()) {
      expect(before[index]!.valid).toBe(true)
      expect(await verifyAdminToken(token)).toEqual(before[index])
      const there = await setting.peer.run(({ api }, token) => api.verifyAdminToken(token), token)
      expect(there).toEqual(before[index])
    }
    for (const { token } of [tokens.forged!, tokens.broken!]) {
      expect(await verifyAdminToken(token)).toEqual(invalid)
    }
  })

  test('with fewer permissions than the name gives takes them away in every process', async () => {
    const { id, token } = await insertOldToken(setting.sql, secret, { name: 'prod-api-31' })
    const context = { permission: 'keys:write' }
    const there = (): Promise<boolean> =>
      setting.peer.run(
        async ({ api }, token, context) => (await api.verifyAdminToken(token, context)).valid,
        token,
        context,
      )
    expect([(await verifyAdminToken(token, context)).valid, await there()]).toEqual([true, true])
    await setting.sql(
      `UPDATE "AdminToken" SET "token" = $2, "lookup" = $2, "permissions" = '{keys:read}' WHERE "id" = $1`,
      [id, digestOf(token)],
    )
    await promptly('the permission is gone', async () => {
      const { code } = await verifyAdminToken(token, context)
      return code === 'INSUFFICIENT_PERMISSION'
    })
    await promptly('the permission is gone there', async () => !(await there()))
    expect(await verifyAdminToken(token)).toMatchObject({ valid: true, permissions: ['keys:read'] })
    await setting.sql(`DELETE FROM "AdminToken" WHERE "id" = $1`, [id])
  })

  test('does not give permissions to a row that is renamed afterwards', async () => {
    const { id, token } = tokens.none!
    await setting.sql(`UPDATE "AdminToken" SET "name" = 'prod-api-5' WHERE "id" = $1`, [id])
    await promptly('the name is known', async () => {
      const answer = await verifyAdminToken(token)
      return answer.valid && answer.name === 'prod-api-5'
    })
    expect(await verifyAdminToken(token)).toMatchObject({ permissions: [] })
  })

  test('lets no stored value pass as a token or key', async () => {
    const rows = await setting.sql(`SELECT to_jsonb(t) AS row FROM "AdminToken" AS t`)
    const texts = rows
      .flatMap(({ row }) => Object.values(row as object))
      .filter((value): value is string => typeof value === 'string')
    for (const text of texts) {
      expect(await verifyAdminToken(text)).toEqual(invalid)
      expect((await verifyApiKey(text)).valid).toBe(false)
    }
  })
})

test('beyond the bound nothing in memory is believed: a fault, not a refusal', async () => {
  const { token } = await createAdminToken({ name: 'Cut off' })
  await addon.close()
  addon.configure({ ...setting.options, stalenessSeconds: 2 })
  expect((await verifyAdminToken(token)).valid).toBe(true)
  setting.tap.cut()
  expect((await verifyAdminToken(token)).valid).toBe(true)
  await promptly('memory is no longer believed', async () => {
    try {
      return !(await verifyAdminToken(token))
    } catch (fault) {
      return (fault as { code: string }).code === 'DATABASE_UNAVAILABLE'
    }
  })
  expect(await faultOf(() => verifyAdminToken(token))).toMatchObject({ status: 503 })
  setting.tap.mend()
  await promptly('the database is asked again', () =>
    verifyAdminToken(token).then(
      ({ valid }) => valid,
      () => false,
    ),
  )
})
