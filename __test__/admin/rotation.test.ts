import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { alien } from '../support/bad-values.js'
import { eventually } from '../support/eventually.js'
import { faultOf, invalidFields } from '../support/faults.js'
import { claimsOf, jwt } from '../support/jwt.js'
import { digestOf, inSeconds, insertOldToken } from '../support/old-rows.js'
import { promptly } from '../support/promptly.js'
import { useSetting } from '../support/setting.js'

const { createAdminToken, flush, listAdminTokens, listAuditEvents, migrate, onEvent } = addon
const { revokeAdminToken, rotateAdminToken, verifyAdminToken } = addon

const secret = 'the JWT secret of this test, of 32 bytes or more'
const setting = useSetting({ jwtSecret: secret, adopt: 'verify' })

const day = 86_400
const hs256 = { alg: 'HS256', typ: 'JWT' }
const invalid = {
  valid: false,
  code: 'INVALID_TOKEN',
  status: 401,
  message: 'Invalid admin token',
}

const isValid = async (token: string): Promise<boolean> => (await verifyAdminToken(token)).valid
const isValidThere = (token: string): Promise<boolean> =>
  setting.peer.run(async ({ api }, token) => (await api.verifyAdminToken(token)).valid, token)

/** Whether each of the tokens is valid, here and in the other process. */
async function validity(...tokens: string[]): Promise<boolean[]> {
  const [here, there] = await Promise.all([
    Promise.all(tokens.map(isValid)),
    Promise.all(tokens.map(isValidThere)),
  ])
  expect(there).toEqual(here)
  return here
}

/** Ends the grace period of a token now. */
const endGrace = (id: string): Promise<unknown> =>
  setting.sql(
    `UPDATE "AdminToken" SET "previousTokenExpiresAt" = now() AT TIME ZONE 'UTC' - interval '1 ms' WHERE "id" = $1`,
    [id],
  )

const listed = async (id: string) => (await listAdminTokens()).find((row) => row.id === id)!

