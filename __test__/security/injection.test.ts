import { randomUUID } from 'node:crypto'
import { afterAll, describe, expect, test } from 'vitest'
import { addon, untyped } from '../support/addon.js'
import { declaredFunctions } from '../support/declared.js'
import { auditLog, expectHarmless, hostile, named } from '../support/hostile-texts.js'
import { samples } from '../support/prometheus.js'
import { useAddon } from '../support/use-addon.js'

// Every text in every field of every function that is exported.

useAddon({ jwtSecret: 'a secret that is long enough to be one', metricsClients: 50, throttle: 0 })

const told: unknown[] = []
const stop = addon.onEvent((event) => void told.push(event))
afterAll(() => stop())

const key = (fields: object = {}): Promise<{ id: string; key: string }> =>
  addon.createApiKey({ name: 'n', clientId: 'c', ...fields })
const client = (): Promise<{ clientId: string }> => addon.setClient({ clientId: randomUUID() })
/** What a verify has charged. */
const charge = async (): Promise<string | null> => {
  const result = await addon.verifyApiKey((await key({ rateLimit: 1 })).key)
  return result.valid ? result.charge : null
}
/** A client with a quota. */
const quota = async (): Promise<{ clientId: string; name: string }> => {
  const clientId = randomUUID()
  await addon.setClient({ clientId, quotas: [{ name: 'a', amount: 1, period: 'day' }] })
  return { clientId, name: 'a' }
}
const role = async (): Promise<string> => {
  const name = randomUUID()
  await addon.setRole({ name, scopes: [] })
  return name
}
/** The only webhook, made where there is none. */
const webhook = async (): Promise<{ id: string }> =>
  (await addon.listWebhooks())[0] ?? addon.setWebhook({ url: 'https://example.com/hook' })
const delivery = async (): Promise<string> => {
  await webhook()
  await key()
  return (await addon.listDeliveries()).deliveries[0]!.id
}
const adminToken = (): Promise<{ id: string; token: string }> =>
  addon.createAdminToken({ name: 'n', permissions: ['a'] })

const hour = { from: '2026-01-01T00:00:00Z', to: '2026-01-01T01:00:00Z', bucket: 'hour' }

/** Arguments that each function accepts: an attack replaces or adds one field. */
const accepted: Record<string, () => unknown[] | Promise<unknown[]>> = {
  createApiKey: () => [{ name: 'n', clientId: 'c' }, {}],
  getApiKey: () => ['nobody'],
  listApiKeys: () => [{ limit: 1 }],
  updateApiKey: async () => [{ id: (await key()).id, regenerateKey: true }, {}],
  patchApiKey: async () => [{ id: (await key()).id }, {}],
  revokeApiKey: async () => [{ id: (await key()).id }, {}],
  revokeApiKeys: () => [{ where: { clientId: 'nobody' } }, {}],
  revokePresentedKey: async () => [(await key()).key, {}],
  importApiKeys: () => [
    [{ name: 'n', clientId: 'c', key: `an old key ${randomUUID()}`.replaceAll(' ', '-') }],
    {},
  ],
  exportApiKeys: () => [{ limit: 1 }],
  reportLeakedKeys: async () => [[{ key: (await key()).key }], { action: 'revoke' }],
  restoreApiKey: async () => [(await key()).id, {}],
  deleteApiKey: async () => [(await key()).id, {}],
  verifyApiKey: async () => [(await key({ rateLimit: 1, scopes: ['a'] })).key, {}],
  deriveToken: async () => [(await key()).key, {}],
  rotateTokenKey: () => [{}],
  setRole: () => [{ name: 'r', scopes: [] }, {}],
  listRoles: () => [],
  deleteRole: async () => [await role(), {}],
  listScopes: () => [],
  getUsage: () => [hour],
  exportUsage: () => [{ limit: 1 }],
  settle: async () => [await charge(), 1],
  setClient: () => [{ clientId: 'c' }, {}],
  getClient: () => ['nobody'],
  listClients: () => [{ limit: 1 }],
  deleteClient: async () => [(await client()).clientId, {}],
  getQuota: async () => [await quota()],
  grantQuota: async () => [{ ...(await quota()), amount: 1 }, {}],
  setWebhook: async () => [{ id: (await webhook()).id, url: 'https://example.com/hook' }, {}],
  listWebhooks: () => [],
  deleteWebhook: async () => [(await webhook()).id, {}],
  listDeliveries: () => [{ limit: 1 }],
  redeliver: async () => [await delivery()],
  createAdminToken: () => [{ name: 'n' }, {}],
  verifyAdminToken: async () => [(await adminToken()).token, {}],
  listAdminTokens: () => [{}],
  rotateAdminToken: async () => [{ id: (await adminToken()).id }, {}],
  revokeAdminToken: async () => [(await adminToken()).id, {}],
  listAuditEvents: () => [{ limit: 1 }],
  migrate: () => [{}],
  flush: () => [],
  health: () => [],
  metrics: () => [],
  configure: () => [{}],
  onEvent: () => [() => {}, {}],
  warmUp: () => [{}],
  isApiKeyError: () => [{}],
  // Last of all, since it ends what the others use.
  close: () => [],
}

test('there is no function that is not attacked', () => {
  expect(Object.keys(accepted).sort()).toEqual(Object.keys(declaredFunctions).sort())
  const functions = Object.keys(addon).filter((name) => name !== 'ApiKeyError')
  expect(functions.sort()).toEqual(Object.keys(declaredFunctions).sort())
})

