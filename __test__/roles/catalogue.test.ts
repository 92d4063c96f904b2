import { describe, expect, test, vi } from 'vitest'
import { addon, untyped } from '../support/addon.js'
import { invalidFields } from '../support/faults.js'
import { HOST, next, read } from '../support/next.js'
import { useSetting } from '../support/setting.js'

const { configure, createApiKey, listApiKeys, listScopes, patchApiKey } = addon
const { revokeApiKeys, setRole, updateApiKey, verifyApiKey } = addon

const scopes = {
  'docs:read': { label: 'Read documents' },
  'docs:write': { label: 'Write documents', implies: ['docs:read'] },
  'project:{id}:read': {},
  'project:{id}:write': { implies: ['project:{id}:read'] },
  'project:{id}:admin': { implies: ['project:{id}:write', 'docs:write'] },
}
const setting = useSetting({ scopes })

const made = (scopes: string[], roles: string[] = []): ReturnType<typeof createApiKey> =>
  createApiKey({ name: 'n', clientId: 'c', scopes, roles })
async function holds(key: string, scope: string): Promise<boolean> {
  return (await verifyApiKey(key, { scopes: [scope] })).valid
}

test('keys and roles may hold what covers a scope of the catalogue', async () => {
  const good = ['*', 'docs:*', 'docs:read', 'project:7:read', 'project:*:read', 'project:7:*']
  expect((await made(good)).scopes).toEqual(good)
  expect(await setRole({ name: 'good', scopes: good })).toMatchObject({ scopes: good })
})

test('an unknown scope is refused in keys and roles, when they are made and when they are changed', async () => {
  const bad = ['docs:read', 'docs:delete', 'mail:*', 'project::read']
  const { id } = await made([])
  const paths = [1, 2, 3].map((at) => `scopes[${at}]`)
  for (const refused of [
    () => made(bad),
    () => patchApiKey({ id, scopes: bad }),
    () => updateApiKey({ id, scopes: bad }),
    () => setRole({ name: 'bad', scopes: bad }),
  ])
    expect(await invalidFields(refused)).toEqual(paths)
})

test('what is implied counts, on and on, for the same project only', async () => {
  const { key } = await made(['project:7:admin'])
  await setRole({ name: 'all projects', scopes: ['project:*:write'] })
  const other = await made([], ['all projects'])
  // Cold, then warm.
  for (let round = 0; round < 2; round++) {
    for (const scope of ['project:7:read', 'project:7:write', 'docs:write', 'docs:read'])
      expect(await holds(key, scope)).toBe(true)
    expect(await holds(key, 'project:8:read')).toBe(false)
    expect(await holds(other.key, 'project:8:read')).toBe(true)
    expect(await holds(other.key, 'project:8:admin')).toBe(false)
  }
  const answer = await verifyApiKey(key)
  expect(answer.valid && answer.scopes).toEqual([
    'project:7:admin',
    ...['project:7:write', 'docs:write', 'project:7:read', 'docs:read'],
  ])
  const role = await verifyApiKey(other.key)
  expect(role.valid && role.scopes).toEqual(['project:*:write', 'project:*:read'])
})

test('a key shows its own scopes, and what it implies costs nothing more', async () => {
  const [issued] = await setting.warmKeys(1, { scopes: ['docs:write'] })
  expect(issued!.scopes).toEqual(['docs:write'])
  const cost = await setting.cost(async () => {
    expect(await holds(issued!.key, 'docs:read')).toBe(true)
  })
  expect(cost).toEqual({ hashes: 0, selects: 0, statements: [] })
})

describe('the filter `scope`', () => {
  const found = async (scope: string): Promise<string[]> =>
    (await listApiKeys({ scope, clientId: 'listed', limit: 100 })).keys.map(({ id }) => id).sort()

  test('finds the keys that a verify accepts, by what their scopes and roles imply', async () => {
    await setRole({ name: 'admin of 7', scopes: ['project:7:admin'] })
    await setRole({ name: 'writer of 8', scopes: ['project:8:write'] })
    const held = [
      ...['*', 'docs:*', 'docs:read', 'docs:write', 'project:*', 'project:7:*', 'project:*:write'],
      ...['project:7:read', 'project:7:write', 'project:8:admin', 'project:*:admin', '*:7:write'],
    ]
    const all = await Promise.all([
      ...held.map((scope) => listed({ scopes: [scope] })),
      listed({ roles: ['admin of 7'] }),
      listed({ roles: ['writer of 8'], scopes: ['docs:read'] }),
      listed({}),
    ])
    const wanted = [
      ...['docs:read', 'docs:write', 'docs:*', 'project:7:read', 'project:8:read', '*'],
      ...['project:7:write', 'project:7:admin', 'project:9:admin', 'project:*:read', 'other:read'],
    ]
    for (const scope of wanted) {
      const accepted = await Promise.all(all.map(async ({ key }) => holds(key, scope)))
      const those = all.filter((_key, at) => accepted[at]).map(({ id }) => id)
      expect([scope, await found(scope)]).toEqual([scope, those.sort()])
    }
    const revoked = { scope: 'project:8:read', clientId: 'listed' }
    const { count } = await revokeApiKeys({ where: revoked, dryRun: true })
    expect(count).toBe((await found('project:8:read')).length)
  })

  test.each([
    ['', 'docs:read'],
    [':{id}', 'docs:read'],
    [':{id}', 'wide:7'],
  ])('copes with as many that imply it as there may be: all%s', async (end, implied) => {
    await addon.close()
    const target = implied === 'wide:7' ? 'wide:{id}' : implied
    const most = Array.from({ length: 499 }, (_, at) => [
      `all${at}:x:y${end}`,
      { implies: [target] },
    ])
    configure({ ...setting.options, scopes: { [target]: {}, ...Object.fromEntries(most) } })
    const clientId = `many ${end} ${implied}`
    const last = `all498:x:y${end.replace('{id}', '7')}`
    const { id } = await createApiKey({ name: 'n', clientId, scopes: [last] })
    await createApiKey({ name: 'n', clientId, scopes: [] })
    const { keys } = await listApiKeys({ clientId, scope: implied })
    expect(keys.map((key) => key.id)).toEqual([id])
    await addon.close()
    configure(setting.options)
  })

  const listed = (fields: { scopes?: string[]; roles?: string[] }): ReturnType<typeof made> =>
    createApiKey({ name: 'n', clientId: 'listed', ...fields })
})

