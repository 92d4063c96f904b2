import { afterEach, beforeEach, expect, test } from 'vitest'
import { json } from '../cli/cli.js'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { startReceiver } from '../support/receiver.js'
import { blocks, read } from './markdown.js'

// The two roles of the page on managed Postgres: an owner who migrates, and an app with few rights.

const [make, grant] = blocks(read('docs/deploy/managed-postgres.md'), 'sql') as [string, string]
const passwords = { api_keys_owner: 'change-me-1', api_keys_app: 'change-me-2' }
type Role = keyof typeof passwords

let database: Database
let suffix: string
beforeEach(async () => {
  database = await freshDatabase()
  suffix = new URL(database.url).pathname.slice('/test_'.length)
})
afterEach(async () => {
  await addon.close()
  for (const role of Object.keys(passwords))
    await database.sql(`DROP OWNED BY ${role}_${suffix} CASCADE; DROP ROLE ${role}_${suffix}`)
  await database.drop()
})

/** Roles belong to the whole server, so those of a test have names of their own. */
const own = (sql: string): string =>
  sql
    .replace(/\bapi_keys_(owner|app)\b/g, `$&_${suffix}`)
    .replaceAll('DATABASE app', `DATABASE test_${suffix}`)

const urlOf = (role: Role): string =>
  Object.assign(new URL(database.url), {
    username: `${role}_${suffix}`,
    password: passwords[role],
  }).href

test('an owner migrates, and the app works with the rights that are granted', async () => {
  await database.sql(own(make))
  addon.configure({ databaseUrl: urlOf('api_keys_owner') })
  await addon.migrate()
  await addon.close()
  await database.sql(own(`SET ROLE api_keys_owner; ${grant}; RESET ROLE`))

  const env = {
    DATABASE_URL: urlOf('api_keys_app'),
    JWT_SECRET: 'a secret of 32 bytes or more, here',
  }
  const findings = await json<{ check: string; status: string }[]>(['doctor'], { env })
  expect(findings.filter(({ status }) => status !== 'ok')).toEqual([
    expect.objectContaining({ check: 'privileges', status: 'warning' }),
  ])

  addon.configure({
    databaseUrl: env.DATABASE_URL,
    jwtSecret: env.JWT_SECRET,
    migrate: 'manual',
    webhookAllowedNetworks: ['127.0.0.0/8'],
    ...cheapHashing,
  })
  const receiver = await startReceiver()
  await addon.setWebhook({ url: receiver.url })
  const { id, key } = await addon.createApiKey({ name: 'n', clientId: 'c', rateLimit: 1 })
  expect(await addon.verifyApiKey(key)).toMatchObject({ valid: true })
  expect(await addon.verifyApiKey(key)).toMatchObject({ code: 'RATE_LIMITED' })
  const limits = [{ name: 'tokens', limit: 9, windowSeconds: 86_400 }]
  const quotas = [{ name: 'tokens', amount: 2, period: 'month' as const }]
  await addon.setClient({ clientId: 'shared', limits, quotas })
  const shared = await addon.createApiKey({ name: 'n', clientId: 'shared', limits })
  const levels = { limits: [{ level: 'key' }, { level: 'client', remaining: 8 }] }
  expect(await addon.verifyApiKey(shared.key)).toMatchObject({ valid: true, ...levels })
  expect(await addon.verifyApiKey(shared.key)).toMatchObject({ valid: true })
  expect(await addon.verifyApiKey(shared.key)).toMatchObject({ code: 'QUOTA_EXCEEDED' })
  const quota = { clientId: 'shared', name: 'tokens' }
  await addon.flush()
  await addon.grantQuota({ ...quota, amount: 5 })
  expect(await addon.getQuota(quota)).toMatchObject({ used: 2, remaining: 5 })
  expect((await addon.listClients()).clients).toMatchObject([{ clientId: 'shared', keyCount: 1 }])
  await addon.deleteClient('shared')
  await addon.updateApiKey({ id, regenerateKey: true })
  const { token } = await addon.createAdminToken({ name: 'n' })
  expect(await addon.verifyAdminToken(token)).toMatchObject({ valid: true })
  await addon.flush()
  const day = { from: new Date(Date.now() - 86_400_000), to: new Date(Date.now() + 1) }
  const rows = await addon.getUsage({ ...day, bucket: 'day', clientId: 'shared' })
  expect(rows.reduce((sum, { count }) => sum + count, 0)).toBe(3)
  expect(await addon.exportUsage()).toEqual([])
  expect((await addon.listAuditEvents({ keyId: id })).events.length).toBeGreaterThan(1)
  await addon.revokeApiKey({ id })
  await addon.restoreApiKey(id)
  expect(await addon.revokeApiKeys({ where: { clientId: 'c' } })).toEqual({ count: 1 })
  await addon.deleteApiKey(id)
  const leaked = [{ key: shared.key, url: 'https://example.com' }]
  expect(await addon.reportLeakedKeys(leaked, { action: 'notify' })).toMatchObject([
    { known: true },
  ])
  expect(await addon.revokePresentedKey(shared.key)).toBe(true)
  await eventually(() => {
    const types = new Set(receiver.arrived.map(({ notice }) => notice.type))
    expect([...types]).toEqual(
      expect.arrayContaining([
        'key.suspended',
        'keys.revoked',
        'client.deleted',
        'quota.threshold',
      ]),
    )
  }, 30_000)
  const [{ id: webhook } = { id: '' }] = await addon.listWebhooks()
  await eventually(async () =>
    expect((await addon.listDeliveries({ state: 'pending' })).deliveries).toEqual([]),
  )
  await addon.redeliver((await addon.listDeliveries()).deliveries[0]!.id)
  await addon.deleteWebhook(webhook)
  await receiver.close()
  expect(await addon.health()).toMatchObject({ status: 'ok' })
})