/** The shapes in which a text gets into a field of this type. */
function valuesOf(type: string, text: string): unknown[] {
  if (type.includes('[]')) return [text, [text], ['ok', text]]
  if (type.includes('Record')) return [{ [text]: 1 }, { field: text }, { a: { [text]: [text] } }]
  return [text]
}

/** The attacked argument, and a function that makes all arguments from accepted ones. */
type Attack = [string, (args: unknown[]) => unknown[]]

/** The text at every place of a function's arguments where one can be, one after the other. */
function attacks(name: string, text: string): Attack[] {
  return declaredFunctions[name]!.flatMap(({ name: parameter, fields }, place) => {
    const instead = (value: unknown): Attack => [parameter, (args) => args.with(place, value)]
    if (!fields) return [instead(text)]
    const set = (field: string, value: unknown, what = field): Attack => [
      `${parameter}.${what}`,
      (args) => args.with(place, { ...(args[place] as object), [field]: value }),
    ]
    const known = Object.entries(fields).flatMap(([field, type]) =>
      valuesOf(type, text).map((value) => set(field, value)),
    )
    return [instead(text), instead([text]), set(text, 1, 'an unknown field'), ...known]
  })
}

/** Calls; what it rejects with or throws. */
async function faultOf(name: string, args: unknown[]): Promise<unknown> {
  try {
    await untyped[name]!(...args)
    return undefined
  } catch (fault) {
    return fault
  }
}

const FAULTS = ['INVALID_INPUT', 'NOT_FOUND', 'CONFIGURATION']
/** A client of which an attack on another function has made a parent. */
const faultsOf = (name: string): string[] =>
  name === 'deleteClient' ? [...FAULTS, 'CONFLICT'] : FAULTS

async function attack(name: string, text: string): Promise<void> {
  await Promise.all(
    attacks(name, text).map(async ([what, attacked]) => {
      const args = attacked(await accepted[name]!())
      const [first, second] = [await faultOf(name, args), await faultOf(name, args)]
      for (const fault of [first, second].filter(Boolean)) {
        const { message, code, issues } = fault as {
          message: string
          code: string
          issues: unknown
        }
        expect(faultsOf(name)).toContain(code)
        expectHarmless({ message, issues }, what)
      }
    }),
  )
}

const attacked = Object.keys(accepted).filter((name) => declaredFunctions[name]!.length > 0)

describe.each(attacked)('%s', (name) => {
  test.each(named)('%s', async (_what, text) => attack(name, text))
})

test.each(named)('where a key was found: %s', async (_what, text) => {
  const found = (more: object) => [[{ key: 'x', ...more }], { action: 'notify' }]
  const leaked = [{ key: (await key()).key, url: text, source: text.slice(0, 255) }]
  for (const args of [
    [leaked, { action: 'notify' }],
    found({ key: text }),
    found({ url: text }),
    found({ source: text }),
    found({ [text]: 1 }),
  ]) {
    const { code = 'INVALID_INPUT', ...told } = ((await faultOf('reportLeakedKeys', args)) ??
      {}) as { code?: string; message?: string; issues?: object }
    expect(code).toBe('INVALID_INPUT')
    expectHarmless({ message: told.message, issues: told.issues }, 'the fault')
  }
})

test('a flood of bad fields is a fault of a bounded size', async () => {
  const many = Object.fromEntries(Array.from({ length: 9_000 }, (_, at) => [`${at}\u202e`, at]))
  const nested = (value: unknown): object =>
    Array.from({ length: 28 }).reduce<object>((inner) => ({ ['n'.repeat(64)]: inner }), {
      list: Array.from({ length: 5_000 }, () => value),
    })
  for (const input of [
    { name: 'n', clientId: 'c', ...many },
    { name: 'n', clientId: 'c', metadata: nested('\u0000') },
    { name: 'n', clientId: 'c', scopes: Array.from({ length: 100 }, () => '\u202e') },
  ]) {
    const { code, message, issues } = (await faultOf('createApiKey', [input])) as any
    expect(code).toBe('INVALID_INPUT')
    expectHarmless({ message, issues }, 'the fault')
  }
})

test('events and audit entries are harmless', async () => {
  const kept = await auditLog()
  for (const event of [...told, ...kept]) expectHarmless(event, 'an event')
  // A text that was accepted appears with escapes.
  for (const events of [told, kept]) {
    const all = JSON.stringify(events)
    for (const type of [
      ...['key.issued', 'key.changed', 'key.refused', 'admin.issued'],
      ...['client.changed', 'client.deleted', 'quota.granted', 'key.leaked'],
      ...['webhook.changed', 'webhook.deleted'],
      ...['webhook.changed', 'webhook.deleted'],
    ])
      expect(all).toContain(`"type":"${type}"`)
    for (const field of ['name', 'clientId', 'actor', 'path', 'url', 'source'])
      expect(all).toMatch(new RegExp(`"${field}":"a\\\\\\\\u\\{202a\\}`))
  }
})

test('the metrics are still metrics', async () => {
  const text = addon.metrics()
  expect(samples(text).size).toBeLessThan(200)
  for (const line of text.split('\n')) expectHarmless(line, 'a line of the metrics')
  expectHarmless(text.replaceAll('\n', ''), 'the metrics')
})

test('the next plain verify still works', async () => {
  expect(Object.keys(hostile)).toHaveLength(15)
  const { key: plain } = await key()
  expect(await addon.verifyApiKey(plain)).toMatchObject({ valid: true })
})