test('the catalogue can be listed', () => {
  expect(listScopes()).toEqual(
    Object.entries(scopes).map(([scope, entry]) => ({
      scope,
      label: 'label' in entry ? entry.label : null,
      implies: 'implies' in entry ? entry.implies : [],
    })),
  )
})

describe('guards', () => {
  const guard = (scopes: unknown): unknown =>
    next.withApiKey(() => Response.json(true), { scopes } as object)
  const request = (key: string): Request =>
    new Request(`${HOST}/`, { headers: { 'x-api-key': key } })

  test.each([
    [['docs:read']],
    [['docs:*']],
    [{ any: ['project:7:read', { all: ['docs:write'] }] }],
  ])('may ask for what the catalogue has: %j', (scopes) => {
    expect(guard(scopes)).toBeTypeOf('function')
  })

  test.each([
    [['docs:delete']],
    [['docs:read', 'doc:read']],
    [{ any: ['docs:read', { all: ['project:7'] }] }],
  ])('throw when they are made if they ask for something else: %j', (scopes) => {
    expect(() => guard(scopes)).toThrow(TypeError)
    expect(() => guard(scopes)).toThrow(/not in the catalogue/)
  })

  test('whose function answers something else fail', async () => {
    const { key } = await made(['*'])
    const handler = next.withApiKey(() => Response.json(true), {
      scopes: (request: Request) => [`project:${new URL(request.url).searchParams.get('id')}:read`],
    })
    const ask = async (id: string): ReturnType<typeof read> =>
      read(
        await handler(
          new Request(`${HOST}/?id=${id}`, { headers: { 'x-api-key': key } }) as never,
          {} as never,
        ),
      )
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    expect((await ask('7')).status).toBe(200)
    for (const id of ['7:8', ''])
      expect(await ask(id)).toMatchObject({ status: 500, body: { code: 'CONFIGURATION' } })
    expect(log).toHaveBeenCalledTimes(2)
    log.mockRestore()
  })

  test('that were made before the options are known fail at each request', async () => {
    const { key } = await made(['*'])
    await addon.close()
    const bad = guard(['docs:delete']) as (request: Request, context: object) => Promise<Response>
    const good = guard(['docs:read']) as typeof bad
    configure(setting.options)
    for (let round = 0; round < 2; round++) {
      const answer = await read(await bad(request(key), {}))
      expect(answer).toMatchObject({ status: 500, body: { code: 'CONFIGURATION' } })
      expect((await good(request(key), {})).status).toBe(200)
    }
  })
})

test('a change of the catalogue needs no change of keys, and none refuses them', async () => {
  const { key } = await made(['docs:write'])
  await addon.close()
  configure({
    ...setting.options,
    scopes: { 'docs:read': {}, 'a:b': {}, 'docs:write': { implies: ['a:b'] } },
  })
  expect(await holds(key, 'docs:read')).toBe(false)
  expect(await holds(key, 'a:b')).toBe(true)
  await addon.close()
  configure({ ...setting.options, scopes: { other: {} } })
  expect(await holds(key, 'docs:write')).toBe(true)
  await addon.close()
  configure({ ...setting.options, scopes: null })
  expect(listScopes()).toBeNull()
  expect((await made(['anything'])).scopes).toEqual(['anything'])
  await addon.close()
  configure(setting.options)
})

test('no key or role implies too many', async () => {
  await addon.close()
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`x:{id}:${at}`, {}]))
  configure({
    ...setting.options,
    scopes: { ...many, 'all:{id}': { implies: Object.keys(many) } },
  })
  const some = Array.from({ length: 20 }, (_, at) => `all:${at}`)
  expect(await invalidFields(() => made(some))).toEqual(['scopes'])
  expect(await invalidFields(() => setRole({ name: 'x', scopes: some }))).toEqual(['scopes'])
  expect(await holds((await made(some.slice(1))).key, 'x:19:99')).toBe(true)
  await addon.close()
  configure(setting.options)
})

test.each<[string, unknown]>([
  ['a list', ['docs:read']],
  ['a text', 'docs:read'],
  ['a scope that is none', { 'a b': {} }],
  ['a wildcard', { 'docs:*': {} }],
  ['null for a scope', { a: null }],
  ['an unknown field', { a: { lable: 'A' } }],
  ['an empty label', { a: { label: '' } }],
  ['implies that is no list', { a: { implies: 'b' }, b: {} }],
  ['an implied scope that there is not', { a: { implies: ['b'] } }],
  ['an implied {id} that there is not', { a: { implies: ['b:{id}'] }, 'b:{id}': {} }],
  ['too many', Object.fromEntries(Array.from({ length: 501 }, (_, at) => [`s${at}`, {}]))],
])('a catalogue with %s is refused', (_what, scopes) => {
  expect(() => untyped.configure!({ ...setting.options, scopes })).toThrow(
    expect.objectContaining({ code: 'CONFIGURATION', message: expect.stringMatching(/scopes/) }),
  )
})
