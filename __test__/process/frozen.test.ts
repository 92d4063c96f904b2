import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { startPeer, type Peer } from '../support/peer.js'
import type { Issued } from '../support/setting.js'
import { startTap, type Tap } from '../support/tap.js'
import { terminate } from '../support/terminate.js'

// A platform stops a process between two requests, and lets it go on for the next one: for longer than cached keys may be
// believed, and for longer than its connections have lived.

const { createApiKey, deleteApiKey, patchApiKey } = addon

const options = {
  jwtSecret: 'a secret that is long enough to be one',
  stalenessSeconds: 2,
  suspensionSeconds: 0,
  ...cheapHashing,
} as const

let database: Database
beforeAll(async () => {
  database = await freshDatabase()
  addon.configure({ databaseUrl: database.url, ...options })
  await addon.migrate()
})
afterAll(async () => {
  await addon.close()
  await database.drop()
})

const newKey = (name: string): Promise<Issued> => createApiKey({ name, clientId: 'c' })

const verifyBy = (peer: Peer, key: string): Promise<string> =>
  peer.run(async ({ api }, key) => (await api.verifyApiKey(key)).code, key)

const createBy = (peer: Peer): Promise<string> =>
  peer.run(async ({ api }) => {
    const { key } = await api.createApiKey({ name: 'n', clientId: 'c' })
    return (await api.verifyApiKey(key)).code
  })

interface Frozen {
  peer: Peer
  tap: Tap
}

/** What happens to the connections meanwhile. */
const ways: [string, (tap: Tap) => void | Promise<void>][] = [
  ['stay as they are', () => {}],
  ['are terminated', (tap) => terminate(tap, database.sql)],
  ['are silently dropped', (tap) => tap.forget(/[^]*/)],
]

/** The first call of a process that goes on, and its answer. */
const first: [string, 'revoked' | 'deleted' | 'valid' | 'unseen' | 'none', string][] = [
  ['a key that was revoked meanwhile', 'revoked', 'DISABLED'],
  ['a key that was deleted meanwhile', 'deleted', 'INVALID_KEY'],
  ['a key that is still valid', 'valid', 'VALID'],
  ['a key that it has never seen', 'unseen', 'VALID'],
  ['a key that it makes itself', 'none', 'VALID'],
]

describe.each(ways)('a process that was stopped, while its connections %s', (_, happens) => {
  const keys = {} as Record<'revoked' | 'deleted' | 'valid' | 'unseen', Issued>
  let frozen: Frozen[] = []

  beforeAll(async () => {
    for (const name of ['revoked', 'deleted', 'valid', 'unseen'] as const)
      keys[name] = await newKey(name)
    // One for each question: only its first call tells.
    frozen = await Promise.all(
      first.map(async () => {
        const tap = await startTap(database.url)
        const peer = await startPeer({ ...options, databaseUrl: tap.url })
        return { tap, peer }
      }),
    )
    for (const { peer } of frozen) {
      for (const name of ['revoked', 'deleted', 'valid'] as const)
        expect(await verifyBy(peer, keys[name].key)).toBe('VALID')
    }

    for (const { peer } of frozen) peer.signal('SIGSTOP')
    const stoppedAt = performance.now()
    await patchApiKey({ id: keys.revoked.id, isActive: false })
    await deleteApiKey(keys.deleted.id)
    for (const { tap } of frozen) await happens(tap)
    const stale = options.stalenessSeconds * 1_000 + 500
    await eventually(() => expect(performance.now() - stoppedAt).toBeGreaterThan(stale))
  })
  afterAll(async () => {
    for (const { peer, tap } of frozen) {
      peer.signal('SIGCONT')
      await peer.stop()
      await tap.close()
    }
  })

  test.each(first.map((question, at) => [...question, at] as const))(
    '%s is answered the first time',
    async (_, name, code, at) => {
      const { peer } = frozen[at]!
      // It is there before anything else can be done.
      const answer = name === 'none' ? createBy(peer) : verifyBy(peer, keys[name].key)
      peer.signal('SIGCONT')
      expect(await answer).toBe(code)
    },
  )
})
