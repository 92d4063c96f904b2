import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { json } from '../cli/cli.js'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { startPeer, type Peer } from '../support/peer.js'
import { refusalOf } from '../support/refusal.js'
import type { Issued } from '../support/setting.js'

const { close, configure, createApiKey, flush, health, metrics, migrate, onEvent, verifyApiKey } =
  addon

/** A trigger is checked for once a minute. */
const CHECKED_MS = 100_000

const untracked: string[] = []
afterAll(
  onEvent((event) => {
    if (event.type === 'changes.untracked') untracked.push(event.message)
  }),
)

let database: Database
let one: Issued
let other: Issued
const start = (): void =>
  configure({
    databaseUrl: database.url,
    stalenessSeconds: 2,
    // Otherwise the start would mend the triggers.
    migrate: 'manual',
    ...cheapHashing,
  })
beforeEach(async () => {
  untracked.length = 0
  database = await freshDatabase()
  start()
  await migrate()
  ;[one, other] = await Promise.all(
    [1, 2].map(() => createApiKey({ name: 'Key', clientId: 'client' })),
  )
  expect((await health()).status).toBe('ok')
})
afterEach(async () => {
  await close()
  await database.drop()
})

const disable = ({ id }: Issued): Promise<unknown> =>
  database.sql(`UPDATE "ApiKey" SET "isActive" = false WHERE "id" = $1`, [id])

const degraded = (reason: string, deadlineMs?: number): Promise<void> =>
  eventually(async () => {
    const { status, problems } = await health()
    expect([status, problems]).toEqual(['degraded', [expect.stringContaining(reason)]])
  }, deadlineMs)

const isOk = (): Promise<void> =>
  eventually(async () => expect((await health()).problems).toEqual([]))

const SWAP = `
  BEGIN;
  CREATE TABLE copied (LIKE "ApiKey" INCLUDING ALL);
  INSERT INTO copied TABLE "ApiKey";
  ALTER TABLE "ApiKey" RENAME TO swapped;
  ALTER TABLE copied RENAME TO "ApiKey";
  COMMIT`

describe.each([
  [
    'that is disabled',
    `ALTER TABLE "ApiKey" DISABLE TRIGGER sophra_api_keys_update`,
    'sophra_api_keys_update on "ApiKey" is not ENABLE ALWAYS',
  ],
  [
    'as a restore without triggers leaves it',
    `ALTER TABLE "ApiKey" DISABLE TRIGGER ALL; ALTER TABLE "ApiKey" ENABLE TRIGGER ALL`,
    'sophra_api_keys_change on "ApiKey" is not ENABLE ALWAYS',
  ],
  ['of a table that was swapped', SWAP, 'sophra_api_keys_truncate on "ApiKey" is missing'],
  [
    'of the same name that does nothing',
    `DROP TRIGGER sophra_api_keys_update ON "ApiKey";
     CREATE TRIGGER sophra_api_keys_update BEFORE UPDATE ON "ApiKey"
     FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()`,
    'sophra_api_keys_update on "ApiKey" is missing',
  ],
  [
    'of the admin tokens',
    `DROP TRIGGER sophra_api_keys_change ON "AdminToken"`,
    'sophra_api_keys_change on "AdminToken" is missing',
  ],
])('a trigger %s', (_what, statements, reason) => {
  test('is reported once, hides nothing beyond the bound, and is made anew', async () => {
    await close()
    await database.sql(statements)
    start()
    expect((await verifyApiKey(one.key)).valid).toBe(true)
    await degraded(reason)
    expect(untracked).toEqual([expect.stringContaining(reason)])
    expect(metrics()).toMatch(/^sophra_api_key_changes_tracked 0$/m)
    // Nothing says that it has changed.
    await disable(one)
    await refusalOf(one.key)
    await migrate()
    await isOk()
    expect(metrics()).toMatch(/^sophra_api_key_changes_tracked 1$/m)
    expect((await verifyApiKey(other.key)).valid).toBe(true)
    await disable(other)
    await refusalOf(other.key)
    expect(untracked).toHaveLength(1)
  })
})

test('a table of keys that is swapped while it is in use is noticed at once', async () => {
  expect((await verifyApiKey(one.key)).valid).toBe(true)
  await database.sql(SWAP)
  await degraded('sophra_api_keys_update on "ApiKey" is missing')
})

test('a log that swallows what is written to it is noticed', async () => {
  await close()
  await database.sql(
    `CREATE RULE swallow AS ON INSERT TO sophra_api_keys.changes DO INSTEAD NOTHING`,
  )
  start()
  await degraded('a test change did not arrive')
  expect((await verifyApiKey(one.key)).valid).toBe(true)
  await disable(one)
  await refusalOf(one.key)
})

