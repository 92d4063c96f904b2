import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { addon } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'
import { ask, expectFailure, hello, HOST, namesakes, next, read, untyped } from '../support/next.js'

const { createAdminToken, createApiKey, revokeAdminToken } = addon
const { withAdminAuth } = next

useAddon({ jwtSecret: 'the secret of the guards, of 32 bytes or more' })

const MISSING = 'Missing required header: x-admin-token'
const INSUFFICIENT = 'Insufficient permissions for this endpoint'

let reader: Awaited<ReturnType<typeof createAdminToken>>
let all: string
beforeAll(async () => {
  reader = await createAdminToken({ name: 'Reader', permissions: ['keys:read'] })
  all = (await createAdminToken({ name: 'All', permissions: ['*'] })).token
})

const log = vi.spyOn(console, 'error')
beforeEach(() => void log.mockReset().mockImplementation(() => {}))
afterEach(() => expect(log).not.toHaveBeenCalled())

const handler = vi.fn((_request: Request, { admin }: { admin: unknown }) => Response.json(admin))
beforeEach(() => void handler.mockClear())

describe('an admin token', () => {
  const guarded = withAdminAuth(handler, { permission: 'keys:read' })

  test('opens the route, and the handler learns whose it is', async () => {
    const answer = await ask(guarded, { 'x-admin-token': reader.token })
    expect(answer).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } })
    expect(answer.body).toEqual({
      valid: true,
      code: 'VALID',
      tokenId: reader.id,
      name: 'Reader',
      permissions: ['keys:read'],
    })
    expect((await ask(guarded, { 'x-admin-token': all })).status).toBe(200)
  })

  test('is missing', async () => {
    const { key } = await createApiKey({ name: 'n', clientId: 'c' })
    for (const headers of [
      {},
      { 'x-admin-token': '' },
      { authorization: `Bearer ${all}` },
      { 'x-api-key': key },
      { 'x-middleware-subrequest': 'middleware' },
    ]) {
      const answer = await ask(guarded, headers as Record<string, string>)
      expectFailure(answer, 401, 'MISSING_TOKEN', MISSING)
    }
    expect(handler).not.toHaveBeenCalled()
  })

  test('is none, or revoked', async () => {
    const { id, token } = await createAdminToken({ name: 'Gone', permissions: ['*'] })
    await revokeAdminToken(id)
    for (const text of ['made up', 'a.b.c', token, `${all}, ${all}`, 'x'.repeat(100_000)]) {
      const answer = await ask(guarded, { 'x-admin-token': text })
      expectFailure(answer, 401, 'INVALID_TOKEN', 'Invalid admin token')
    }
    expect(handler).not.toHaveBeenCalled()
  })

  test('lacks the permission', async () => {
    const writing = withAdminAuth(handler, { permission: 'keys:write' })
    const answer = await ask(writing, { 'x-admin-token': reader.token })
    expectFailure(answer, 403, 'INSUFFICIENT_PERMISSION', INSUFFICIENT)
    expect(handler).not.toHaveBeenCalled()
  })

  test('is enough where no permission is asked', async () => {
    const any = withAdminAuth(handler)
    expect((await ask(any, { 'x-admin-token': reader.token })).status).toBe(200)
    expectFailure(await ask(any), 401, 'MISSING_TOKEN', MISSING)
  })

  test("the handler gets the framework's context", async () => {
    const params = Promise.resolve({ id: '7' })
    const spy = vi.fn(hello)
    await withAdminAuth(spy)(
      new Request(HOST, { method: 'HEAD', headers: { 'x-admin-token': all } }),
      { params },
    )
    expect(spy).toHaveBeenCalledWith(expect.any(Request), {
      params,
      admin: expect.objectContaining({ name: 'All' }),
    })
  })
})

