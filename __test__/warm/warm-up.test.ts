import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { freshDatabase, type Database } from '../support/database.js'
import { forged, withWrongSecret } from '../support/forge.js'
import { startPeer, type Peer } from '../support/peer.js'
import { useSetting, type Issued, type Options } from '../support/setting.js'
import { startTap, type Tap } from '../support/tap.js'
import { LOOKUP } from '../support/turns.js'

// A process that loads the keys that were used before, so that their first verify is one from memory.

interface WarmUp {
  warmUp(options?: unknown): Promise<{ loaded: number }>
}
const signingKey = randomBytes(32).toString('base64')
const jwtSecret = 'a secret that is long enough to be one'
const setting = useSetting({ signingKeys: [signingKey], jwtSecret })
const { flush, verifyApiKey } = addon
const { warmUp } = addon as unknown as WarmUp

/** Keys that were used, one after the other, the last one an hour ago; and none before them. */
async function usedKeys(count: number, fields = {}): Promise<Issued[]> {
  await setting.sql(`UPDATE "ApiKey" SET "lastUsedAt" = NULL`)
  const keys = await setting.warmKeys(count, fields)
  await flush()
  for (const [at, { id }] of keys.entries()) {
    await setting.sql(
      `UPDATE "ApiKey" SET "lastUsedAt" = now() AT TIME ZONE 'UTC' - $2 * interval '1 minute' WHERE "id" = $1`,
      [id, 59 + count - at],
    )
  }
  return keys
}

let tap: Tap
let restarted: Peer
beforeEach(async () => {
  tap = await startTap(setting.database.url)
  restarted = await start()
})
afterEach(async () => {
  await restarted.stop()
  await tap.close()
})

/** The service after a restart: a process that has nothing in memory. */
const start = (options: Options = { signingKeys: [signingKey], jwtSecret }): Promise<Peer> =>
  startPeer({ suspensionSeconds: 0, ...cheapHashing, ...options, databaseUrl: tap.url })

const load = (peer: Peer, keys?: number): Promise<{ loaded: number }> =>
  peer.run(
    ({ api }, keys) => (api as unknown as WarmUp).warmUp(...(keys === undefined ? [] : [{ keys }])),
    keys,
  )

interface Answer {
  code: string
  name?: string
  selects: number
  hashes: number
}

/** The results of verifies over there, one after the other, each with its cost. */
const verifyBy = (peer: Peer, keys: string[]): Promise<Answer[]> =>
  peer.run(async ({ api, stats }, keys) => {
    const answers: Answer[] = []
    for (const key of keys) {
      const before = stats()
      const answer = await api.verifyApiKey(key)
      const { selects, hashes } = stats()
      answers.push({
        code: answer.code,
        ...(answer.valid && { name: answer.name }),
        selects: selects - before.selects,
        hashes: hashes - before.hashes,
      })
    }
    return answers
  }, keys)

const plaintexts = (keys: Issued[]): string[] => keys.map(({ key }) => key)
const lookups = (): number => tap.statements.filter((text) => LOOKUP.test(text)).length
/** An answer from memory. */
const free = { selects: 0, hashes: 0 }
/** The restarted process knows of everything that was committed before. */
const caughtUp = (): Promise<void> =>
  restarted.run(async ({ api }) => {
    const start = performance.now()
    while ((await api.health()).staleForMs > performance.now() - start)
      await new Promise(setImmediate)
  })

