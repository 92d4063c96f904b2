import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { read } from '../docs/markdown.js'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { generate, type PrismaClient } from './client.js'

const models = {
  /** The models of an app that does not know this package. */
  app: readFileSync(new URL('app.prisma', import.meta.url), 'utf8'),
  /** The models that the documentation recommends. */
  extended: [...read('docs/deploy/prisma.md').matchAll(/```prisma\n(.*?)```/gs)]
    .map(([, text]) => text!)
    .join(),
}

let database: Database
let app: PrismaClient
let extended: PrismaClient
beforeAll(async () => {
  database = await freshDatabase()
  const connect = await Promise.all([
    generate('app', models.app),
    generate('extended', models.extended),
  ])
  ;[app, extended] = connect.map((client) => client(database.url)) as [PrismaClient, PrismaClient]
  addon.configure({ databaseUrl: database.url, suspensionSeconds: 0, ...cheapHashing })
  await addon.migrate()
}, 120_000)
afterAll(async () => {
  await app?.$disconnect()
  await extended?.$disconnect()
  await addon.close()
  await database?.drop()
})

const issue = () =>
  addon.createApiKey({
    name: 'Search',
    clientId: 'acme',
    rateLimit: 100,
    allowedIps: ['10.0.0.0/8'],
    scopes: ['a'],
  })
const ip = { ip: '10.1.2.3' }
const codeOf = async (key: string) => (await addon.verifyApiKey(key, ip)).code

/** The key is known to this process, so that only the change log can tell it of a change. */
async function warm(): Promise<{ id: string; key: string }> {
  const issued = await issue()
  expect(await codeOf(issued.key)).toBe('VALID')
  return issued
}

test('the documented model has every column, and nothing else', async () => {
  for (const table of ['ApiKey', 'AdminToken']) {
    const columns = await database.sql(
      `SELECT column_name AS name FROM information_schema.columns WHERE table_name = $1`,
      [table],
    )
    const [, body] = new RegExp(`model ${table} \\{\\n(.*?)\\n\\}`, 's').exec(models.extended)!
    const fields = [...body!.matchAll(/^ {2}(\w+) +\w/gm)].map(([, name]) => name!)
    expect(fields.sort()).toEqual(columns.map(({ name }) => name as string).sort())
  }
})

test('the documented lines can be appended to the models of the app', () => {
  const bodyOf = (models: string, model: string) =>
    new RegExp(`model ${model} \\{\n(.*?)\n\\}`, 's').exec(models)![1]!
  const fieldsOf = (text: string) => [...text.matchAll(/^ {2}(\w+) /gm)].map(([, name]) => name)
  for (const model of ['ApiKey', 'AdminToken']) {
    const [first, ...appended] = bodyOf(models.extended, model).split('\n\n')
    const theirs = fieldsOf(bodyOf(models.app, model))
    expect(fieldsOf(first!)).toEqual(theirs)
    expect(fieldsOf(appended.join('\n')).filter((name) => theirs.includes(name))).toEqual([])
  }
})

