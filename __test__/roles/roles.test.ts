import { describe, expect, test } from 'vitest'
import { addon, untyped } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { invalidFields } from '../support/faults.js'
import { LOOKUP, useSetting } from '../support/setting.js'

const { createApiKey, deleteApiKey, deleteRole, getApiKey, listApiKeys, listRoles } = addon
const { patchApiKey, revokeApiKey, setRole, updateApiKey, verifyApiKey } = addon

const setting = useSetting()

const made = (roles: string[], scopes: string[] = []): ReturnType<typeof createApiKey> =>
  createApiKey({ name: 'n', clientId: 'c', roles, scopes })
async function scopesOf(key: string): Promise<string[] | null> {
  const answer = await verifyApiKey(key)
  return answer.valid ? [...answer.scopes] : null
}
const codeOf = async (key: string, scope: string): Promise<string> =>
  (await verifyApiKey(key, { scopes: [scope] })).code

test('roles are set, replaced, listed by name and deleted', async () => {
  expect(await setRole({ name: 'b', scopes: ['x:read', 'x:*'] })).toEqual({
    name: 'b',
    scopes: ['x:read', 'x:*'],
  })
  await setRole({ name: 'a b', scopes: [] })
  await setRole({ name: 'b', scopes: ['y'] })
  expect(await listRoles()).toEqual([
    { name: 'a b', scopes: [] },
    { name: 'b', scopes: ['y'] },
  ])
  expect(await deleteRole('b')).toBeUndefined()
  await deleteRole('a b')
  expect(await listRoles()).toEqual([])
  await expect(deleteRole('b')).rejects.toMatchObject({ code: 'NOT_FOUND', status: 404 })
})

test('a key holds its own scopes and those of its roles, and has its own', async () => {
  await setRole({ name: 'reader', scopes: ['docs:read', 'mail:read'] })
  await setRole({ name: 'writer', scopes: ['docs:read', 'docs:write', 'project:*:read'] })
  const issued = await made(['reader', 'writer', 'reader'], ['own', 'mail:read'])
  expect(issued).toMatchObject({ roles: ['reader', 'writer'], scopes: ['own', 'mail:read'] })
  expect(await getApiKey(issued.id)).toMatchObject({
    roles: ['reader', 'writer'],
    scopes: ['own', 'mail:read'],
  })
  const all = ['own', 'mail:read', 'docs:read', 'docs:write', 'project:*:read']
  // Cold, then warm.
  for (let round = 0; round < 2; round++) {
    expect((await scopesOf(issued.key))!.sort()).toEqual([...all].sort())
    for (const scope of ['own', 'docs:write', 'project:7:read', 'mail:read'])
      expect(await codeOf(issued.key, scope)).toBe('VALID')
    expect(await verifyApiKey(issued.key, { scopes: ['docs:read', 'z'] })).toMatchObject({
      code: 'INSUFFICIENT_SCOPE',
      missingScopes: ['z'],
    })
  }
  await patchApiKey({ id: issued.id, roles: ['writer'] })
  expect(await scopesOf(issued.key)).not.toContain('x')
  expect(await patchApiKey({ id: issued.id, roles: null })).toMatchObject({ roles: [] })
  expect(await scopesOf(issued.key)).toEqual(['own', 'mail:read'])
})

test('roles stay when a key is changed or rotated', async () => {
  await setRole({ name: 'stays', scopes: ['s'] })
  const { id } = await made(['stays'])
  const rotated = await updateApiKey({ id, name: 'other', regenerateKey: true })
  expect(rotated.roles).toEqual(['stays'])
  expect(await codeOf(rotated.key!, 's')).toBe('VALID')
})

test('a change holds here at once, and costs no hash', async () => {
  await setRole({ name: 'here', scopes: ['a'] })
  const { key } = await made(['here'])
  for (let round = 0; round < 20; round++) {
    await setRole({ name: 'here', scopes: ['a'] })
    expect(await codeOf(key, 'a')).toBe('VALID')
    await setRole({ name: 'here', scopes: ['b'] })
    expect(await codeOf(key, 'a')).toBe('INSUFFICIENT_SCOPE')
  }
  await setRole({ name: 'here', scopes: ['c'] })
  // Of its own change this process hears once more.
  await setting.caughtUp()
  const cost = await setting.cost(async () => {
    for (let round = 0; round < 10; round++) expect(await codeOf(key, 'c')).toBe('VALID')
  })
  expect(cost).toMatchObject({ hashes: 0, statements: [expect.stringMatching(LOOKUP)] })
})