describe('row-level security', () => {
  const role = (): string => new URL(database.url).pathname.replace('/test_', 'app_')
  const appUrl = (): string =>
    Object.assign(new URL(database.url), { username: role(), password: 'p' }).href

  beforeEach(async () => {
    await close()
    await database.sql(`
      CREATE ROLE ${role()} LOGIN PASSWORD 'p';
      GRANT USAGE ON SCHEMA public, sophra_api_keys TO ${role()};
      GRANT ALL ON ALL TABLES IN SCHEMA public, sophra_api_keys TO ${role()}`)
    configure({
      databaseUrl: appUrl(),
      stalenessSeconds: 2,
      migrate: 'manual',
      ...cheapHashing,
    })
  })
  afterEach(async () => {
    await close()
    await database.sql(`DROP OWNED BY ${role()}; DROP ROLE ${role()}`)
  })

  test('of the keys is a fault, and no key looks unknown', async () => {
    expect((await verifyApiKey(one.key)).valid).toBe(true)
    // Otherwise closing would report the use as lost.
    await flush()
    await database.sql(`ALTER TABLE "ApiKey" ENABLE ROW LEVEL SECURITY`)
    const denied = { code: 'CONFIGURATION', message: expect.stringContaining('row-level security') }
    await expect(verifyApiKey(other.key)).rejects.toMatchObject(denied)
    // Nor does a process start that would see no keys.
    await close()
    configure({ databaseUrl: appUrl(), migrate: 'manual', ...cheapHashing })
    await expect(verifyApiKey(other.key)).rejects.toMatchObject(denied)
    await database.sql(`ALTER TABLE "ApiKey" DISABLE ROW LEVEL SECURITY`)
    await eventually(async () => expect((await verifyApiKey(other.key)).valid).toBe(true))
  })

  test('of the counters is reported', async () => {
    await database.sql(`ALTER TABLE sophra_api_keys.spent ENABLE ROW LEVEL SECURITY`)
    await degraded('row-level security applies to sophra_api_keys.spent')
    expect(untracked).toEqual([expect.stringContaining('sophra_api_keys.spent')])
  })

  test('of the change log hides no revocation', async () => {
    expect((await verifyApiKey(one.key)).valid).toBe(true)
    await database.sql(`ALTER TABLE sophra_api_keys.changes ENABLE ROW LEVEL SECURITY`)
    await disable(one)
    await refusalOf(one.key)
  })

  test('is named by doctor, with its remedy', async () => {
    await database.sql(`ALTER TABLE sophra_api_keys.changes ENABLE ROW LEVEL SECURITY`)
    const env = { DATABASE_URL: appUrl(), JWT_SECRET: 'a secret of 32 bytes or more, here' }
    const findings = await json<{ check: string; status: string; message: string; sql?: string }[]>(
      ['doctor'],
      { env },
    )
    const found = findings.find(({ check }) => check === 'row-security')!
    expect(found).toMatchObject({
      status: 'problem',
      message: expect.stringContaining('sophra_api_keys.changes'),
    })
    await database.sql(found.sql!)
    const healed = await json<typeof findings>(['doctor'], { env })
    expect(healed.find(({ check }) => check === 'row-security')!.status).toBe('ok')
  })
})

describe('while it runs', () => {
  const peers: Peer[] = []
  afterEach(async () => {
    for (const peer of peers.splice(0)) await peer.stop()
  })

  test(
    'a disabled trigger, and keys of a signing key that is not here, are noticed within a minute',
    { timeout: 2 * CHECKED_MS },
    async () => {
      const signingKeys = (fill: number): string[] => [Buffer.alloc(32, fill).toString('base64')]
      const empty = await freshDatabase()
      try {
        for (const fill of [1, 2]) {
          const options = {
            databaseUrl: empty.url,
            signingKeys: signingKeys(fill),
            ...cheapHashing,
          }
          const peer = await startPeer(options)
          peers.push(peer)
          expect(await peer.run(({ api }) => api.health())).toMatchObject({ status: 'ok' })
        }
        const [theirs, here] = peers as [Peer, Peer]
        const { key } = await theirs.run(({ api }) =>
          api.createApiKey({ name: 'Key', clientId: 'client' }),
        )
        const code = await here.run(async ({ api }, key) => (await api.verifyApiKey(key)).code, key)
        expect(code).toBe('INVALID_KEY')
        await database.sql(`ALTER TABLE "ApiKey" DISABLE TRIGGER USER`)
        await Promise.all([
          degraded('is not ENABLE ALWAYS', CHECKED_MS),
          eventually(async () => {
            const { status, problems } = await here.run(({ api }) => api.health())
            expect([status, problems]).toEqual([
              'degraded',
              [expect.stringContaining('signing keys that are not configured')],
            ])
          }, CHECKED_MS),
        ])
        expect(await theirs.run(({ api }) => api.health())).toMatchObject({ status: 'ok' })
      } finally {
        for (const peer of peers.splice(0)) await peer.stop()
        await empty.drop()
      }
    },
  )
})