describe.each(['app', 'extended'] as const)('the client of the %s models', (which) => {
  const client = () => ({ app, extended })[which]

  test('reads what the addon writes', async () => {
    const { id, key, ...rest } = await issue()
    await codeOf(key)
    await addon.flush()
    const row = await client().apiKey.findUnique({ where: { id } })
    const stored = await addon.getApiKey(id)
    for (const field of [
      'name',
      'clientId',
      'isActive',
      'createdAt',
      'updatedAt',
      'lastUsedAt',
    ] as const) {
      expect(row[field]).toEqual(stored![field])
    }
    expect(row).toMatchObject({ rateLimit: 100, allowedIps: ['10.0.0.0/8'] })
    expect(Number(row.usageCount)).toBe(1)
    expect(row.key).toMatch(/^\$argon2id\$/)
    expect(rest.usageCount).toBe(0)
  })

  test.each<[string, object, string]>([
    ['disables', { isActive: false }, 'DISABLED'],
    ['expires', { expiresAt: new Date(0) }, 'EXPIRED'],
    ['forbids the address of', { allowedIps: ['192.0.2.1'] }, 'IP_NOT_ALLOWED'],
  ])('%s a key that is refused as soon as that is known', async (_what, data, code) => {
    const { id, key } = await warm()
    await client().apiKey.update({ where: { id }, data })
    await eventually(async () => expect(await codeOf(key)).toBe(code))
    expect(await codeOf(key)).toBe(code)
  })

  test('deletes a key, alone and with all of a client', async () => {
    const [alone, ...many] = [await warm(), await warm(), await warm()]
    await client().apiKey.delete({ where: { id: alone!.id } })
    await eventually(async () => expect(await codeOf(alone!.key)).toBe('INVALID_KEY'))
    await client().apiKey.deleteMany({ where: { clientId: 'acme' } })
    for (const { key } of many) {
      await eventually(async () => expect(await codeOf(key)).toBe('INVALID_KEY'))
    }
  })

  test('renames and limits a key, which stays valid', async () => {
    const { id, key } = await warm()
    await client().apiKey.update({ where: { id }, data: { name: 'Renamed', rateLimit: 7 } })
    await eventually(async () =>
      expect(await addon.verifyApiKey(key, ip)).toMatchObject({
        name: 'Renamed',
        rateLimit: { limit: 7 },
      }),
    )
  })

  test('writes a new key over an issued one, which is accepted instead of it', async () => {
    const { id, key } = await warm()
    const written = `written-by-${which}-0123456789-0123456789`
    const row = await client().apiKey.update({ where: { id }, data: { key: written } })
    expect(row).toMatchObject({ id, key: written })
    expect(await addon.verifyApiKey(written, ip)).toMatchObject({ valid: true, keyId: id })
    await eventually(async () => expect(await codeOf(key)).toBe('INVALID_KEY'))
    await client().apiKey.delete({ where: { id } })
  })

  test('changes nothing in a transaction that rolls back', async () => {
    const { id, key } = await warm()
    const undone = client().$transaction(async (transaction: PrismaClient) => {
      await transaction.apiKey.update({ where: { id }, data: { isActive: false } })
      throw new Error('undone')
    })
    await expect(undone).rejects.toThrow('undone')
    const other = await warm()
    await client().apiKey.update({ where: { id: other.id }, data: { isActive: false } })
    // The later change has arrived, so the earlier one would have.
    await eventually(async () => expect(await codeOf(other.key)).toBe('DISABLED'))
    expect(await codeOf(key)).toBe('VALID')
  })

  test('makes keys and tokens that the addon lists', async () => {
    const made = await client().apiKey.create({
      data: {
        key: `made-by-${which}-0123456789-0123456789`,
        clientId: 'prisma',
        name: 'Made by Prisma',
      },
    })
    const listed = await addon.getApiKey(made.id)
    expect(listed).toMatchObject({
      name: 'Made by Prisma',
      rateLimit: null,
      scopes: [],
      start: null,
    })
    expect(listed!.createdAt).toEqual(made.createdAt)
    const token = await client().adminToken.create({
      data: { token: `not a token ${which}`, name: 'old' },
    })
    const tokens = await addon.listAdminTokens()
    expect(tokens.map(({ id }) => id)).toContain(token.id)
  })
})

test('a count beyond 2³¹ is read by both', async () => {
  const { id } = await issue()
  await database.sql(`UPDATE "ApiKey" SET "usageCount" = 3000000000 WHERE "id" = $1`, [id])
  const query = { where: { id } }
  const row = await extended.apiKey.findUnique(query)
  expect(row.usageCount).toBe(3_000_000_000n)
  // So a route of the old app fails with the new model, after it has written.
  expect(() => Response.json(row)).toThrow('BigInt')
  expect((await app.apiKey.findUnique(query)).usageCount).toBe(3_000_000_000)
})

test('the extended models read and change what only this package has', async () => {
  const { id, key } = await warm()
  const row = await extended.apiKey.findUnique({ where: { id } })
  expect(row).toMatchObject({
    scopes: ['a'],
    limiterEpoch: 0,
    metadata: null,
    suspendedUntil: null,
  })
  expect(key.startsWith(`${row.start}_`)).toBe(true)
  await extended.apiKey.update({
    where: { id },
    data: {
      scopes: ['b'],
      metadata: { plan: 'free' },
      rateLimitWindowSeconds: 9,
      limits: [{ name: 'tokens', limit: 5, windowSeconds: 60 }],
      quotas: [{ name: 'tokens', amount: 7, period: 'month' }],
    },
  })
  await eventually(async () =>
    expect(await addon.verifyApiKey(key, ip)).toMatchObject({
      scopes: ['b'],
      metadata: { plan: 'free' },
      limits: [{ name: 'default' }, { name: 'tokens', limit: 5 }],
    }),
  )
  await addon.patchApiKey({ id, limits: [{ name: 'images', limit: 7, windowSeconds: 60 }] })
  expect((await extended.apiKey.findUnique({ where: { id } })).limits).toEqual([
    { name: 'images', limit: 7, windowSeconds: 60 },
  ])
  const state = { amount: 7, used: 1, remaining: 6 }
  await addon.flush()
  expect(await addon.getQuota({ keyId: id, name: 'tokens' })).toMatchObject(state)
})
