import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import type { Server } from '../support/example-server.js'
import { dump, occurring } from '../support/leaks.js'
import { digestOf } from '../support/old-rows.js'
import { prismaTables } from '../support/prisma-tables.js'
import { randomFrom } from '../support/random.js'
import { refusalOf } from '../support/refusal.js'
import { seed, startOldApp } from './old-app.js'

const { patchApiKey, updateApiKey, verifyApiKey } = addon

const jwtSecret = 'the JWT secret of both instances, of 32 bytes or more'
const KEYS = 20
const REGENERATIONS = 300
const GRACE = 600

/** A key of which every text that was ever valid is known. */
interface Known {
  id: string
  current: string
  /** The replaced key, in its grace period. */
  previous?: string
  replaced: string[]
}

describe.each(['verify', 'hash'] as const)('an old instance beside one with adopt: %j', (adopt) => {
  let database: Database
  let old: Server
  let token: string
  let keys: Known[]
  let regenerations = 0
  beforeAll(async () => {
    database = await freshDatabase()
    await database.sql(prismaTables)
    await seed(database.url, { JWT_SECRET: jwtSecret, KEYS: String(KEYS + 2) })
    const rows = await database.sql(`SELECT "id", "key" AS current FROM "ApiKey"`)
    keys = rows.map((row) => ({ ...(row as { id: string; current: string }), replaced: [] }))
    const [admin] = await database.sql(
      `SELECT "token" FROM "AdminToken" WHERE "name" = 'prod-api-1'`,
    )
    token = admin!.token as string
    old = await startOldApp(database.url)
    addon.configure({
      databaseUrl: database.url,
      jwtSecret,
      adopt,
      suspensionSeconds: 0,
      ...cheapHashing,
    })
    await addon.migrate()
  })
  afterAll(async () => {
    await old?.stop()
    await addon.close()
    await database?.drop()
  })

  /** The key that the old instance makes is in its log alone. */
  async function regenerate({ id }: Known): Promise<string> {
    const logged = () => [...old.output().matchAll(new RegExp(`New key of ${id}: (\\S+)\n`, 'g'))]
    const before = logged().length
    const { status } = await fetch(`${old.url}/api/keys`, {
      method: 'PUT',
      headers: { 'x-admin-token': token },
      body: JSON.stringify({ id, regenerateKey: true }),
    })
    expect(status).toBe(200)
    regenerations++
    return eventually(() => {
      const made = logged()[before]?.[1]
      if (!made) throw new Error('The log has not arrived')
      return made
    })
  }

  const rotate = async ({ id }: Known, gracePeriodSeconds: number): Promise<string> =>
    (await updateApiKey({ id, regenerateKey: true, gracePeriodSeconds })).key!

  /** What is valid from now on. */
  function replace(key: Known, current: string, previous?: string): void {
    const known = [key.current, key.previous, ...key.replaced]
    const isReplaced = (text?: string): text is string =>
      text !== undefined && text !== current && text !== previous
    key.replaced = known.filter(isReplaced)
    Object.assign(key, { current, previous })
  }

  const ACTIONS: ((key: Known) => Promise<void>)[] = [
    async (key) => replace(key, await regenerate(key)),
    async (key) => replace(key, await regenerate(key)),
    async (key) => replace(key, await rotate(key, GRACE), key.current),
    async (key) => replace(key, await rotate(key, 0)),
    // Both at once: the row says who was the last, and which key is in its grace period.
    async (key) => {
      const before = key.current
      const [made, rotated] = await Promise.all([regenerate(key), rotate(key, GRACE)])
      const [row] = await database.sql(
        `SELECT "key", "lookup", "previousLookup" FROM "ApiKey" WHERE "id" = $1`,
        [key.id],
      )
      const isLast = row!.key === made || row!.lookup === digestOf(made)
      replace(key, isLast ? made : rotated)
      const graced = [made, before].find((text) => isOf(text, row!.previousLookup))
      if (graced) replace(key, key.current, graced)
      key.replaced.push(
        ...[made, rotated].filter((text) => text !== key.current && text !== graced),
      )
    },
  ]
  const isOf = (text: string, lookup: string | null): boolean =>
    lookup !== null && (digestOf(text) === lookup || text.includes(`_${lookup}`))

  /** What is valid is accepted at once, and what was replaced refused as soon as that is known, and from then on. */
  async function expectRight({ id, current, previous, replaced }: Known): Promise<void> {
    for (const text of [current, previous])
      if (text) expect(await verifyApiKey(text)).toMatchObject({ valid: true, keyId: id })
    for (const text of replaced.slice(-3)) await refusalOf(text)
    for (const text of [current, previous])
      if (text) expect(await verifyApiKey(text)).toMatchObject({ valid: true, keyId: id })
  }

  test('a key that both replaced has the grace of the one that was the last', async () => {
    const [one, other] = keys.splice(0, 2) as [Known, Known]
    for (const [key, actions] of [
      [one, [ACTIONS[2]!, ACTIONS[0]!]],
      [other, [ACTIONS[0]!, ACTIONS[2]!]],
    ] as const)
      for (const action of actions) {
        await action(key)
        await expectRight(key)
      }
    const ends = async ({ id }: Known) =>
      (
        await database.sql(`SELECT "previousKeyExpiresAt" AS end FROM "ApiKey" WHERE "id" = $1`, [
          id,
        ])
      )[0]!.end
    // The old one knows of no grace.
    expect(one.previous).toBe(undefined)
    expect(await ends(one)).toBe(null)
    expect(other.previous).toEqual(expect.any(String))
    expect(await ends(other)).not.toBe(null)
    await patchApiKey({ id: other.id, previousKeyExpiresAt: null })
    replace(other, other.current)
    await expectRight(other)
  })

  test('no answer is wrong while both replace keys at random', async () => {
    const random = randomFrom(adopt === 'hash' ? 1 : 2)
    await Promise.all(
      keys.map(async (key) => {
        await expectRight(key)
        while (regenerations < REGENERATIONS) {
          await ACTIONS[random(ACTIONS.length)]!(key)
          await expectRight(key)
        }
      }),
    )
    expect(regenerations).toBeGreaterThanOrEqual(REGENERATIONS)
    for (const key of keys) {
      await expectRight(key)
      for (const text of key.replaced) expect((await verifyApiKey(text)).valid).toBe(false)
    }
  }, 120_000)

  test('after the last write of the old one no plaintext is left', async () => {
    await old.stop()
    const plaintext = `SELECT "id" FROM "ApiKey" WHERE "lookup" IS NULL`
    if (adopt === 'verify') {
      expect(await database.sql(plaintext)).not.toEqual([])
      await addon.migrate({ adopt: true })
    }
    await eventually(async () => expect(await database.sql(plaintext)).toEqual([]), 30_000)
    expect(await addon.migrate()).toMatchObject({ remaining: 0 })
    const texts = keys.flatMap(({ current, replaced }) => [current, ...replaced])
    expect(texts.length).toBeGreaterThan(REGENERATIONS)
    expect(occurring(texts, await dump(database.sql))).toEqual([])
    for (const key of keys) await expectRight(key)
  })
})