test.each<[string, (scopes: string[]) => Promise<unknown>]>([
  [
    'another process',
    (scopes) => setting.peer.run(({ api }, scopes) => api.setRole({ name: 'far', scopes }), scopes),
  ],
  [
    'SQL',
    (scopes) =>
      setting.sql(`UPDATE sophra_api_keys.roles SET scopes = $1 WHERE name = 'far'`, [scopes]),
  ],
  [
    'SQL that replaces the row',
    async (scopes) => {
      await setting.sql(`DELETE FROM sophra_api_keys.roles WHERE name = 'far'`)
      await setting.sql(`INSERT INTO sophra_api_keys.roles (name, scopes) VALUES ('far', $1)`, [
        scopes,
      ])
    },
  ],
])('a change by %s reaches all cached keys of the role, and no other key', async (_by, change) => {
  await setRole({ name: 'far', scopes: ['a'] })
  await setRole({ name: 'near', scopes: ['n'] })
  const keys = await setting.warmKeys(20, { roles: ['far', 'near'] })
  const [other] = await setting.warmKeys(1, { roles: ['near'] })
  await setting.caughtUp()
  await change(['b'])
  await setting.caughtUp()
  const cost = await setting.cost(async () => {
    expect(await codeOf(other!.key, 'n')).toBe('VALID')
  })
  expect(cost).toEqual({ hashes: 0, selects: 0, statements: [] })
  for (const { key } of keys) {
    expect(await codeOf(key, 'b')).toBe('VALID')
    expect(await codeOf(key, 'a')).toBe('INSUFFICIENT_SCOPE')
  }
})

test('a key whose role is gone holds its other scopes only, until the role is there again', async () => {
  await setRole({ name: 'gone', scopes: ['a'] })
  await setRole({ name: 'left', scopes: ['b'] })
  const [{ key, id }] = await setting.warmKeys(1, { roles: ['gone', 'left'], scopes: ['c'] })
  await setting.sql(`DELETE FROM sophra_api_keys.roles WHERE name = 'gone'`)
  await eventually(async () => expect((await scopesOf(key))!.sort()).toEqual(['b', 'c']))
  expect((await getApiKey(id))!.roles).toEqual(['gone', 'left'])
  // What does not touch the roles is not held up by one that is gone.
  await patchApiKey({ id, name: 'renamed' })
  expect(await invalidFields(() => patchApiKey({ id, roles: ['left', 'gone'] }))).toEqual([
    'roles[1]',
  ])
  await setRole({ name: 'gone', scopes: ['d'] })
  expect((await scopesOf(key))!.sort()).toEqual(['b', 'c', 'd'])
  await setting.sql('TRUNCATE sophra_api_keys.roles')
  await eventually(async () => expect(await scopesOf(key)).toEqual(['c']))
})

test('a role that a key names must be there when the key is made and when it is changed', async () => {
  await setRole({ name: 'there', scopes: [] })
  const fields = await invalidFields(() => made(['there', 'not there']))
  expect(fields).toEqual(['roles[1]'])
  const { id } = await made(['there'])
  for (const change of [patchApiKey, updateApiKey]) {
    expect(await invalidFields(() => change({ id, roles: ['nope'] }))).toEqual(['roles[0]'])
  }
  expect((await getApiKey(id))!.roles).toEqual(['there'])
})

test('a role that a key names is not deleted, even if the key is revoked', async () => {
  await setRole({ name: 'used', scopes: ['u'] })
  const first = await made(['used'])
  const second = await made(['used'])
  await revokeApiKey({ id: second.id })
  const conflict = { code: 'CONFLICT', status: 409, message: expect.stringMatching(/used by keys/) }
  await expect(deleteRole('used')).rejects.toMatchObject(conflict)
  await deleteApiKey(first.id)
  await expect(deleteRole('used')).rejects.toMatchObject(conflict)
  await patchApiKey({ id: second.id, roles: [] })
  await deleteRole('used')
})