describe('a rotated token', () => {
  test('has the row of the old one, and its lifetime begins anew', async () => {
    const { token: old, ...before } = await createAdminToken({
      name: 'Ops',
      description: 'CI',
      permissions: ['keys:read'],
      expiresInSeconds: 30 * day,
    })
    await setting.sql(
      `UPDATE "AdminToken" SET "createdAt" = "createdAt" - interval '20 days',
         "expiresAt" = "expiresAt" - interval '20 days' WHERE "id" = $1`,
      [before.id],
    )
    const { token, ...after } = await rotateAdminToken({ id: before.id })
    const claims = claimsOf(token)
    expect(claims).toMatchObject({ type: 'admin', name: 'Ops', sub: before.id })
    expect(Math.abs((claims.exp as number) - inSeconds(30 * day))).toBeLessThanOrEqual(5)
    expect(after).toEqual({
      ...before,
      createdAt: new Date(before.createdAt.getTime() - 20 * day * 1_000),
      expiresAt: new Date((claims.exp as number) * 1_000),
      updatedAt: after.rotatedAt,
      rotatedAt: expect.any(Date),
      previousTokenExpiresAt: null,
    })
    expect(await listed(before.id)).toEqual(after)
    expect(await verifyAdminToken(token)).toEqual({
      valid: true,
      code: 'VALID',
      tokenId: before.id,
      name: 'Ops',
      permissions: ['keys:read'],
    })
    expect(await verifyAdminToken(old)).toEqual(invalid)
    const [row] = await setting.sql(`SELECT t::text AS row FROM "AdminToken" t WHERE "id" = $1`, [
      before.id,
    ])
    expect(row!.row).not.toContain(token.split('.')[2])
  })

  test('without a grace period is the only one, in every process', async () => {
    const { id, token: old } = await createAdminToken({ name: 'Ops' })
    expect(await validity(old)).toEqual([true])
    const { token } = await rotateAdminToken({ id, gracePeriodSeconds: 0 })
    expect(await isValid(old)).toBe(false)
    await promptly('the old one is refused there', async () => !(await isValidThere(old)))
    expect(await validity(old, token)).toEqual([false, true])
  })

  test('leaves the old one valid for the grace period, and then it is refused in every process', async () => {
    const { id, token: old } = await createAdminToken({ name: 'Ops', permissions: ['*'] })
    expect(await validity(old)).toEqual([true])
    const before = Date.now()
    const { token, previousTokenExpiresAt } = await rotateAdminToken({
      id,
      gracePeriodSeconds: 3_600,
    })
    const grace = previousTokenExpiresAt!.getTime() - 3_600_000
    expect(grace).toBeGreaterThanOrEqual(before)
    expect(grace).toBeLessThanOrEqual(Date.now())
    expect((await listed(id)).previousTokenExpiresAt).toEqual(previousTokenExpiresAt)
    expect(await verifyAdminToken(old)).toEqual(await verifyAdminToken(token))
    expect(await validity(old, token)).toEqual([true, true])
    await endGrace(id)
    await promptly('it is refused here', async () => !(await isValid(old)))
    await promptly('it is refused there', async () => !(await isValidThere(old)))
    expect(await validity(old, token)).toEqual([false, true])
  })

  test('outlives the old one, which ends by itself at the very end of its grace period', async () => {
    const { id, token: old } = await createAdminToken({ name: 'Ops' })
    const { token, previousTokenExpiresAt } = await rotateAdminToken({ id, gracePeriodSeconds: 1 })
    const end = previousTokenExpiresAt!.getTime()
    for (;;) {
      const before = Date.now()
      if (!(await isValid(old))) break
      expect(before).toBeLessThan(end)
    }
    expect(Date.now()).toBeGreaterThanOrEqual(end)
    expect(await validity(old, token)).toEqual([false, true])
  })

  test('made in the other process is known here, and the old one is refused', async () => {
    const { id, token: old } = await createAdminToken({ name: 'Ops' })
    expect(await validity(old)).toEqual([true])
    const token = await setting.peer.run(
      async ({ api }, id) => (await api.rotateAdminToken({ id })).token,
      id,
    )
    expect(await isValid(token)).toBe(true)
    // Promptly gives up long before anything else than the change log could have told it.
    await promptly('the old one is refused here', async () => !(await isValid(old)))
  })

  test('ends the grace period of the one before', async () => {
    const { id, token: first } = await createAdminToken({ name: 'Ops' })
    const { token: second } = await rotateAdminToken({ id, gracePeriodSeconds: 600 })
    const { token: third } = await rotateAdminToken({ id, gracePeriodSeconds: 600 })
    await promptly('the first is refused there', async () => !(await isValidThere(first)))
    expect(await validity(first, second, third)).toEqual([false, true, true])
  })

  test('is refused with the old one once the row is revoked, and both are back if somebody restores it', async () => {
    const { id, token: old } = await createAdminToken({ name: 'Ops' })
    const { token } = await rotateAdminToken({ id, gracePeriodSeconds: 600 })
    expect(await validity(old, token)).toEqual([true, true])
    await revokeAdminToken(id)
    for (const one of [old, token])
      await promptly('it is refused there', async () => !(await isValidThere(one)))
    expect(await validity(old, token)).toEqual([false, false])
    expect(await faultOf(() => rotateAdminToken({ id }))).toMatchObject({
      code: 'CONFLICT',
      status: 409,
      message: 'The admin token is revoked, which is final: create another one',
    })
    await setting.sql(`UPDATE "AdminToken" SET "isActive" = true WHERE "id" = $1`, [id])
    for (const one of [old, token]) {
      await promptly('it is valid here', () => isValid(one))
      await promptly('it is valid there', () => isValidThere(one))
    }
  })

  test('has no more grace than the old one had life', async () => {
    const { id, expiresAt } = await createAdminToken({ name: 'Ops', expiresInSeconds: 600 })
    const rotated = await rotateAdminToken({ id, gracePeriodSeconds: day })
    expect(rotated.previousTokenExpiresAt).toEqual(expiresAt)
  })

  test('may replace one that has expired, which stays refused', async () => {
    const { id } = await createAdminToken({ name: 'Ops', expiresInSeconds: 600 })
    const old = jwt(hs256, { ...claimsOf((await rotateAdminToken({ id })).token) }, secret)
    await setting.sql(
      `UPDATE "AdminToken" SET "expiresAt" = '2020-01-01', "rotatedAt" = '2019-01-01' WHERE "id" = $1`,
      [id],
    )
    await eventually(async () => expect(await isValid(old)).toBe(false))
    expect((await listed(id)).status).toBe('expired')
    const rotated = await rotateAdminToken({ id, gracePeriodSeconds: 600 })
    expect(rotated).toMatchObject({ status: 'active', previousTokenExpiresAt: null })
    expect((claimsOf(rotated.token).exp as number) - inSeconds(0)).toBeGreaterThan(300 * day)
    expect(await validity(rotated.token)).toEqual([true])
  })

  test('of a row without a sensible lifetime gets a lifetime that a token may have', async () => {
    const { id } = await createAdminToken({ name: 'Ops' })
    for (const [expiresAt, seconds] of [
      ['1970-01-01', 1],
      ['9999-12-31', 315_360_000],
      ['infinity', 315_360_000],
    ] as const) {
      await setting.sql(`UPDATE "AdminToken" SET "expiresAt" = $2 WHERE "id" = $1`, [id, expiresAt])
      const { exp, iat } = claimsOf((await rotateAdminToken({ id })).token) as Record<
        string,
        number
      >
      expect(exp! - iat!).toBe(seconds)
    }
  })

  test('of a row with a name of any length is one that verifies', async () => {
    const { id } = await createAdminToken({ name: 'Ops' })
    const name = '👩‍💻'.repeat(20_000)
    await setting.sql(`UPDATE "AdminToken" SET "name" = $2 WHERE "id" = $1`, [id, name])
    const { token } = await rotateAdminToken({ id })
    expect(await verifyAdminToken(token)).toMatchObject({ valid: true, tokenId: id, name })
  })

  test('has its use noted on the row, and so has the old one', async () => {
    const { id, token: old } = await createAdminToken({ name: 'Ops' })
    const { token } = await rotateAdminToken({ id, gracePeriodSeconds: 600 })
    for (const used of [old, token]) {
      await setting.sql(`UPDATE "AdminToken" SET "lastUsedAt" = NULL WHERE "id" = $1`, [id])
      await verifyAdminToken(used)
      await flush()
      expect((await listed(id)).lastUsedAt).toBeInstanceOf(Date)
    }
  })

  test('is told to listeners and the audit log, without anything secret', async () => {
    const told: unknown[] = []
    const stop = onEvent((event) => void (event.type === 'admin.rotated' && told.push(event)))
    const { id, token: old } = await createAdminToken({ name: 'Ops' })
    const { token } = await rotateAdminToken({ id }, { actor: 'ann@example.com' })
    await flush()
    const expected = {
      type: 'admin.rotated',
      severity: 'info',
      at: expect.any(Date),
      tokenId: id,
      name: 'Ops',
      actor: 'ann@example.com',
    }
    await eventually(() => expect(told).toEqual([expected]))
    stop()
    const { events } = await listAuditEvents({ type: 'admin.rotated' })
    expect(events[0]).toMatchObject({ tokenId: id, name: 'Ops', actor: 'ann@example.com' })
    for (const secretText of [old, token])
      expect(JSON.stringify([told, events])).not.toContain(secretText.split('.')[2])
  })
})

