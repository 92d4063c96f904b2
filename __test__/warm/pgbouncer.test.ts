import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'
import { faultOf } from '../support/faults.js'
import { startPeer, type Peer } from '../support/peer.js'
import { pgbouncerVersion, startPgbouncer, type Pgbouncer } from '../support/pgbouncer.js'
import { refusalOf } from '../support/refusal.js'
import type { Issued } from '../support/setting.js'
import { stats } from '../support/stats.js'
import { printTimes } from '../support/times.js'

const { close, configure, createApiKey, deleteApiKey, flush, getApiKey, health } = addon
const { listApiKeys, migrate, patchApiKey, updateApiKey, verifyApiKey } = addon

const version = pgbouncerVersion()
if (!version) console.warn('pgbouncer is not on the PATH: its tests are skipped')

describe.skipIf(!version)(
  'behind PgBouncer in transaction mode (needs pgbouncer on the PATH)',
  () => {
    let database: Database
    let pgbouncer: Pgbouncer
    let peer: Peer
    beforeAll(async () => {
      console.log(version)
      database = await freshDatabase()
      pgbouncer = await startPgbouncer(database.url)
    })
    afterAll(async () => {
      await peer?.stop()
      await pgbouncer.stop()
      await database.drop()
    })
    afterEach(() => close())

    const pooled = (): { databaseUrl: string } => ({ databaseUrl: pgbouncer.url })
    const direct = (): object => ({ ...pooled(), directDatabaseUrl: database.url })
    const configureWith = (options: object): void =>
      configure({ suspensionSeconds: 0, poolMax: 10, ...cheapHashing, ...options })
    const create = (fields = {}): Promise<Issued> =>
      createApiKey({ name: 'Key', clientId: 'c', ...fields })

    test('an empty database needs a direct URL once, and says so', async () => {
      configureWith(pooled())
      const fault = await faultOf(() => create())
      expect(fault).toMatchObject({ code: 'CONFIGURATION' })
      expect(fault.message).toContain('DIRECT_DATABASE_URL')
      await close()
      configureWith(direct())
      expect((await migrate()).applied.length).toBeGreaterThan(0)
      await close()
      configureWith(pooled())
      expect((await migrate()).applied).toEqual([])
      peer = await startPeer({ ...cheapHashing, ...pooled() })
    })

    const ways: [string, () => object, boolean][] = [
      ['with a direct URL', direct, true],
      ['without a direct URL', pooled, false],
    ]
    describe.each(ways)('%s', (what, options, listens) => {
      test('every function works, far more at once than there are connections', async () => {
        configureWith(options())
        const keys = await Promise.all(Array.from({ length: 100 }, () => create({ rateLimit: 10 })))
        const before = stats()
        const twice = [...keys, ...keys]
        const answers = await Promise.all(twice.map(({ key }) => verifyApiKey(key)))
        expect(answers.map(({ keyId }) => keyId)).toEqual(twice.map(({ id }) => id))
        expect(stats().hashes - before.hashes).toBe(100)
        await flush()
        const [one, ...others] = keys
        expect(await getApiKey(one!.id)).toMatchObject({ usageCount: 2 })
        await Promise.all([
          ...others.slice(0, 30).map(({ id }) => patchApiKey({ id, name: 'Patched' })),
          ...others.slice(30, 60).map(({ id }) => updateApiKey({ id, regenerateKey: true })),
          ...others.slice(60, 90).map(({ id }) => deleteApiKey(id)),
          ...Array.from({ length: 30 }, () => listApiKeys({ clientId: 'c', limit: 10 })),
        ])
        const after = await Promise.all(others.map(({ key }) => verifyApiKey(key)))
        expect(after.map(({ valid }) => valid)).toEqual(others.map((_, at) => at < 30 || at >= 90))
        expect(await health()).toMatchObject({ status: 'ok', problems: [] })
      })

      test('two processes share the pooler', async () => {
        configureWith(options())
        const keys = await peer.run(({ api }) =>
          Promise.all(
            Array.from({ length: 100 }, () => api.createApiKey({ name: 'n', clientId: 'c' })),
          ),
        )
        const both = await Promise.all([
          Promise.all(keys.map(({ key }) => verifyApiKey(key))),
          peer.run(
            ({ api }, keys) => Promise.all(keys.map(({ key }) => api.verifyApiKey(key))),
            keys,
          ),
        ])
        for (const answers of both)
          expect(answers.map((a) => a.keyId)).toEqual(keys.map((k) => k.id))
      })

      test('a key revoked elsewhere is refused here', async () => {
        configureWith(options())
        const keys = await Promise.all(Array.from({ length: 50 }, () => create()))
        for (const { key } of keys) expect((await verifyApiKey(key)).valid).toBe(true)
        const times: Promise<number>[] = []
        for (const { id, key } of keys) {
          times.push(refusalOf(key))
          await peer.run(({ api }, id) => api.patchApiKey({ id, isActive: false }), id)
          if (listens) await times.at(-1)
        }
        printTimes(
          `behind PgBouncer ${what}, from the call to the refusal here`,
          await Promise.all(times),
        )
      })

      test('a pooler that drops its connections is not noticed', async () => {
        configureWith(options())
        const { id, key } = await create()
        for (let time = 0; time < 5; time++) {
          await pgbouncer.console('RECONNECT')
          await patchApiKey({ id, name: `Name ${time}` })
          expect(await verifyApiKey(key)).toMatchObject({ valid: true, name: `Name ${time}` })
        }
      })
    })
  },
)