test('no key names a role that is deleted at the same time', async () => {
  for (let round = 0; round < 30; round++) {
    const name = `raced ${round}`
    await setRole({ name, scopes: [] })
    const { id } = await made([])
    const ended = await Promise.allSettled([
      made([name]),
      deleteRole(name),
      patchApiKey({ id, roles: [name] }),
      setting.peer.run(({ api }, name) => api.deleteRole(name), name),
    ])
    const named = await listApiKeys({ clientId: 'c', limit: 1_000 })
    const users = named.keys.filter(({ roles }) => roles.includes(name))
    const isThere = (await listRoles()).some((role) => role.name === name)
    const what = JSON.stringify(ended.map(({ status }) => status))
    expect({ isThere, isUsed: users.length > 0 }, what).toSatisfy(
      (seen: { isThere: boolean; isUsed: boolean }) => seen.isThere || !seen.isUsed,
    )
    for (const end of ended)
      if (end.status === 'rejected')
        expect(String(end.reason)).toMatch(/role that was set|used by keys|Role not found/)
  }
})

test('lists find keys by the scopes of their roles', async () => {
  await setRole({ name: 'finds', scopes: ['find:*:it'] })
  const { id } = await made(['finds'])
  const own = await made([], ['find:1:it'])
  const idsOf = async (scope: string): Promise<string[]> =>
    (await listApiKeys({ scope })).keys.map((key) => key.id)
  expect((await idsOf('find:1:it')).sort()).toEqual([id, own.id].sort())
  expect(await idsOf('find:2:it')).toEqual([id])
  expect(await idsOf('find:it')).toEqual([])
})

test('warmUp loads the roles of keys too', async () => {
  // Behind the peppers of a secret; without one nothing is loaded, and the first verify reads the row.
  await setRole({ name: 'warmed', scopes: ['w'] })
  const [{ key }] = await setting.coldKeys(1, { roles: ['warmed'] })
  await addon.warmUp()
  await setRole({ name: 'warmed', scopes: ['v'] })
  expect(await scopesOf(key)).toEqual(['v'])
})

describe('what is wrong is said', () => {
  test.each<[string, unknown, string[]]>([
    ['nothing', undefined, ['']],
    ['no fields', {}, ['name', 'scopes']],
    ['an unknown field', { name: 'a', scopes: [], other: 1 }, ['other']],
    ['an empty name', { name: '', scopes: [] }, ['name']],
    ['a long name', { name: 'x'.repeat(101), scopes: [] }, ['name']],
    ['a control character', { name: 'a\n', scopes: [] }, ['name']],
    ['no list', { name: 'a', scopes: 'b' }, ['scopes']],
    ['null', { name: 'a', scopes: null }, ['scopes']],
    ['a scope that may not be', { name: 'a', scopes: ['b', 'c d'] }, ['scopes[1]']],
    ['too many', { name: 'a', scopes: Array(1_001).fill('b') }, ['scopes']],
  ])('setRole with %s', async (_what, input, paths) => {
    const fields = await invalidFields(() => untyped.setRole!(input))
    expect(fields.sort()).toEqual(paths)
  })

  test.each<[string, unknown, string[]]>([
    ['no list', 'a', ['roles']],
    ['a number', [1], ['roles[0]']],
    ['21 of them', Array.from({ length: 21 }, (_, at) => `${at}`), ['roles']],
  ])('roles that are %s', async (_what, roles, paths) => {
    const input = { name: 'n', clientId: 'c', roles }
    expect(await invalidFields(() => untyped.createApiKey!(input))).toEqual(paths)
  })

  test('deleteRole without a name', async () => {
    expect(await invalidFields(() => untyped.deleteRole!(null))).toEqual(['name'])
  })
})

test('there are at most 500 roles, whoever makes them at once', async () => {
  await setting.sql('TRUNCATE sophra_api_keys.roles')
  await setting.sql(
    `INSERT INTO sophra_api_keys.roles (name) SELECT 'r' || n FROM generate_series(1, 495) AS n`,
  )
  const ended = await Promise.allSettled(
    Array.from({ length: 20 }, (_, at) => setRole({ name: `more ${at}`, scopes: [] })),
  )
  const refused = ended.filter(({ status }) => status === 'rejected')
  expect(refused).toHaveLength(15)
  for (const end of refused) expect(end).toMatchObject({ reason: { code: 'CONFLICT' } })
  expect(await setRole({ name: 'r1', scopes: ['a'] })).toEqual({ name: 'r1', scopes: ['a'] })
  expect(await listRoles()).toHaveLength(500)
})
