import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { insertOldToken } from '../support/old-rows.js'
import { addon, untyped } from '../support/addon.js'
import { runScript } from '../support/child.js'
import { freshDatabase, type Database } from '../support/database.js'
import {
  insertInto,
  inserts,
  tamperedRows,
  textColumns,
  type Made,
} from '../support/hostile-rows.js'
import { auditLog, eventsOf, expectHarmless, hostile, named } from '../support/hostile-texts.js'
import { samples } from '../support/prometheus.js'
import { useAddon } from '../support/use-addon.js'

// Every text in every column of every table: another writer may have put it there.

const jwtSecret = 'a secret that is long enough to be one'
const { sql } = useAddon({ jwtSecret, metricsClients: 50, throttle: 0 })

const told: unknown[] = []
afterAll(addon.onEvent((event) => void told.push(event)))

const COLUMNS: Record<string, Record<string, 'text' | 'ARRAY' | 'jsonb'>> = {
  ApiKey: {
    allowedIps: 'ARRAY',
    clientId: 'text',
    description: 'text',
    id: 'text',
    key: 'text',
    lookup: 'text',
    limits: 'jsonb',
    quotas: 'jsonb',
    metadata: 'jsonb',
    name: 'text',
    previousKey: 'text',
    previousLookup: 'text',
    previousSigningKey: 'text',
    origins: 'ARRAY',
    roles: 'ARRAY',
    scopes: 'ARRAY',
    signingKey: 'text',
    start: 'text',
    createdBy: 'text',
    lastUsedIp: 'text',
    revokedBy: 'text',
    revokedReason: 'text',
  },
  AdminToken: {
    description: 'text',
    id: 'text',
    lookup: 'text',
    name: 'text',
    permissions: 'ARRAY',
    previousLookup: 'text',
    token: 'text',
  },
}
const tampered = Object.entries(COLUMNS).flatMap(([table, columns]) =>
  Object.entries(columns).map(([column, type]) => ({ table, column, type })),
)

test('there is no column that is not attacked', async () => {
  await addon.migrate()
  const found = (await textColumns(sql)).map(({ table, column }) => `${table}.${column}`)
  const attacked = tampered.map(({ table, column }) => `${table}.${column}`)
  // The record of migrations is only compared with the embedded ones, and of states there are three by a constraint.
  const ours = found.filter(
    (name) => !name.startsWith('migrations.') && name !== 'deliveries.state',
  )
  expect(ours.sort()).toEqual([...attacked, ...Object.keys(inserts)].sort())
})

const FAULTS = ['INVALID_INPUT', 'NOT_FOUND', 'CONFLICT']
/** What cannot be read never means that there is no limit, so the key is of no use. */
const UNREADABLE = 'The limits or quotas of a key or its client cannot be read'

/** Calls; a fault may only be one of the caller's, and says nothing that could be acted upon. */
async function tried(name: string, ...args: unknown[]): Promise<void> {
  try {
    await untyped[name]!(...args)
  } catch (fault) {
    const { message, code, issues } = fault as { message: string; code: string; issues: unknown }
    if (name === 'verifyApiKey' && message === UNREADABLE) return
    expect(FAULTS, `${name}: ${code}`).toContain(code)
    expectHarmless({ message, issues }, name)
  }
}

const plain = { name: 'n', clientId: 'c', description: null, allowedIps: null, scopes: null }

const use: Record<string, (row: Made) => Promise<void>> = {
  async ApiKey({ id, secret }) {
    await tried('verifyApiKey', secret, { path: '/' })
    await tried('verifyApiKey', secret, { path: '/', scopes: ['b'] })
    await tried('verifyApiKey', secret, { path: '/', ip: '192.0.2.1' })
    await tried('verifyApiKey', secret, { path: '/', origin: 'https://app.example.com' })
    await tried('getApiKey', id)
    await tried('listAuditEvents', { keyId: id })
    await tried('patchApiKey', { id, ...plain, metadata: null })
    await tried('updateApiKey', { id, regenerateKey: true, gracePeriodSeconds: 60 })
    await tried('deleteApiKey', id)
  },
  async AdminToken({ id, secret }) {
    await tried('verifyAdminToken', secret)
    await tried('verifyAdminToken', secret, { permission: 'b' })
    await tried('rotateAdminToken', { id, gracePeriodSeconds: 60 })
    // Without grace, so that the text is free for another row.
    await tried('rotateAdminToken', { id })
    await tried('revokeAdminToken', id)
  },
}

describe.each(tampered)('$table $column', (at) => {
  test('is no way in', async () => {
    for (const [, text] of named) {
      const rows = await tamperedRows(sql, at, text)
      await tried('listApiKeys', { limit: 1_000 })
      await tried('listAdminTokens')
      await Promise.all(rows.map(use[at.table]!))
    }
  })
})