describe('keys that were used before a restart', () => {
  test('are verified the first time without a statement and without a hash', async () => {
    const keys = await usedKeys(30)
    expect(await load(restarted, 30)).toEqual({ loaded: 30 })
    const before = lookups()
    const answers = await verifyBy(restarted, plaintexts(keys))
    expect(answers).toEqual(keys.map(({ name }) => ({ code: 'VALID', name, ...free })))
    expect(lookups()).toBe(before)
  })

  test('are loaded in the order of their last use, and no more than were asked for', async () => {
    const keys = await usedKeys(12)
    expect(await load(restarted, 5)).toEqual({ loaded: 5 })
    const answers = await verifyBy(restarted, plaintexts(keys))
    expect(answers.map(({ code }) => code)).toEqual(keys.map(() => 'VALID'))
    // The last five; the others as if nothing had been loaded.
    expect(answers.map(({ selects }) => selects)).toEqual([1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0])
    expect(answers.map(({ hashes }) => hashes)).toEqual(keys.map(() => 0))
  })

  test('take no place of others, where their digests are of no use in this process', async () => {
    const keys = await usedKeys(6)
    await setting.sql(
      `UPDATE "ApiKey" SET "coldDigest" = decode(repeat('00', 8), 'hex') || substr("coldDigest", 9)
       WHERE "id" = ANY($1)`,
      [keys.slice(4).map(({ id }) => id)],
    )
    expect(await load(restarted, 3)).toEqual({ loaded: 3 })
    const answers = await verifyBy(restarted, plaintexts(keys))
    expect(answers.map(({ code }) => code)).toEqual(keys.map(() => 'VALID'))
    expect(answers.map(({ selects }) => selects)).toEqual([1, 0, 0, 0, 1, 1])
  })

  test('count their uses', async () => {
    const [issued] = await usedKeys(1)
    await load(restarted, 1)
    await verifyBy(restarted, [issued!.key, issued!.key])
    await restarted.run(({ api }) => api.flush())
    const [row] = await setting.sql(
      `SELECT "usageCount"::int AS uses FROM "ApiKey" WHERE "id" = $1`,
      [issued!.id],
    )
    expect(row).toEqual({ uses: 3 })
  })

  test('keep what was used of their limits', async () => {
    const [issued] = await usedKeys(1, { rateLimit: 3, rateLimitWindowSeconds: 86_400 })
    await load(restarted, 1)
    const answers = await verifyBy(
      restarted,
      Array.from({ length: 3 }, () => issued!.key),
    )
    expect(answers.map(({ code }) => code)).toEqual(['VALID', 'VALID', 'RATE_LIMITED'])
  })

  test('are not charged anew for what was used of their limits in the meantime', async () => {
    const [issued] = await usedKeys(1, { rateLimit: 10, rateLimitWindowSeconds: 1 })
    const use = async (): Promise<void> => {
      for (let n = 0; n < 8; n++) expect((await verifyApiKey(issued!.key)).code).toBe('VALID')
      await flush()
    }
    /** By the clock of the server. */
    const isAvailableAgain = async (): Promise<boolean> => {
      const [row] = await setting.sql(
        `SELECT full_at < now() AT TIME ZONE 'UTC' AS again FROM sophra_api_keys.spent WHERE limit_id = 'key/' || $1 || '/default'`,
        [issued!.id],
      )
      return row!.again as boolean
    }
    const again = (): Promise<void> =>
      eventually(async () => expect(await isAvailableAgain()).toBe(true))
    await again()
    await use()
    expect(await load(restarted, 1)).toEqual({ loaded: 1 })
    for (let n = 0; n < 3; n++) {
      await again()
      await use()
    }
    await again()
    const codes = []
    for (let n = 0; n < 3; n++) {
      codes.push(...(await verifyBy(restarted, [issued!.key])).map(({ code }) => code))
      await restarted.run(({ api }) => api.flush())
    }
    expect(codes).toEqual(['VALID', 'VALID', 'VALID'])
  })

  test('begin with what others have used in the meantime, once that is known', async () => {
    const [issued] = await usedKeys(1, { rateLimit: 4, rateLimitWindowSeconds: 86_400 })
    expect(await load(restarted, 1)).toEqual({ loaded: 1 })
    await verifyApiKey(issued!.key)
    await verifyApiKey(issued!.key)
    await flush()
    const first = await verifyBy(restarted, [issued!.key])
    await restarted.run(({ api }) => api.flush())
    const second = await verifyBy(restarted, [issued!.key])
    expect([...first, ...second].map(({ code }) => code)).toEqual(['VALID', 'RATE_LIMITED'])
  })

  const changes: [string, string, string][] = [
    ['revoked', `UPDATE "ApiKey" SET "isActive" = false`, 'DISABLED'],
    ['expired', `UPDATE "ApiKey" SET "expiresAt" = '2020-01-01'`, 'EXPIRED'],
    ['suspended', `UPDATE "ApiKey" SET "suspendedUntil" = '2999-01-01'`, 'SUSPENDED'],
    [
      'bound to other addresses',
      `UPDATE "ApiKey" SET "allowedIps" = '{192.0.2.1}'`,
      'IP_NOT_ALLOWED',
    ],
    ['deleted', `DELETE FROM "ApiKey"`, 'INVALID_KEY'],
    ['replaced', `UPDATE "ApiKey" SET "key" = '$argon2id$' || "id"`, 'INVALID_KEY'],
  ]
  test.each(changes)('answer by their new state, if they were %s', async (_, change, code) => {
    const [before, after, other] = await usedKeys(3)
    await setting.sql(`${change} WHERE "id" = $1`, [before!.id])
    await load(restarted, 10)
    await setting.sql(`${change} WHERE "id" = $1`, [after!.id])
    await caughtUp()
    const answers = await verifyBy(restarted, plaintexts([before!, after!, other!]))
    expect(answers.map((answer) => answer.code)).toEqual([code, code, 'VALID'])
  })

  test('answer with their new name', async () => {
    const [issued] = await usedKeys(1)
    await load(restarted, 1)
    await setting.sql(`UPDATE "ApiKey" SET "name" = 'Renamed' WHERE "id" = $1`, [issued!.id])
    await caughtUp()
    const [answer] = await verifyBy(restarted, [issued!.key])
    expect(answer).toMatchObject({ code: 'VALID', name: 'Renamed', hashes: 0 })
  })

  test('let no wrong secret in, before or after the right one', async () => {
    const [issued] = await usedKeys(1)
    expect(await load(restarted, 1)).toEqual({ loaded: 1 })
    const wrong = (): string[] =>
      Array.from({ length: 20 }, () => withWrongSecret(issued!.key, signingKey))
    const made = Array.from({ length: 20 }, () => forged(issued!.key))
    const presented = [...wrong(), ...made, issued!.key, ...wrong(), ...made]
    const answers = await verifyBy(restarted, presented)
    expect(answers.map(({ code }) => code)).toEqual(
      presented.map((key) => (key === issued!.key ? 'VALID' : 'INVALID_KEY')),
    )
    expect(answers[40]).toMatchObject(free)
  })

  test('let nothing in that is stored', async () => {
    const keys = await usedKeys(5)
    await load(restarted, 5)
    const rows = await setting.sql(
      `SELECT to_jsonb("ApiKey") AS row FROM "ApiKey" WHERE "id" = ANY ($1)`,
      [keys.map(({ id }) => id)],
    )
    const values = rows.flatMap(({ row }) => Object.values(row as object))
    const texts = values.filter(
      (value): value is string => typeof value === 'string' && value !== '',
    )
    const answers = await verifyBy(restarted, texts)
    expect(new Set(answers.map(({ code }) => code))).toEqual(new Set(['INVALID_KEY']))
  })
})

