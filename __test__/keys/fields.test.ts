import { createRequire } from 'node:module'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { json, cli } from '../cli/cli.js'
import { addon } from '../support/addon.js'
import { root } from '../support/child.js'
import { fieldsOf } from '../support/declared.js'
import { HOST, next, read } from '../support/next.js'
import { useAddon } from '../support/use-addon.js'

// One row of `lib/key-fields.js` is all that JavaScript needs of a plain field. So each row is tried wherever it must have its
// effect: a field that is added to the types and forgotten in the table, or the other way round, fails here.

interface Field {
  name: string
  type: keyof typeof types
  access: 'identity' | 'initial' | 'settable' | 'clearable' | 'readOnly'
  required?: boolean
  option?: string
  clear?: string
  label?: string
  hideEmpty?: boolean
}
const require = createRequire(import.meta.url)
const { fields } = require(join(root, 'lib/key-fields.js')) as {
  fields: Field[]
}
const named = (choose: (field: Field) => unknown): string[] =>
  fields.filter(choose).map(({ name }) => name)
const settable = fields.filter(({ access }) => access === 'settable')

/** For each type: how TypeScript writes it, a value, another value, and the value on the command line. */
const types = {
  text: { ts: 'string', value: 'sample', other: 'other', text: 'sample' },
  boolean: { ts: 'boolean', value: false, other: true, text: '' },
  number: { ts: 'number', value: 7, other: 8, text: '7' },
  duration: { ts: 'number', value: 60, other: 120, text: '1m' },
  date: {
    ts: 'Date',
    value: '2094-01-31T00:00:00.000Z',
    other: '2095-01-31T00:00:00.000Z',
    text: '2094-01-31T00:00:00Z',
  },
  // An address that is a scope and the name of a role as well.
  list: { ts: 'string[]', value: ['10.0.0.1'], other: ['10.0.0.2'], text: '10.0.0.1' },
  origins: {
    ts: 'string[]',
    value: ['https://a.example'],
    other: ['https://b.example'],
    text: 'https://a.example',
  },
  environment: { ts: 'Environment', value: 'live', other: 'test', text: 'live' },
  limits: {
    ts: 'Limit[]',
    value: [{ name: 'a', limit: 1, windowSeconds: 60 }],
    other: [{ name: 'a', limit: 2, windowSeconds: 60 }],
    text: '[{"name":"a","limit":1,"windowSeconds":60}]',
  },
  quotas: {
    ts: 'Quota[]',
    value: [{ name: 'a', amount: 1, period: 'day', timeZone: 'UTC' }],
    other: [{ name: 'a', amount: 2, period: 'day', timeZone: 'UTC' }],
    text: '[{"name":"a","amount":1,"period":"day"}]',
  },
  status: { ts: 'ApiKeyStatus', value: 'active', other: 'disabled', text: 'active' },
  reason: { ts: 'RevocationReason', value: 'abuse', other: 'unused', text: 'abuse' },
  json: { ts: 'Record<string, unknown>', value: { a: 1 }, other: { a: 2 }, text: '{"a":1}' },
}
const samples = (kind: 'value' | 'other', of = settable): Record<string, unknown> =>
  Object.fromEntries(of.map(({ name, type }) => [name, types[type][kind]]))

describe('the table agrees with index.d.ts', () => {
  test('on the fields of a key, and on their types', () => {
    const declared = Object.entries(fieldsOf('ApiKey')).map(([name, type]) => [
      name,
      type.replace(/ \| null$/, ''),
    ])
    const table = fields.map(({ name, type }) => [name, types[type].ts])
    expect(table.sort()).toEqual(declared.sort())
  })

  test('on what may be set, what is required, and what may only be cleared', () => {
    // The idempotency key is one of the call, and not of the API key.
    const { idempotencyKey: _, ...input } = fieldsOf('CreateApiKeyInput')
    const initial = named(({ access }) => access === 'initial')
    const settable = named(({ access }) => access === 'settable')
    expect([...initial, ...settable].sort()).toEqual(Object.keys(input).sort())
    expect(named(({ required }) => required)).toEqual(
      Object.keys(input).filter((name) => !input[name]!.endsWith('| null')),
    )
    const changes = Object.keys(fieldsOf('ApiKeyChanges'))
    expect(changes.sort()).toEqual(settable.sort())
    const patch = Object.keys(fieldsOf('PatchApiKeyInput')).filter(
      (name) => !changes.includes(name),
    )
    expect(named(({ access }) => access === 'clearable').sort()).toEqual(
      patch.filter((name) => name !== 'id').sort(),
    )
  })

  test('on the filters of a list', () => {
    const { filters } = require('../../lib/key-filters.js') as { filters: Field[] }
    // The command line has `--status` for `isActive`.
    const declared = Object.keys(fieldsOf('ApiKeyFilter')).filter((name) => name !== 'isActive')
    expect(filters.map(({ name }) => name).sort()).toEqual(declared.sort())
  })
})

