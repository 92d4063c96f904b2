import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { startPeer } from '../support/peer.js'
import { ask, next } from '../support/next.js'
import { useAddon } from '../support/use-addon.js'
import { derived, jwtSecret } from './support.js'

const kinds = {
  secret: { prefix: 'sec' },
  publishable: { prefix: 'pub', allowedScopes: ['docs:read'] },
}
const database = useAddon({ jwtSecret, kinds, environment: ['live', 'test'] })

const { createApiKey, verifyApiKey } = addon

test('a token is of the kind and the environment of its key', async () => {
  const secret = await createApiKey({ name: 'Key', clientId: 'c', scopes: ['docs:read'] })
  const page = await createApiKey({
    name: 'Page',
    clientId: 'c',
    kind: 'publishable',
    environment: 'test',
    scopes: ['docs:read'],
  })
  const [ofSecret, ofPage] = [await derived(secret.key), await derived(page.key)]
  const guarded = next.withApiKey(() => Response.json({}))
  for (let i = 0; i < 3; i++) {
    expect(await verifyApiKey(ofSecret)).toMatchObject({ kind: 'secret', environment: 'live' })
    expect(await verifyApiKey(ofPage)).toMatchObject({ kind: 'publishable', environment: 'test' })
    expect((await verifyApiKey(ofPage, { kinds: ['secret'] })).code).toBe('WRONG_KIND')
    expect((await verifyApiKey(ofPage, { environments: ['live'] })).code).toBe('WRONG_ENVIRONMENT')
    expect((await ask(guarded, { 'x-api-key': ofSecret })).status).toBe(200)
    expect(await ask(guarded, { 'x-api-key': ofPage })).toMatchObject({
      status: 401,
      body: { code: 'WRONG_KIND' },
    })
  }
})

test('what the kind does not allow, no token of the key holds, whatever the row says', async () => {
  const { id, key } = await createApiKey({
    name: 'Page',
    clientId: 'c',
    kind: 'publishable',
    scopes: ['docs:read'],
  })
  const token = await derived(key)
  const verified = await verifyApiKey(key)
  await database.sql(`UPDATE "ApiKey" SET "scopes" = '{*}' WHERE "id" = $1`, [id])
  await expect(
    addon.deriveToken(verified as never, { scopes: ['docs:write'] }),
  ).rejects.toMatchObject({
    code: 'INVALID_INPUT',
  })
  for (const text of [token, await derived(verified as never)])
    expect((await verifyApiKey(text, { scopes: ['docs:write'] })).code).toBe('INSUFFICIENT_SCOPE')
})

test('a process of another environment takes no token of its keys', async () => {
  const { key } = await createApiKey({ name: 'Key', clientId: 'c', environment: 'test' })
  const token = await derived(key)
  const peer = await startPeer({
    databaseUrl: database.url(),
    jwtSecret,
    kinds,
    environment: 'live',
  })
  try {
    const answer = await peer.run(({ api }, token) => api.verifyApiKey(token), token)
    expect(answer).toMatchObject({ code: 'INVALID_KEY' })
  } finally {
    await peer.stop()
  }
})