describe('where the signing key is kept in the database', () => {
  let database: Database
  let made: Issued[]
  beforeEach(async () => {
    database = await freshDatabase()
    const maker = await startPeer({ ...cheapHashing, jwtSecret, databaseUrl: database.url })
    made = await maker.run(async ({ api }) => {
      const keys = await Promise.all(
        ['1', '2', '3'].map((name) => api.createApiKey({ name, clientId: 'c' })),
      )
      for (const { key } of keys) await api.verifyApiKey(key)
      await api.flush()
      return keys
    })
    await maker.stop()
  })
  afterEach(() => database.drop())

  /** What a process with these options loads, and what it answers then. */
  async function loadedBy(options: Options): Promise<{ loaded: number; answers: Answer[] }> {
    const peer = await startPeer({ ...cheapHashing, ...options, databaseUrl: database.url })
    const { loaded } = await load(peer, 10)
    const answers = await verifyBy(peer, plaintexts(made))
    await peer.stop()
    return { loaded, answers }
  }

  test('jwtSecret is enough', async () => {
    const answers = made.map(({ name }) => ({ code: 'VALID', name, ...free }))
    expect(await loadedBy({ jwtSecret })).toEqual({ loaded: 3, answers })
  })

  test('without a secret nothing is loaded', async () => {
    const { loaded, answers } = await loadedBy({})
    expect(loaded).toBe(0)
    expect(answers.map(({ code, selects }) => ({ code, selects }))).toEqual(
      made.map(() => ({ code: 'VALID', selects: 1 })),
    )
  })

  test('with another secret the keys are as valid as before', async () => {
    const { answers } = await loadedBy({ jwtSecret: `another ${jwtSecret}` })
    expect(answers.map(({ code }) => code)).toEqual(made.map(() => 'VALID'))
  })
})

test('without arguments it starts the service, and says what it has loaded', async () => {
  await usedKeys(1)
  expect(await load(restarted)).toEqual({ loaded: expect.any(Number) })
  expect(await restarted.run(({ api }) => api.health())).toMatchObject({ status: 'ok' })
})

test('a close does not wait for it, and it keeps no other call from the database', async () => {
  await usedKeys(1)
  const small = await start({ signingKeys: [signingKey], jwtSecret, poolMax: 1 })
  const { id } = await small.run(({ api }) => api.createApiKey({ name: 'n', clientId: 'c' }))
  const holder = new Client({ connectionString: setting.database.url })
  await holder.connect()
  try {
    await holder.query('BEGIN; LOCK TABLE "ApiKey" IN ACCESS EXCLUSIVE MODE')
    await small.run(({ api }) => {
      const { warmUp } = api as unknown as WarmUp
      Object.assign(globalThis, { loading: warmUp({ keys: 10 }).catch((error) => error) })
    })
    await eventually(async () => {
      const waiting = await setting.sql(
        `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%"lastUsedAt" DESC%'`,
      )
      expect(waiting).toHaveLength(1)
    })
    // Background work may wait for the table on the only connection, but for less long than warmUp().
    const { events } = await eventually(() =>
      small.run(({ api }, id) => api.listAuditEvents({ keyId: id }), id),
    )
    expect(events).toEqual(expect.any(Array))
    await small.run(({ api }) => api.close())
    const loading = await small.run(() => (globalThis as { loading?: unknown }).loading)
    expect(loading).toEqual({ loaded: 0 })
  } finally {
    await holder.end()
    await small.stop()
  }
})

test('in a process that has the keys it changes no answer', async () => {
  const keys = await usedKeys(3)
  await warmUp({ keys: 3 })
  const cost = await setting.cost(async () => {
    for (const { key } of keys) expect((await verifyApiKey(key)).valid).toBe(true)
  })
  expect(cost).toMatchObject({ selects: 0, hashes: 0, statements: [] })
})

test.each([{ keys: -1 }, { keys: 1.5 }, { keys: '10' }, { keys: NaN }, { other: 1 }, 10])(
  'it refuses %j',
  async (options) => {
    await expect(warmUp(options)).rejects.toMatchObject({ code: 'INVALID_INPUT', status: 400 })
  },
)