describe('a row is enough', () => {
  // Only publishable keys have origins.
  const kinds = { publishable: { prefix: 'pk' } }
  const { url } = useAddon({ kinds, jwtSecret: 'the secret of the fields, of 32 bytes or more' })
  const routes = next.apiKeyRoutes()
  let token: string
  let env: Record<string, string>
  beforeAll(async () => {
    // A role must be there before a key names it.
    for (const name of types.list.value.concat(types.list.other))
      await addon.setRole({ name, scopes: [] })
    token = (await addon.createAdminToken({ name: 'All', permissions: ['*'] })).token
    env = { DATABASE_URL: url(), API_KEYS_KINDS: JSON.stringify(kinds) }
  })

  const send = async (method: 'POST' | 'PUT' | 'PATCH', body: object) => {
    const headers = { 'x-admin-token': token }
    const init = { method, headers, body: JSON.stringify(body) }
    return read(await routes[method](new Request(`${HOST}/api/keys`, init)))
  }
  const unsettable = samples(
    'value',
    fields.filter(({ access }) => access === 'readOnly' || access === 'clearable'),
  )

  test('for the routes: POST sets each settable field, and ignores the others', async () => {
    const { status, body } = await send('POST', { ...unsettable, ...samples('value') })
    expect(status).toBe(201)
    expect(body).toMatchObject(samples('value'))
    for (const [name, value] of Object.entries(unsettable)) expect(body[name]).not.toEqual(value)
  })

  test.each(['PUT', 'PATCH'] as const)('for the routes: %s changes each', async (method) => {
    const { body: made } = await send('POST', samples('value'))
    const readOnly = named(({ access }) => access === 'readOnly')
    const shown = method === 'PUT' ? Object.keys(unsettable) : readOnly
    const ignored = Object.fromEntries(shown.map((name) => [name, unsettable[name]]))
    const changed = await send(method, { id: made.id, ...ignored, ...samples('other') })
    expect(changed).toMatchObject({ status: 200, body: samples('other') })
    const cleared = named(({ access }) => access === 'clearable').map((name) => [name, null])
    const clearing = await send(method, { id: made.id, ...Object.fromEntries(cleared) })
    expect(clearing.status).toBe(200)
  })

  test('for dates, in keys and in the changes of an event', async () => {
    const dates = named(({ type }) => type === 'date')
    const { id } = await addon.createApiKey(samples('value') as never)
    const key = (await addon.getApiKey(id))! as unknown as Record<string, unknown>
    for (const name of dates) {
      expect(key[name] === null || key[name] instanceof Date, name).toBe(true)
    }
    for (const name of named(({ type, access }) => type === 'date' && access === 'settable')) {
      const events: any[] = []
      const stop = addon.onEvent((event) => void events.push(event))
      await addon.patchApiKey({ id, [name]: types.date.other } as never)
      await expect.poll(() => events.length).toBeGreaterThan(0)
      stop()
      const { before, after } = events[0].changes[name]
      expect([before, after]).toEqual([new Date(types.date.value), new Date(types.date.other)])
    }
  })

  test('for the command line: options, filters and the record of a key', async () => {
    const options = settable.flatMap(({ option, type }) =>
      option ? [`--${option}`, types[type].text] : [],
    )
    const made = await json(['keys', 'create', ...options], { env })
    const byOption = settable.filter(({ option }) => option)
    expect(made).toMatchObject(samples('value', byOption))
    // `isActive` has flags of its own.
    expect(settable.filter(({ option }) => !option).map(({ name }) => name)).toEqual(['isActive'])

    for (const [name, option] of [
      ['clientId', 'client'],
      ['createdBy', 'created-by'],
    ] as const) {
      const { keys } = await json(['keys', 'list', `--${option}`, made[name]], { env })
      expect(keys.map((key: any) => key.id)).toContain(made.id)
      const others = await json(['keys', 'list', `--${option}`, 'nobody'], { env })
      expect(others.keys).toEqual([])
    }

    const { stdout } = await cli(['keys', 'show', made.id], { env })
    for (const { label, hideEmpty } of fields) {
      if (label && !hideEmpty) expect(stdout).toMatch(new RegExp(`^${label}  `, 'm'))
    }

    const clear = fields.flatMap(({ access, required, option, clear }) =>
      clear ? [clear] : access === 'settable' && option && !required ? [option] : [],
    )
    const cleared = await json(['keys', 'update', made.id, '--clear', clear.join(',')], { env })
    for (const { name, required } of byOption) {
      if (!required) expect(cleared[name] ?? [], name).toEqual([])
    }
  })
})