test('tables of our own are no way in', async () => {
  const names = Object.keys(inserts).filter((name) => name !== 'signing_keys.fingerprint')
  for (const name of names) {
    const stored = await Promise.all(named.map(([, text]) => insertInto(sql, name, text)))
    expect(stored.filter(Boolean).length, name).toBeGreaterThanOrEqual(10)
  }
  await tried('listRoles')
  await tried('listWebhooks')
  await tried('listDeliveries', { limit: 1_000 })
  await tried('listClients', { limit: 1_000 })
  // Children before their parents.
  const clients = await sql(
    `SELECT client_id AS id FROM sophra_api_keys.clients ORDER BY parent_id IS NULL`,
  )
  for (const { id } of clients) {
    await tried('getClient', id)
    await tried('setClient', { clientId: id, name: 'n', metadata: null, allowedIps: null })
    await tried('setClient', { clientId: id, parentId: id })
    await tried('deleteClient', id)
  }
  const range = { from: new Date(Date.now() - 3_600_000), to: new Date(Date.now() + 1) }
  const groupBy = ['keyId', 'clientId', 'tag', 'outcome']
  await tried('getUsage', { ...range, bucket: 'hour', groupBy })
  await tried('exportUsage')
  for (const table of ['audit', 'changes', 'spent', 'usage_batches'])
    expect(await sql(`SELECT FROM sophra_api_keys.${table} LIMIT 1`)).toHaveLength(1)
  const flood = JSON.stringify({ type: 't', list: Array.from({ length: 50_000 }, () => '\u202e') })
  await insertInto(sql, 'audit.event', 'x')
  await sql(`UPDATE sophra_api_keys.audit SET event = $1 WHERE event ? 'x'`, [flood])
})

test('events and audit entries are harmless', async () => {
  const kept = await auditLog()
  expect((await addon.health()).status).toBe('ok')
  for (const event of [...told, ...kept]) expectHarmless(event, 'an event')
  const all = JSON.stringify([told, kept])
  for (const type of ['key.changed', 'key.refused', 'key.unreadable', 'admin.refused'])
    expect(all).toContain(`"type":"${type}"`)
  for (const field of ['keyId', 'tokenId', 'name', 'clientId', 'before'])
    expect(all).toMatch(new RegExp(`"${field}":\\[?"a\\\\\\\\u\\{202a\\}`))
  const metrics = addon.metrics()
  expect(samples(metrics).size).toBeLessThan(200)
  expectHarmless(metrics.replaceAll('\n', ''), 'the metrics')
  const { key } = await addon.createApiKey({ name: 'n', clientId: 'c' })
  expect(await addon.verifyApiKey(key)).toMatchObject({ valid: true })
})

describe('on stderr', () => {
  let rows: Database
  beforeAll(async () => {
    rows = await freshDatabase()
  })
  afterAll(async () => {
    await addon.close()
    await rows.drop()
  })

  /** Another process of the same database, where nobody listens. */
  const child = (source: string, url: string): ReturnType<typeof runScript> =>
    runScript(source, {
      env: {
        DATABASE_URL: url,
        JWT_SECRET: jwtSecret,
        API_KEYS_ARGON2_MEMORY_KIB: '8',
        API_KEYS_ARGON2_ITERATIONS: '1',
      },
    })

  test('each event is one line', async () => {
    expect((await child('await api.migrate()', rows.url)).code).toBe(0)
    await addon.close()
    addon.configure({
      databaseUrl: rows.url,
      jwtSecret,
      log: 'off',
      argon2MemoryKib: 8,
      argon2Iterations: 1,
    })
    const made = async (column: string): Promise<Made[]> => {
      const at = { table: 'ApiKey', column, type: 'text' } as const
      return (await Promise.all(named.map(([, text]) => tamperedRows(rows.sql, at, text)))).flat()
    }
    const loud = [await made('id'), await made('name'), await made('clientId')].flat()
    // One half holds plaintext, the other what is taken for a hash.
    const overwritten = await made('key')
    for (const [, text] of named) {
      const { id } = await insertOldToken(rows.sql, jwtSecret, { name: 'prod-api-1' })
      await rows
        .sql(`UPDATE "AdminToken" SET "id" = $1 WHERE "id" = $2`, [text, id])
        .catch(() => {})
    }
    await insertOldToken(rows.sql, jwtSecret, {
      name: `prod-api-${'1'.repeat(1 << 20)}`,
      token: 'a token of 16 characters or more',
    })
    const { stderr, reports } = await child(
      `for (const key of ${JSON.stringify([...loud, ...overwritten].map(({ secret }) => secret))}) {
         await api.verifyApiKey(key)
         await api.verifyApiKey(key)
       }
       await api.flush()
       const { adopted } = await api.migrate({ adopt: true })
       report(adopted)`,
      rows.url,
    )
    const counts: Record<string, number> = {}
    for (const { type } of eventsOf(stderr)) counts[`${type}`] = (counts[`${type}`] ?? 0) + 1
    expect(counts).toEqual({
      'configuration.warning': 1,
      'key.suspended': loud.length,
      'key.unreadable': overwritten.length / 2,
      'admin.adopted': named.length + 1,
    })
    expect(reports).toEqual([named.length + 1 + overwritten.length / 2])
    expect(loud.length).toBeGreaterThanOrEqual(3 * 12)
    expect(overwritten.length).toBeGreaterThanOrEqual(24)
  })

  test('an unknown signing key is named with escapes', async () => {
    const script = `await api.getApiKey('x').catch(({ message, code }) => report({ message, code }))`
    for (const [, text] of named) {
      const fingerprint = text.slice(0, 800)
      if (!(await insertInto(rows.sql, 'signing_keys.fingerprint', fingerprint))) continue
      const at = { table: 'ApiKey', column: 'signingKey', type: 'text' } as const
      await tamperedRows(rows.sql, at, fingerprint)
    }
    const { reports, stderr } = await child(script, rows.url)
    expect(stderr).toBe('')
    expect(reports).toMatchObject([{ code: 'CONFIGURATION' }])
    expectHarmless(reports, 'the fault')
    expect(Object.keys(hostile)).toHaveLength(15)
  })
})