describe('rotations at once', () => {
  test('of one token leave exactly the last two tokens valid, wherever they were made', async () => {
    const { id, token: first } = await createAdminToken({ name: 'Ops', permissions: ['a'] })
    const rotate = async (): Promise<string> =>
      (await rotateAdminToken({ id, gracePeriodSeconds: 600 })).token
    const rotateThere = (): Promise<string> =>
      setting.peer.run(
        async ({ api }, id) => (await api.rotateAdminToken({ id, gracePeriodSeconds: 600 })).token,
        id,
      )
    const made = await Promise.all([rotate(), rotateThere(), rotate(), rotateThere(), rotate()])
    const tokens = [first, ...made]
    expect(new Set(tokens).size).toBe(tokens.length)
    const [row] = await setting.sql(
      `SELECT "lookup", "previousLookup", "permissions" FROM "AdminToken" WHERE "id" = $1`,
      [id],
    )
    expect(row!.permissions).toEqual(['a'])
    const current = tokens.filter((token) => digestOf(token) === row!.lookup)
    const previous = tokens.filter((token) => digestOf(token) === row!.previousLookup)
    expect([current.length, previous.length]).toEqual([1, 1])
    const valid = tokens.filter((token) => [...current, ...previous].includes(token))
    await eventually(async () => {
      for (const token of tokens) expect(await isValid(token)).toBe(valid.includes(token))
      for (const token of tokens) expect(await isValidThere(token)).toBe(valid.includes(token))
    })
  })

  test('and a revocation leave no token valid', async () => {
    const { id, token } = await createAdminToken({ name: 'Ops' })
    const rotations = [1, 2, 3].map(() =>
      rotateAdminToken({ id, gracePeriodSeconds: 600 }).catch((fault: { code: string }) => fault),
    )
    const [outcomes] = await Promise.all([Promise.all(rotations), revokeAdminToken(id)])
    for (const outcome of outcomes) if ('code' in outcome) expect(outcome.code).toBe('CONFLICT')
    const issued = outcomes.flatMap((outcome) => ('token' in outcome ? [outcome.token] : []))
    for (const one of [token, ...issued])
      await promptly('it is refused there', async () => !(await isValidThere(one)))
    expect(await validity(token, ...issued)).toEqual([token, ...issued].map(() => false))
  })
})