describe('authorize', () => {
  const options = (authorize: unknown) => ({ permission: 'keys:read', authorize })
  const guardedBy = (authorize: unknown) => untyped.withAdminAuth!(handler, options(authorize))

  test('lets in a user who holds the permission', async () => {
    for (const permissions of [['keys:read'], ['other', '*']]) {
      const user = { name: 'Ann', permissions, userId: 7 }
      for (const authorize of [() => user, () => Promise.resolve(user)])
        expect(await ask(guardedBy(authorize))).toMatchObject({ status: 200, body: user })
    }
  })

  test('is handed the request', async () => {
    const authorize = vi.fn((request: Request) => {
      const name = request.headers.get('x-session')
      return name !== null && { name, permissions: ['*'] }
    })
    const guarded = withAdminAuth(handler, { authorize })
    expect(await ask(guarded, { 'x-session': 'Ann' })).toMatchObject({ body: { name: 'Ann' } })
    expectFailure(await ask(guarded), 401, 'MISSING_TOKEN', MISSING)
  })

  test('is not asked where there is a token: that alone decides', async () => {
    const authorize = vi.fn(() => ({ name: 'Ann', permissions: ['*'] }))
    const guarded = guardedBy(authorize)
    const { body } = await ask(guarded, { 'x-admin-token': reader.token })
    expect(body).toMatchObject({ tokenId: reader.id })
    expectFailure(await ask(guarded, { 'x-admin-token': 'made up' }), 401, 'INVALID_TOKEN')
    expect(authorize).not.toHaveBeenCalled()
  })

  test('refuses a user without the permission', async () => {
    for (const permissions of [[], ['keys'], ['keys:*'], ['KEYS:READ'], ['keys:read ']]) {
      const answer = await ask(guardedBy(() => ({ name: 'Ann', permissions })))
      expectFailure(answer, 403, 'INSUFFICIENT_PERMISSION', INSUFFICIENT)
    }
    expect(handler).not.toHaveBeenCalled()
  })

  test.each([null, undefined, false, 0, '', NaN])('returns %s: no user', async (nobody) => {
    for (const authorize of [() => nobody, async () => nobody])
      expectFailure(await ask(guardedBy(authorize)), 401, 'MISSING_TOKEN', MISSING)
    expect(handler).not.toHaveBeenCalled()
  })

  const truthy: unknown[] = [
    true,
    1,
    'yes',
    [],
    {},
    { valid: true },
    { name: 'Ann' },
    { permissions: ['*'] },
    { name: 'Ann', permissions: '*' },
    { name: 'Ann', permissions: [['*']] },
    { name: 'Ann', permissions: { includes: () => true } },
    { name: null, permissions: ['*'] },
    () => true,
    new Response('ok'),
  ]
  test.each(truthy)('answers what is no user: %j is no yes', async (something) => {
    const answer = await ask(guardedBy(() => something))
    expectFailure(answer, 500, 'INTERNAL', 'Internal server error')
    expect(handler).not.toHaveBeenCalled()
    expect(log).toHaveBeenCalledOnce()
    log.mockClear()
  })

  test('throws: no yes', async () => {
    for (const thrown of [new Error('session store away'), 'text', null, undefined, { a: 1 }]) {
      for (const authorize of [
        () => {
          throw thrown
        },
        () => Promise.reject(thrown),
      ]) {
        const answer = await ask(guardedBy(authorize))
        expectFailure(answer, 500, 'INTERNAL', 'Internal server error')
        expect(JSON.stringify(answer)).not.toContain('session store')
      }
    }
    expect(handler).not.toHaveBeenCalled()
    expect(log).toHaveBeenCalledTimes(10)
    log.mockClear()
  })

  test('throws an error of the app that is named like one of the addon: no yes', async () => {
    for (const thrown of namesakes()) {
      const answer = await ask(guardedBy(() => Promise.reject(thrown)))
      expectFailure(answer, 500, 'INTERNAL', 'Internal server error')
      expect(log).toHaveBeenCalledExactlyOnceWith(thrown)
      log.mockClear()
    }
    expect(handler).not.toHaveBeenCalled()
  })

  test("throws a signal of Next's: it goes on", async () => {
    const signal = Object.assign(new Error('NEXT_REDIRECT'), { digest: 'NEXT_REDIRECT;…' })
    await expect(ask(guardedBy(() => Promise.reject(signal)))).rejects.toBe(signal)
    expect(handler).not.toHaveBeenCalled()
  })

  test('throws a fault of the addon: that is answered', async () => {
    const { getApiKey } = addon
    const answer = await ask(guardedBy(() => getApiKey(5 as never)))
    expectFailure(answer, 400, 'INVALID_INPUT')
    expect(handler).not.toHaveBeenCalled()
  })
})

describe('a guard that is put up wrongly', () => {
  const wrong: unknown[][] = [
    [],
    ['keys:read', hello],
    [hello, 'keys:read'],
    [hello, { permissions: 'keys:read' }],
    [hello, { permission: undefined }],
    [hello, { permission: '' }],
    [hello, { permission: ['keys:read'] }],
    [hello, { authorize: true }],
    [hello, { authorize: undefined }],
    [hello, { scopes: ['a'] }],
  ]
  test.each(wrong)('does not come up: %j %j', (...args) => {
    expect(() => untyped.withAdminAuth!(...args)).toThrow(TypeError)
  })
})

test('HEAD has no body', async () => {
  const guarded = withAdminAuth(hello)
  for (const [headers, status] of [
    [{}, 401],
    [{ 'x-admin-token': all }, 200],
  ] as const) {
    const request = new Request(HOST, { method: 'HEAD', headers })
    expect(await read(await guarded(request))).toMatchObject({ status, body: '' })
  }
})
