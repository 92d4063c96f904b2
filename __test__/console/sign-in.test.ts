import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { jwt } from '../support/jwt.js'
import { secondsIn } from '../support/next.js'
import { useAddon } from '../support/use-addon.js'
import { browser, JWT_SECRET } from './support.js'

const { createAdminToken, flush, listAuditEvents, revokeAdminToken } = addon

const database = useAddon({ jwtSecret: JWT_SECRET })

const { createConsoleLink } = createRequire(import.meta.url)('../../lib/console/link.js') as {
  createConsoleLink(input: { url: string; tokenId?: string; actor?: string }): Promise<{
    url: string
    tokenId: string
    name: string
  }>
}
const url = 'https://console.example/admin'
const make = (permissions = ['*']) => createAdminToken({ name: 'Ops', permissions })
const codeOf = (link: { url: string }) => new URL(link.url).hash.slice('#code='.length)

test('a link signs in once', async () => {
  const { id } = await make()
  const link = await createConsoleLink({ url, tokenId: id, actor: 'ann' })
  expect(link).toEqual({
    url: expect.stringMatching(/^https:\/\/console\.example\/admin#code=[\w-]{43}\.[\w-]{43}$/),
    tokenId: id,
    name: 'Ops',
  })
  const code = codeOf(link)
  const stored = await database.sql('SELECT * FROM sophra_api_keys.console_codes')
  expect(stored).toHaveLength(1)
  expect(JSON.stringify(stored)).not.toContain(code)
  const page = browser()
  expect((await page.signIn({ code })).body).toMatchObject({ signedIn: true, name: 'Ops' })
  expect((await page.get('/api/keys')).status).toBe(200)
  expect(await browser().signIn({ code })).toMatchObject({
    status: 200,
    body: { signedIn: false, code: 'INVALID_CODE' },
  })
  expect(await database.sql('SELECT * FROM sophra_api_keys.console_codes')).toHaveLength(0)
  await flush()
  const { events } = await listAuditEvents({ type: 'admin.link_issued' })
  expect(events).toMatchObject([{ tokenId: id, name: 'Ops', actor: 'ann' }])
})

test('of fifty that use a link at once one is signed in', async () => {
  const { id } = await make()
  const code = codeOf(await createConsoleLink({ url, tokenId: id }))
  const answers = await Promise.all(Array.from({ length: 50 }, () => browser().signIn({ code })))
  expect(answers.filter(({ body }) => body.signedIn)).toHaveLength(1)
  expect(answers.filter(({ headers }) => headers['set-cookie'])).toHaveLength(1)
  expect(answers.every(({ status }) => status === 200)).toBe(true)
})

test('a link ends after five minutes, and with its token', async () => {
  const { id } = await make()
  const code = codeOf(await createConsoleLink({ url, tokenId: id }))
  const [row] = await database.sql(
    `SELECT ends_at > now() + interval '290 s' AS after, ends_at <= now() + interval '300 s' AS before FROM sophra_api_keys.console_codes`,
  )
  expect(row).toEqual({ after: true, before: true })
  await database.sql(`UPDATE sophra_api_keys.console_codes SET ends_at = now() - interval '1 ms'`)
  expect((await browser().signIn({ code })).body).toMatchObject({ code: 'INVALID_CODE' })
  const other = codeOf(await createConsoleLink({ url, tokenId: id }))
  await revokeAdminToken(id)
  expect((await browser().signIn({ code: other })).body).toMatchObject({ code: 'INVALID_CODE' })
  const made = await make()
  const third = codeOf(await createConsoleLink({ url, tokenId: made.id }))
  await addon.rotateAdminToken({ id: made.id })
  expect((await browser().signIn({ code: third })).body).toMatchObject({ code: 'INVALID_CODE' })
  await expect(createConsoleLink({ url, tokenId: id })).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('the session of a link ends as that of the token does', async () => {
  const { id } = await make()
  const page = browser()
  await page.signIn({ code: codeOf(await createConsoleLink({ url, tokenId: id })) })
  expect((await page.get('/api/keys')).status).toBe(200)
  await revokeAdminToken(id)
  expect((await page.get('/api/keys')).status).toBe(401)
})

test('without a token a link is for the newest that may do everything, or else for the newest', async () => {
  await database.sql('DELETE FROM "AdminToken"')
  await expect(createConsoleLink({ url })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  const some = await make(['keys:read'])
  expect((await createConsoleLink({ url })).tokenId).toBe(some.id)
  const all = await make()
  await make(['keys:read'])
  expect((await createConsoleLink({ url })).tokenId).toBe(all.id)
})

test.each(['', 'x', 'javascript:alert(1)', 'ftp://example.com', 'https://a:b@example.com'])(
  'the address of a link is checked: %j',
  async (url) => {
    await expect(createConsoleLink({ url })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      issues: [{ path: 'url' }],
    })
  },
)

test.each([
  ['nothing', ''],
  ['no JSON', '{'],
  ['a list', '[]'],
  ['a text', '"x"'],
  ['neither', '{}'],
  ['both', '{"token":"a","code":"b"}'],
  ['a number', '{"token":5}'],
  ['a list as token', '{"token":["x"]}'],
  ['an empty token', '{"token":""}'],
  ['a prototype', '{"__proto__":{"token":"x"}}'],
])('a body with %s is 400', async (_, body) => {
  expect(await browser().send('POST', '/api/session', body)).toMatchObject({
    status: 400,
    body: { code: 'INVALID_INPUT' },
  })
})

test('a body is 64 KiB at most', async () => {
  const body = JSON.stringify({ token: 'x'.repeat(70_000) })
  expect((await browser().send('POST', '/api/session', body)).status).toBe(413)
})

test('tokens with a right signature are never held up, and those with a wrong one are', async () => {
  const { token } = await make()
  const revoked = await make()
  await revokeAdminToken(revoked.id)
  const wrong = (n: number) =>
    [
      `${token.slice(0, -3)}AAA`,
      jwt({ alg: 'HS256' }, { type: 'admin', n }, 'another secret'),
      jwt({ alg: 'none' }, { type: 'admin', n }, ''),
      `x${n}`,
      'x'.repeat(60_000),
    ][n % 5]!
  const told = new Map<number, number>()
  for (let n = 0; n < 150; n += 1) {
    const answer = await browser().signIn({ token: wrong(n) })
    told.set(answer.status, (told.get(answer.status) ?? 0) + 1)
    if (answer.status === 429) expect(secondsIn(answer)).toBeLessThanOrEqual(60)
    else expect(answer.body).toMatchObject({ signedIn: false, code: 'INVALID_TOKEN' })
    expect(answer.headers['set-cookie']).toBeUndefined()
  }
  expect([...told.keys()].sort()).toEqual([200, 429])
  expect(told.get(429)).toBeGreaterThanOrEqual(100)
  expect((await browser().signIn({ token })).body).toMatchObject({ signedIn: true })
  expect(await browser().signIn({ token: revoked.token })).toMatchObject({
    status: 200,
    body: { signedIn: false, code: 'INVALID_TOKEN' },
  })
  const { id } = await make()
  const code = codeOf(await createConsoleLink({ url, tokenId: id }))
  expect((await browser().signIn({ code })).body).toMatchObject({ signedIn: true })
  await flush()
  const { events } = await listAuditEvents({ type: 'admin.refused' })
  expect(events.length).toBeGreaterThan(0)
})

test('codes that there are not are held up beyond 300 a minute, and one that there is never', async () => {
  const answers = []
  for (let n = 0; n < 400; n += 1) answers.push(await browser().signIn({ code: `no code ${n}` }))
  expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(50)
  const made = await createConsoleLink({ url: 'https://console.example/admin' })
  expect((await browser().signIn({ code: codeOf(made) })).body).toMatchObject({
    signedIn: true,
  })
})