describe('a token of an old instance', () => {
  test.each<[string, string, object, string[]]>([
    ['stored in plaintext', 'Somebody', {}, []],
    ['whose name implies permissions', 'prod-api-1', {}, ['*']],
    [
      'with a sub of its own',
      'staging-monitoring-1',
      { sub: 'user-7' },
      ['metrics:read', 'monitoring'],
    ],
  ])('%s is rotated, and keeps its grace period', async (_what, name, claims, permissions) => {
    const { id, token: old } = await insertOldToken(setting.sql, secret, { name, ...claims })
    expect(await validity(old)).toEqual([true])
    expect((await listed(id)).expiresAt).toBeNull()
    const rotated = await rotateAdminToken({ id, gracePeriodSeconds: 600 })
    expect(rotated).toMatchObject({ name, permissions, expiresAt: expect.any(Date) })
    const { exp, iat } = claimsOf(rotated.token) as Record<string, number>
    expect(exp! - iat!).toBe(365 * day)
    expect(await verifyAdminToken(old)).toMatchObject({ valid: true, tokenId: id, permissions })
    expect(await validity(old, rotated.token)).toEqual([true, true])
    const [row] = await setting.sql(`SELECT t::text AS row FROM "AdminToken" t WHERE "id" = $1`, [
      id,
    ])
    expect(row!.row).not.toContain(old)
    await endGrace(id)
    await promptly('it is refused here', async () => !(await isValid(old)))
    await promptly('it is refused there', async () => !(await isValidThere(old)))
  })

  test('that was adopted before is rotated all the same', async () => {
    const { id, token: old } = await insertOldToken(setting.sql, secret, { sub: 7 })
    await migrate({ adopt: true })
    const { token } = await rotateAdminToken({ id, gracePeriodSeconds: 600 })
    expect(await validity(old, token)).toEqual([true, true])
    const again = await rotateAdminToken({ id })
    for (const one of [old, token])
      await promptly('it is refused there', async () => !(await isValidThere(one)))
    expect(await validity(old, token, again.token)).toEqual([false, false, true])
  })

  test('is refused after its own expiry, however long the grace period is', async () => {
    const { id, token: old } = await insertOldToken(setting.sql, secret, { exp: inSeconds(2) })
    await rotateAdminToken({ id, gracePeriodSeconds: day })
    await promptly('it is refused', async () => !(await isValid(old)))
  })
})

test('a plaintext that is written over a rotated token leaves no token of before valid', async () => {
  const { id, token: old } = await createAdminToken({ name: 'Ops' })
  const { token } = await rotateAdminToken({ id, gracePeriodSeconds: 600 })
  expect(await validity(old, token)).toEqual([true, true])
  const claims = { type: 'admin', name: 'Ops', iat: inSeconds(0), exp: inSeconds(600) }
  const written = jwt(hs256, claims, secret)
  await setting.sql(`UPDATE "AdminToken" SET "token" = $2 WHERE "id" = $1`, [id, written])
  for (const one of [old, token]) {
    await promptly('it is refused here', async () => !(await isValid(one)))
    await promptly('it is refused there', async () => !(await isValidThere(one)))
  }
  expect(await validity(written)).toEqual([true])
  const [row] = await setting.sql(
    `SELECT "lookup", "previousLookup", "previousTokenExpiresAt", "previousExpiresAt", "expiresAt"
     FROM "AdminToken" WHERE "id" = $1`,
    [id],
  )
  expect(Object.values(row!)).toEqual([null, null, null, null, null])
})

