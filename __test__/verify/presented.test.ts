import { beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'

// What servers read from a header, and how an address is written.

const { createAdminToken, createApiKey, getApiKey, verifyAdminToken, verifyApiKey } = addon

const { sql } = useAddon({ jwtSecret: 'the secret of the presented, of 32 bytes or more' })

let key: string
let token: string
beforeAll(async () => {
  key = (await createApiKey({ name: 'n', clientId: 'c' })).key
  token = (await createAdminToken({ name: 'n' })).token
})

const MISSING = {
  valid: false,
  code: 'MISSING_KEY',
  status: 401,
  message: 'Missing required header: x-api-key',
}

describe('a key', () => {
  test('may be the only one of a list', async () => {
    expect(await verifyApiKey([key])).toMatchObject({ valid: true })
  })

  test('is missing if there is none, without a database too', async () => {
    for (const none of [undefined, null, []]) expect(await verifyApiKey(none)).toEqual(MISSING)
    await expect(verifyApiKey(null, { cost: -1 })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    const before = addon.metrics()
    await verifyApiKey(undefined)
    const count = (text: string): number =>
      Number(/verifications_total\{result="MISSING_KEY"\} (\d+)/.exec(text)![1])
    expect(count(addon.metrics())).toBe(count(before) + 1)
  })

  test('is refused if there are several, even if they are equal', async () => {
    for (const several of [
      [key, key],
      [key, ''],
      ['', key],
      [key, 'x'.repeat(100_000)],
    ])
      expect(await verifyApiKey(several)).toMatchObject({ code: 'INVALID_KEY', status: 401 })
  })

  test('has no white space around it, warm and cold', async () => {
    const { id, key } = await createApiKey({ name: 'n', clientId: 'c' })
    const padded = [` ${key}\n`, `\r\n\t${key}`, `${key}${' '.repeat(1_000)}`, [` ${key}`], key]
    for (const presented of padded)
      expect(await verifyApiKey(presented as string)).toMatchObject({ valid: true, keyId: id })
  })

  test('may have nothing else around it', async () => {
    const others = [`\u00a0${key}`, `\u000b${key}`, `\u2003${key}`, `${key}\u0000`, `"${key}"`]
    const inside = [`${key.slice(0, 20)} ${key.slice(20)}`, `${key} ${key}`]
    // Cut anywhere, it would be the key.
    const long = [`${key}${' '.repeat(100_000)}x`, `${key}${' '.repeat(1_200)}x`]
    for (const presented of [...others, ...inside, ...long])
      expect(await verifyApiKey(presented)).toMatchObject({ code: 'INVALID_KEY' })
  })
})

test('an admin token is read alike', async () => {
  for (const presented of [token, [token], ` ${token}\n`])
    expect(await verifyAdminToken(presented)).toMatchObject({ valid: true })
  for (const none of [undefined, null, []])
    expect(await verifyAdminToken(none)).toEqual({
      valid: false,
      code: 'MISSING_TOKEN',
      status: 401,
      message: 'Missing required header: x-admin-token',
    })
  expect(await verifyAdminToken([token, token])).toMatchObject({ code: 'INVALID_TOKEN' })
})

describe('the address of a client', () => {
  test.each([
    ['1.2.3.4', '1.2.3.4:5678'],
    ['1.2.3.4', '::ffff:1.2.3.4'],
    ['1.2.3.4', '[::ffff:1.2.3.4]:80'],
    ['2001:db8::1', '[2001:db8::1]:443'],
    ['2001:db8::1', '[2001:db8::1]'],
    ['fe80::1', 'fe80::1%eth0'],
    ['fe80::1', `[fe80::1%${'e'.repeat(60)}]:443`],
  ])('%s is read from %s, cold and warm', async (address, ip) => {
    const { key } = await createApiKey({ name: 'n', clientId: 'c', allowedIps: [address] })
    for (let time = 0; time < 2; time++)
      expect(await verifyApiKey(key, { ip })).toMatchObject({ valid: true })
  })

  test.each([
    '1.2.3.4:',
    '1.2.3.4:x',
    '1.2.3.4:99999',
    '[1.2.3.4]:80',
    '[::1',
    '::1]',
    '1.2.3.4/32',
    '1.2.3.4 5',
  ])('is unknown from %s', async (ip) => {
    const { key } = await createApiKey({
      name: 'n',
      clientId: 'c',
      allowedIps: ['0.0.0.0/0', '::/0'],
    })
    for (let time = 0; time < 2; time++)
      expect(await verifyApiKey(key, { ip })).toMatchObject({ code: 'IP_NOT_ALLOWED' })
  })
})

test('a rate limit says its window: that of the key, or the configured one', async () => {
  for (const [rateLimitWindowSeconds, windowSeconds] of [
    [null, 60],
    [7_200, 7_200],
  ]) {
    const { key } = await createApiKey({
      name: 'n',
      clientId: 'c',
      rateLimit: 2,
      rateLimitWindowSeconds,
    })
    for (let time = 0; time < 3; time++)
      expect((await verifyApiKey(key)).rateLimit).toMatchObject({ limit: 2, windowSeconds })
  }
})

test.each(['"text"', '[1]', '5', 'true', 'null'])(
  'metadata that is not an object is null: %s',
  async (json) => {
    const { id, key } = await createApiKey({ name: 'n', clientId: 'c', metadata: { a: 1 } })
    await sql(`UPDATE "ApiKey" SET "metadata" = $2::jsonb WHERE "id" = $1`, [id, json])
    await addon.close()
    for (let time = 0; time < 2; time++)
      expect(await verifyApiKey(key)).toMatchObject({ valid: true, metadata: null })
    expect(await getApiKey(id)).toMatchObject({ metadata: null })
    // A change of something else leaves it as it is.
    expect(await addon.patchApiKey({ id, name: 'other' })).toMatchObject({ metadata: null })
    const [row] = await sql(`SELECT "metadata"::text AS json FROM "ApiKey" WHERE "id" = $1`, [id])
    expect(row).toEqual({ json })
  },
)
