import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { faultOf } from '../support/faults.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, getApiKey, listApiKeys, patchApiKey, updateApiKey } = addon

const { sql } = useAddon()
const input = { name: 'n', clientId: 'created-by' }

describe('createdBy', () => {
  test('is the actor who created the key, whoever changes it later', async () => {
    const { id, createdBy } = await createApiKey(input, { actor: 'ops@example.com' })
    expect(createdBy).toBe('ops@example.com')
    await patchApiKey({ id, description: 'd' }, { actor: 'somebody else' })
    await updateApiKey({ id, regenerateKey: true }, { actor: 'somebody else' })
    expect(await getApiKey(id)).toMatchObject({ createdBy: 'ops@example.com' })
  })

  test('is null where nobody was named, and on rows of others', async () => {
    expect(await createApiKey(input)).toMatchObject({ createdBy: null })
    expect(await createApiKey(input, { actor: null })).toMatchObject({ createdBy: null })
    await sql(
      `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "updatedAt") VALUES ('legacy', 'k', 'c', 'n', now())`,
    )
    expect(await getApiKey('legacy')).toMatchObject({ createdBy: null })
  })

  test('selects the keys of a list', async () => {
    const actor = 'a list of "one" % actor'
    const ids = []
    for (let count = 0; count < 3; count++) ids.push((await createApiKey(input, { actor })).id)
    const first = await listApiKeys({ createdBy: actor, limit: 2 })
    const second = await listApiKeys({ createdBy: actor, limit: 2, cursor: first.nextCursor })
    expect([...first.keys, ...second.keys].map(({ id }) => id)).toEqual(ids.reverse())
    expect(second.nextCursor).toBeNull()
    expect((await listApiKeys({ createdBy: 'nobody' })).keys).toEqual([])
    expect((await listApiKeys({ createdBy: actor, clientId: 'another' })).keys).toEqual([])
  })

  test('cannot be set by an input', async () => {
    const { id } = await createApiKey(input, { actor: 'ops' })
    const attempts = [
      () => createApiKey({ ...input, createdBy: 'me' } as never),
      () => patchApiKey({ id, createdBy: 'me' } as never),
      () => updateApiKey({ id, createdBy: 'me' } as never),
      () => patchApiKey({ id, createdBy: null } as never),
    ]
    for (const attempt of attempts) {
      expect(await faultOf(attempt)).toMatchObject({
        code: 'INVALID_INPUT',
        issues: [{ path: 'createdBy', message: 'is not a known field' }],
      })
    }
    expect(await getApiKey(id)).toMatchObject({ createdBy: 'ops' })
  })
})