describe('a forged token', () => {
  const forgeries: [
    string,
    (claims: Record<string, unknown>, old: string, token: string) => string,
  ][] = [
    ['of another secret', (claims) => jwt(hs256, claims, 'another secret that is long enough too')],
    ['of alg none', (claims) => jwt({ alg: 'none' }, claims, secret)],
    ['of HS512', (claims) => jwt({ alg: 'HS512' }, claims, secret, 'sha512')],
    ['of another row', (claims) => jwt(hs256, { ...claims, sub: 'x' }, secret)],
    ['that has expired', (claims) => jwt(hs256, { ...claims, exp: inSeconds(-1) }, secret)],
    ['of another type', (claims) => jwt(hs256, { ...claims, type: 'user' }, secret)],
    [
      'with the signature of the new one',
      (_, old, token) => `${old.slice(0, old.lastIndexOf('.'))}.${token.split('.')[2]}`,
    ],
    ['with a part behind it', (_, old) => `${old}.e30`],
    ['without its end', (_, old) => old.slice(0, -1)],
  ]

  test.each(forgeries)('%s is refused in the place of a replaced one', async (_what, forge) => {
    const { id, token: old } = await createAdminToken({ name: 'Ops', expiresInSeconds: 600 })
    const { token } = await rotateAdminToken({ id, gracePeriodSeconds: 600 })
    const claims = claimsOf(old)
    const plant = (planted: string): Promise<unknown> =>
      setting.sql(`UPDATE "AdminToken" SET "previousLookup" = $2 WHERE "id" = $1`, [
        id,
        digestOf(planted),
      ])
    const good = jwt(hs256, { ...claims, jti: id }, secret)
    await plant(good)
    // Else the refusal below would prove nothing.
    expect(await isValid(good)).toBe(true)
    const forged = forge(claims, old, token)
    await plant(forged)
    expect(await verifyAdminToken(forged)).toEqual(invalid)
    expect(await isValid(token)).toBe(true)
  })

  test('of which no end of grace is stored is refused', async () => {
    const { id, token: old } = await createAdminToken({ name: 'Ops' })
    await rotateAdminToken({ id, gracePeriodSeconds: 600 })
    await setting.sql(`UPDATE "AdminToken" SET "previousTokenExpiresAt" = NULL WHERE "id" = $1`, [
      id,
    ])
    expect(await verifyAdminToken(old)).toEqual(invalid)
  })
})

describe('a rotation', () => {
  test('of what there is not rejects', async () => {
    expect(await faultOf(() => rotateAdminToken({ id: 'no-such-id' }))).toMatchObject({
      code: 'NOT_FOUND',
      status: 404,
      message: 'Admin token not found',
    })
  })

  test.each<[unknown, string]>([
    [undefined, ''],
    [null, ''],
    ['id', ''],
    [{}, 'id'],
    [{ id: '' }, 'id'],
    [{ id: 'x'.repeat(256) }, 'id'],
    [{ id: 7 }, 'id'],
    [{ id: 'a\0' }, 'id'],
    [{ id: 'x', gracePeriodSeconds: -1 }, 'gracePeriodSeconds'],
    [{ id: 'x', gracePeriodSeconds: 1.5 }, 'gracePeriodSeconds'],
    [{ id: 'x', gracePeriodSeconds: 31_536_001 }, 'gracePeriodSeconds'],
    [{ id: 'x', gracePeriodSeconds: '60' }, 'gracePeriodSeconds'],
    [{ id: 'x', expiresInSeconds: 60 }, 'expiresInSeconds'],
    [{ id: 'x', permissions: ['*'] }, 'permissions'],
  ])('of %j is refused', async (input, path) => {
    const fault = await faultOf(() => rotateAdminToken(input as never))
    expect(fault).toMatchObject({ code: 'INVALID_INPUT' })
    expect(fault.issues!.map((issue: { path: string }) => issue.path)).toEqual([path])
  })

  test.each(alien)('with %s in a field is refused', async (_what, value) => {
    const ofId = await invalidFields(() => rotateAdminToken({ id: value } as never))
    expect(ofId).toEqual(['id'])
    const grace = { id: 'x', gracePeriodSeconds: value }
    expect(await invalidFields(() => rotateAdminToken(grace as never))).toEqual([
      'gracePeriodSeconds',
    ])
  })

  test('takes no permissions from a third argument', async () => {
    const { id } = await createAdminToken({ name: 'Ops', permissions: ['*'] })
    const call = rotateAdminToken as unknown as (...args: unknown[]) => Promise<{ token: string }>
    expect(await isValid((await call({ id }, {}, [])).token)).toBe(true)
  })
})
