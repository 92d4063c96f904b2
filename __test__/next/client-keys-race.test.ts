import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ClientKeyOwner } from '../../next.js'
import { addon, cheapHashing } from '../support/addon.js'
import { next } from '../support/next.js'
import { startPeer, type Here, type Peer } from '../support/peer.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, getClient, listApiKeys, revokeApiKey, setClient } = addon

const { url } = useAddon()

let peers: Peer[]
beforeAll(async () => {
  await addon.migrate()
  // One of them as behind a pooler, where each operation is a transaction.
  peers = await Promise.all(
    [url(), `${url()}?pgbouncer=true`].map((databaseUrl) =>
      startPeer({ databaseUrl, ...cheapHashing }),
    ),
  )
})
afterAll(() => Promise.all(peers.map((peer) => peer.stop())))

const ownerOf = (clientId: string, maxKeys: number): ClientKeyOwner => ({
  ...{ clientId, grantable: [], ceilings: { maxKeys }, permissions: ['create'] },
})

/** Asks for so many keys at once, and answers with the statuses. It runs in other processes too. */
async function creations(
  { require }: Pick<Here, 'require'>,
  owner: ClientKeyOwner,
  count: number,
): Promise<string[]> {
  const { POST } = require('@sophra/api-keys/next').clientKeyRoutes({ owner: () => owner })
  const create = async (_: unknown, index: number): Promise<string> => {
    const headers = { origin: 'https://a.example', 'content-type': 'application/json' }
    const body = JSON.stringify({ name: `key ${index}` })
    const url = 'https://a.example/keys'
    const answer = await POST(new Request(url, { method: 'POST', headers, body }))
    const { code } = await answer.json()
    return code ? `${answer.status} ${code}` : `${answer.status}`
  }
  return Promise.all(Array.from({ length: count }, create))
}

/** The answers to 50 creations at once in three processes. */
async function race(owner: ClientKeyOwner): Promise<Record<string, number>> {
  const here = { require: () => next } as never
  const answers = await Promise.all([
    creations(here, owner, 17),
    ...peers.map((peer, index) => peer.run(creations, owner, 17 - index)),
  ])
  const counts: Record<string, number> = {}
  for (const answer of answers.flat()) counts[answer] = (counts[answer] ?? 0) + 1
  return counts
}

test('50 creations at once in three processes make as many keys as the ceiling permits', async () => {
  for (const [clientId, maxKeys] of [
    ['none', 0],
    ['one', 1],
    ['five', 5],
  ] as const) {
    const counts = await race(ownerOf(clientId, maxKeys))
    expect(counts).toEqual({ ...(maxKeys && { 201: maxKeys }), '409 CONFLICT': 50 - maxKeys })
    expect((await listApiKeys({ clientId })).keys).toHaveLength(maxKeys)
  }
})

test('keys that are there count, revoked ones do not, and the lower of two ceilings holds', async () => {
  const clientId = 'mixed'
  const keys = await Promise.all([1, 2, 3].map((n) => createApiKey({ name: `${n}`, clientId })))
  await revokeApiKey({ id: keys[0]!.id })
  await setClient({ clientId, maxKeys: 4 })
  expect(await race(ownerOf(clientId, 30))).toEqual({ 201: 2, '409 CONFLICT': 48 })
  await setClient({ clientId, maxKeys: 100 })
  expect(await race(ownerOf(clientId, 7))).toEqual({ 201: 3, '409 CONFLICT': 47 })
  expect(await getClient(clientId)).toMatchObject({ keyCount: 7 })
})

test('clients do not wait for each other', async () => {
  const counts = await Promise.all(['a', 'b', 'c'].map((id) => race(ownerOf(id, 4))))
  for (const count of counts) expect(count).toEqual({ 201: 4, '409 CONFLICT': 46 })
})
