import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { startPeer } from '../support/peer.js'
import { useSetting, type Issued } from '../support/setting.js'
import { terminate } from '../support/terminate.js'

const { createApiKey, listApiKeys, patchApiKey, verifyApiKey } = addon

// Connections that die while nobody uses them: the next call must not be the one to find out.

const setting = useSetting({ jwtSecret: 'a secret that is long enough to be one' })

/** How all connections of this process die. */
const ways: [string, () => void | Promise<void>][] = [
  [
    'were broken by the network',
    () => {
      setting.tap.cut()
      setting.tap.mend()
    },
  ],
  ['were terminated on the server', () => terminate(setting.tap, setting.sql)],
]

const calls: [string, (key: Issued) => Promise<void>][] = [
  [
    'verifyApiKey',
    async ({ id, key }) =>
      expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id }),
  ],
  [
    'createApiKey',
    async () => {
      const { id, key } = await createApiKey({ name: 'New', clientId: 'new' })
      expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
      expect(await setting.sql(`SELECT "name" FROM "ApiKey" WHERE "id" = $1`, [id])).toHaveLength(1)
    },
  ],
  [
    'patchApiKey',
    async ({ id }) => expect(await patchApiKey({ id, name: 'Patched' })).toMatchObject({ id }),
  ],
  [
    'listApiKeys',
    async ({ id }) =>
      expect((await listApiKeys({ limit: 1_000 })).keys).toContainEqual(
        expect.objectContaining({ id }),
      ),
  ],
]

describe.each(ways)('when all connections %s', (_, die) => {
  test.each(calls)('%s succeeds the first time', async (_, call) => {
    const [issued, ...others] = await setting.coldKeys(9)
    // So that there are several, and all of them idle.
    await Promise.all([
      ...others.map(({ key }) => verifyApiKey(key)),
      ...others.map(({ id }) => patchApiKey({ id, name: 'Other' })),
    ])
    await die()
    await call(issued!)
  })

  test('many calls at once succeed the first time', async () => {
    const keys = await setting.coldKeys(20)
    await die()
    const made = Promise.all(keys.slice(0, 5).map(() => createApiKey({ name: 'n', clientId: 'm' })))
    const answers = await Promise.all(keys.map(({ key }) => verifyApiKey(key)))
    expect(answers.map(({ keyId }) => keyId)).toEqual(keys.map(({ id }) => id))
    expect(new Set((await made).map(({ id }) => id)).size).toBe(5)
  })
})

test.each(ways)('calls that wait for the only connection when it %s succeed', async (_, die) => {
  const peer = await startPeer({ ...setting.options, poolMax: 1, databaseUrl: setting.tap.url })
  const keys = await setting.coldKeys(10)
  await peer.run(({ api }) => api.listApiKeys())
  await die()
  const names = await peer.run(
    async ({ api }, keys) => {
      const calls = keys.map(async ({ id, key }, n) => {
        if (n % 2 === 0) return (await api.patchApiKey({ id, name: 'Patched' })).name
        return (await api.verifyApiKey(key)).code
      })
      return Promise.all(calls)
    },
    keys.map(({ id, key }) => ({ id, key })),
  )
  expect(names).toEqual(keys.map((_, n) => (n % 2 === 0 ? 'Patched' : 'VALID')))
  await peer.stop()
})

test('no call that was repeated has made a second key', async () => {
  const [row] = await setting.sql(
    `SELECT count(*) FILTER (WHERE "clientId" = 'new')::int AS single,
            count(*) FILTER (WHERE "clientId" = 'm')::int AS together FROM "ApiKey"`,
  )
  expect(row).toEqual({ single: ways.length, together: ways.length * 5 })
})
