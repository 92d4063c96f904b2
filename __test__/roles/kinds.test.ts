import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useSetting } from '../support/setting.js'

const { createApiKey, setRole, verifyApiKey } = addon

useSetting({
  kinds: {
    secret: { prefix: 'sk' },
    publishable: { prefix: 'pk', allowedScopes: ['docs:read', 'search', 'project:*:read'] },
  },
})

test('a role gives a key no more than its kind allows', async () => {
  const scopes = ['docs:*', 'search', 'mail:send', 'project:7:*']
  await setRole({ name: 'wide', scopes })
  const made = (kind: string): ReturnType<typeof createApiKey> =>
    createApiKey({ name: 'n', clientId: 'c', kind, roles: ['wide'] })
  const { key } = await made('publishable')
  for (let round = 0; round < 2; round++) {
    const answer = await verifyApiKey(key)
    expect(answer.valid && [...answer.scopes].sort()).toEqual([
      'docs:read',
      'project:7:read',
      'search',
    ])
    for (const scope of ['docs:read', 'search', 'project:7:read'])
      expect(await verifyApiKey(key, { scopes: [scope] })).toMatchObject({ valid: true })
    for (const scope of ['docs:write', 'mail:send', 'project:7:write', 'project:8:read'])
      expect(await verifyApiKey(key, { scopes: [scope] })).toMatchObject({ missingScopes: [scope] })
  }
  const secret = await verifyApiKey((await made('secret')).key)
  expect(secret.valid && secret.scopes).toEqual(scopes)
})
