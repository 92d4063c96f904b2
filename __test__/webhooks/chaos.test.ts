import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { startPeer, type Peer } from '../support/peer.js'
import { expectSigned, startReceiver, type Receiver } from '../support/receiver.js'
import { useAddon } from '../support/use-addon.js'

const PROCESSES = 3
const KEYS = 60
const BY_ADDON = 2_000
const BY_PSQL = 500
const KILLS = 3

const database = useAddon({ webhooks: 'off', webhookAllowedNetworks: ['127.0.0.0/8'] })

let peers: Peer[] = []
let receiver: Receiver
afterAll(async () => {
  await Promise.all(peers.map((peer) => peer.stop()))
  await receiver?.close()
})

const start = (): Promise<Peer> =>
  startPeer({
    databaseUrl: database.url(),
    ...cheapHashing,
    webhookAllowedNetworks: ['127.0.0.0/8'],
    webhookTimeoutMs: 500,
  })

/** Answers that fail in every way: an error, none at all, or a connection that breaks. */
function misbehave(): void {
  const kinds: Receiver['answers'] = [500, 503, 301, () => {}, (response) => response.destroy()]
  while (receiver.answers.length < 50)
    receiver.answers.push(randomInt(12) === 0 ? kinds[randomInt(kinds.length)]! : 200)
}

test('every notice arrives, in the order of its key, whatever fails and whoever is killed', async () => {
  receiver = await startReceiver()
  const port = Number(new URL(receiver.url).port)
  const { secret } = await addon.setWebhook({ url: receiver.url })
  peers = await Promise.all(Array.from({ length: PROCESSES }, start))
  const ids: string[] = []
  for (let i = 0; i < KEYS; i++)
    ids.push((await addon.createApiKey({ name: '0', clientId: 'c', rateLimit: 1 })).id)

  /** Changes by one process, which may be killed at any time: the next one goes on from there. */
  const work = async (place: number): Promise<void> => {
    const own = ids.filter((_, i) => i % PROCESSES === place)
    const most = Math.ceil(BY_ADDON / PROCESSES)
    for (let at = 0; at < most;) {
      const change = ({ api }: { api: typeof addon }, id: string, name: string) =>
        api.patchApiKey({ id, name }).then(() => {})
      try {
        await peers[place]!.run(change, own[at % own.length]!, String(at + 1))
        at++
      } catch (error) {
        expect(String(error)).toMatch(/The other process ended|EPIPE|channel closed/)
        peers[place] = await start()
      }
      misbehave()
    }
  }
  const psql = async (): Promise<void> => {
    for (let i = 0; i < BY_PSQL; i++) {
      const statement = `UPDATE "ApiKey" SET "rateLimit" = "rateLimit" + 1 WHERE "id" = $1`
      await database.sql(statement, [ids[randomInt(KEYS)]])
      if (i % 10 === 0) await delay(1)
    }
  }
  /** Kills the process that delivers, since the others wait for it. */
  const kill = async (): Promise<void> => {
    for (let i = 0; i < KILLS; i++) {
      await eventually(
        () => expect(receiver.arrived.length).toBeGreaterThan(400 * (i + 1)),
        120_000,
      )
      peers[randomInt(PROCESSES)]!.signal('SIGKILL')
      if (i > 0) continue
      // The receiver dies too, and comes back.
      const { arrived, answers } = receiver
      await receiver.close()
      await delay(500)
      const next = await startReceiver(port)
      next.arrived.push(...arrived)
      next.answers.push(...answers)
      receiver = next
    }
  }
  await Promise.all([work(0), work(1), work(2), psql(), kill()])
  receiver.answers.length = 0
  const written = await database.sql(
    `SELECT notice_id AS id, data ->> 'keyId' AS key FROM sophra_api_keys.notices AS notice ORDER BY notice.id`,
  )
  expect(written.length).toBeGreaterThanOrEqual(KEYS + BY_ADDON + BY_PSQL)
  await eventually(async () => {
    const [{ left } = {}] = await database.sql(
      `SELECT count(*)::integer AS left FROM sophra_api_keys.deliveries WHERE state <> 'delivered'`,
    )
    expect(left).toBe(0)
  }, 180_000)

  const { arrived } = receiver
  expect(new Set(arrived.map(({ id }) => id))).toEqual(new Set(written.map(({ id }) => id)))
  for (const one of arrived) expectSigned(one, String(secret))
  console.info(`${written.length} notices, ${arrived.length} requests`)
  const rows = await database.sql(`SELECT "id", "name", "rateLimit" FROM "ApiKey"`)
  for (const { id, name, rateLimit } of rows) {
    const first = new Set<string>()
    const ofKey = arrived.filter((one) => {
      const isNew = one.notice.data['keyId'] === id && !first.has(one.id)
      if (isNew) first.add(one.id)
      return isNew
    })
    expect(ofKey.map((one) => one.id)).toEqual(
      written.filter(({ key }) => key === id).map((one) => one['id']),
    )
    // What each one says goes on from what the one before said, from the beginning to what the row holds.
    const now: Record<string, unknown> = { name: '0', rateLimit: 1 }
    for (const { notice } of ofKey)
      for (const [field, change] of Object.entries(notice.data['changes'])) {
        const { before, after } = change as { before: unknown; after: unknown }
        expect(before).toBe(now[field])
        now[field] = after
      }
    expect(now).toEqual({ name, rateLimit })
  }
  expect(await database.sql('SELECT * FROM sophra_api_keys.lost_notices')).toEqual([])
}, 600_000)
