import { execFileSync } from 'node:child_process'
import { setImmediate as immediate } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { Server } from '../support/postgres-server.js'
import { stats } from '../support/stats.js'
import { startTap, type Tap } from '../support/tap.js'

const { close, configure, createApiKey, patchApiKey, verifyApiKey } = addon

let server: Server
let tap: Tap
beforeEach(async () => {
  server = await Server.start()
  tap = await startTap(server.url)
  configure({ databaseUrl: tap.url, ...cheapHashing })
})
afterEach(async () => {
  await close().catch(() => {})
  await tap.close()
  await server.remove()
})

const codeOf = async (key: string): Promise<string> => (await verifyApiKey(key)).code
const create = (isActive = true): ReturnType<typeof createApiKey> =>
  createApiKey({ name: 'Key', clientId: 'c', isActive })

/** Uses up more transaction ids than were lost. */
const overtake = (): Promise<unknown> =>
  server.sql(
    `DO $$ BEGIN FOR i IN 1..2000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$`,
  )
/** The server recovers from an archive in which there is nothing, and so begins a new timeline. */
function recover(): void {
  const settings = "restore_command = 'false'"
  execFileSync('sh', [
    '-c',
    'echo "$1" >> "$2"',
    'sh',
    settings,
    server.path('postgresql.auto.conf'),
  ])
  execFileSync('cp', ['-a', server.path('PG_VERSION'), server.path('recovery.signal')])
}
const nothing = (): void => {}

test.each([
  ['as it was', nothing, nothing],
  ['whose transaction ids have overtaken the lost ones', nothing, overtake],
  ['on a timeline of its own', recover, overtake],
])('an older state of the database, %s, is what counts', async (_what, before, after) => {
  const [kept, enabledLater] = [await create(), await create(false)]
  expect(await codeOf(enabledLater.key)).toBe('DISABLED')
  await server.stop()
  server.save()
  await server.restart()

  await eventually(() => patchApiKey({ id: enabledLater.id, isActive: true }))
  const lost = await create()
  for (const { key } of [kept, enabledLater, lost]) expect(await codeOf(key)).toBe('VALID')
  const { hashes } = stats()

  tap.cut()
  await server.stop()
  await server.restore()
  before()
  await server.restart()
  // It may still be recovering.
  await eventually(after)
  tap.mend()

  await eventually(async () => {
    expect(await codeOf(lost.key)).toBe('INVALID_KEY')
    expect(await codeOf(enabledLater.key)).toBe('DISABLED')
  })
  for (let again = 0; again < 200; again++) {
    expect(await codeOf(lost.key)).toBe('INVALID_KEY')
    expect(await codeOf(enabledLater.key)).toBe('DISABLED')
    expect(await codeOf(kept.key)).toBe('VALID')
    await immediate()
  }
  // A key whose row is unchanged needs no hash.
  expect(stats().hashes).toBe(hashes)

  // And the changes are followed from there.
  await server.sql(`UPDATE "ApiKey" SET "isActive" = false WHERE "id" = $1`, [kept.id])
  await eventually(async () => expect(await codeOf(kept.key)).toBe('DISABLED'))
})

test('a server that is only restarted costs no hash', async () => {
  const [one, other] = [await create(), await create()]
  for (const { key } of [one, other]) expect(await codeOf(key)).toBe('VALID')
  const { hashes } = stats()
  await server.stop()
  await server.restart()
  await server.sql(`UPDATE "ApiKey" SET "isActive" = false WHERE "id" = $1`, [other.id])
  await eventually(async () => expect(await codeOf(other.key)).toBe('DISABLED'))
  expect(await codeOf(one.key)).toBe('VALID')
  expect(stats().hashes).toBe(hashes)
})
