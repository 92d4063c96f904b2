import { afterEach, beforeEach, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { startPeer, type Peer } from '../support/peer.js'
import { useSetting, type Issued } from '../support/setting.js'

const { flush, setClient, verifyApiKey } = addon

const setting = useSetting({ flushIntervalMs: 20 })
const TELLS = /INSERT INTO sophra_api_keys\.spent/
const ASKS = /gone AS \(DELETE FROM sophra_api_keys\.shared_limits/
const READS = /^\s*SELECT limit_id, epoch AS "generation", spent /

/** Of a limit of 100 a day nothing comes back while a test lasts. */
const daily = { rateLimit: 100, rateLimitWindowSeconds: 86_400 }

let peer: Peer
beforeEach(async () => {
  peer = await startPeer({ ...setting.options, databaseUrl: setting.database.url })
})
afterEach(() => peer.stop())

interface Use {
  api: typeof addon
}
/** Verifies a key so many times; how often it passed. */
const use = async ({ api }: Use, key: string, times: number): Promise<number> => {
  let passed = 0
  for (let time = 0; time < times; time++) passed += Number((await api.verifyApiKey(key)).valid)
  return passed
}
const here = { api: addon }

const row = async (limitId: string): Promise<Record<string, unknown>> => {
  const rows = await setting.sql(
    `SELECT spent::int, is_alone AS "isAlone" FROM sophra_api_keys.spent WHERE limit_id = $1`,
    [limitId],
  )
  return rows[0]!
}
const ofKey = (id: string): string => `key/${id}/default`
const told = (limitId: string, spent: number): Promise<void> =>
  eventually(async () => expect(await row(limitId)).toMatchObject({ spent }))

const since = (mark: number, pattern: RegExp): number =>
  setting.tap.statements.slice(mark).filter((text) => pattern.test(text)).length
/** Waits until this process has flushed so many times. */
const flushes = async (count: number): Promise<void> => {
  const mark = setting.tap.statements.length
  await eventually(() => expect(since(mark, ASKS)).toBeGreaterThanOrEqual(count))
}

/** A key of which this process alone has used 9 units, one of which the others were told. */
async function keyHeldBack(): Promise<{ id: string; key: string }> {
  const [key] = await setting.coldKeys(1, daily)
  expect(await use(here, key!.key, 1)).toBe(1)
  await told(ofKey(key!.id), 1)
  await flushes(2)
  expect(await use(here, key!.key, 8)).toBe(8)
  await flushes(2)
  expect(await row(ofKey(key!.id))).toEqual({ spent: 1, isAlone: true })
  return key!
}

test('limits that one process uses cost one statement per interval together', async () => {
  const keys: Issued[] = []
  while (keys.length < 1_500) keys.push(...(await setting.coldKeys(50, { rateLimit: 1_000_000 })))
  for (const { id, key } of keys) {
    expect(await use(here, key, 1)).toBe(1)
    await (id === keys.at(-1)!.id && told(ofKey(id), 1))
  }
  await flushes(2)
  const mark = setting.tap.statements.length
  for (let round = 0; round < 20; round++) {
    for (const { key } of keys) expect(await use(here, key, 1)).toBe(1)
    await flushes(1)
  }
  expect(since(mark, ASKS)).toBeGreaterThanOrEqual(20)
  expect(since(mark, TELLS)).toBe(0)
  expect(since(mark, READS)).toBe(0)
}, 60_000)

test('flush() and the end of a process tell what was held back', async () => {
  const { id } = await keyHeldBack()
  await flush()
  expect(await row(ofKey(id))).toEqual({ spent: 9, isAlone: true })
  const [other] = await setting.coldKeys(1, daily)
  expect(await peer.run(use, other!.key, 1)).toBe(1)
  await told(ofKey(other!.id), 1)
  expect(await peer.run(use, other!.key, 5)).toBe(5)
  await peer.stop()
  expect(await row(ofKey(other!.id))).toEqual({ spent: 6, isAlone: true })
})

test('from a tenth of the limit on, each interval tells', async () => {
  const { id, key } = await keyHeldBack()
  // One more than a tenth, of which a little is available again.
  expect(await use(here, key, 2)).toBe(2)
  await told(ofKey(id), 11)
  expect(await use(here, key, 40)).toBe(40)
  await told(ofKey(id), 51)
})

test('a process that begins to use a limit exceeds it by no more than what was held back', async () => {
  const { id, key } = await keyHeldBack()
  const there = await peer.run(use, key, 100)
  // It knew of the one unit that was told, or also of the others.
  expect(there).toBeGreaterThanOrEqual(91)
  expect(there).toBeLessThanOrEqual(99)
  // The first process tells what it had held back, and learns what the other has used.
  await told(ofKey(id), 9 + there)
  await eventually(async () => expect((await verifyApiKey(key, { peek: true })).valid).toBe(false))
  expect(await use(here, key, 1)).toBe(0)
  await eventually(async () =>
    expect(await peer.run(({ api }, key) => api.verifyApiKey(key, { cost: 1 }), key)).toMatchObject(
      {
        code: 'RATE_LIMITED',
      },
    ),
  )
  expect(await row(ofKey(id))).toEqual({ spent: 9 + there, isAlone: false })
  await eventually(async () =>
    expect(await setting.sql('SELECT FROM sophra_api_keys.shared_limits')).toEqual([]),
  )
})

test('what a process held back that was killed is all that the next one does not know', async () => {
  const [key] = await setting.coldKeys(1, daily)
  expect(await peer.run(use, key!.key, 1)).toBe(1)
  await told(ofKey(key!.id), 1)
  expect(await peer.run(use, key!.key, 8)).toBe(8)
  peer.signal('SIGKILL')
  expect(await use(here, key!.key, 101)).toBeLessThanOrEqual(99)
  await told(ofKey(key!.id), 100)
})

test('a process is alone again once no other has told any use for ten seconds', async () => {
  const { id, key } = await keyHeldBack()
  expect(await peer.run(use, key, 1)).toBe(1)
  await told(ofKey(id), 10)
  await eventually(async () => expect(await row(ofKey(id))).toMatchObject({ isAlone: false }))
  await flushes(2)
  expect(await use(here, key, 1)).toBe(1)
  await told(ofKey(id), 11)
  expect(await row(ofKey(id))).toMatchObject({ isAlone: false })
  await setting.sql(
    `UPDATE sophra_api_keys.spent SET shared_at = now() - interval '11 seconds' WHERE limit_id = $1`,
    [ofKey(id)],
  )
  expect(await use(here, key, 1)).toBe(1)
  await told(ofKey(id), 12)
  expect(await row(ofKey(id))).toMatchObject({ isAlone: true })
})

test('what a process held back is told if it cannot learn who else uses the limit', async () => {
  const { id, key } = await keyHeldBack()
  await setting.sql(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
    CREATE TRIGGER refuse BEFORE DELETE ON sophra_api_keys.shared_limits EXECUTE FUNCTION refuse()`)
  try {
    await told(ofKey(id), 9)
    expect(await use(here, key, 1)).toBe(1)
    await told(ofKey(id), 10)
  } finally {
    await setting.sql('DROP FUNCTION refuse CASCADE')
  }
})

test("a client's limit that one process has begun to use holds for the three that join it", async () => {
  const limits = [{ name: 'requests', limit: 100, windowSeconds: 86_400 }]
  await setClient({ clientId: 'shared', limits })
  const keys = (await setting.coldKeys(10, { clientId: 'shared' })).map(({ key }) => key)
  const limitId = 'client/shared/requests'
  expect(await use(here, keys[0]!, 1)).toBe(1)
  await told(limitId, 1)
  await flushes(2)
  expect(await use(here, keys[1]!, 8)).toBe(8)
  const late = await startPeer({ ...setting.options, databaseUrl: setting.database.url })
  const others = [setting.peer, peer, late]
  const peek = ({ api }: Use, key: string, cost: number): Promise<string> =>
    api.verifyApiKey(key, { cost, peek: true }).then(({ code }) => code)
  try {
    let passed = 9
    for (let round = 0; round < 5; round++) {
      const keyOf = (process: number): string => keys[(round + process) % keys.length]!
      const counts = await Promise.all([
        use(here, keyOf(3), 4),
        ...others.map((other, process) => other.run(use, keyOf(process), 4)),
      ])
      passed += counts.reduce((a, b) => a + b, 0)
      await told(limitId, passed)
    }
    // Nobody is refused, and all know that less than 12 units are left.
    expect(passed).toBe(89)
    await eventually(async () => expect(await peek(here, keys[5]!, 12)).toBe('RATE_LIMITED'))
    for (const other of others) {
      await eventually(async () => expect(await other.run(peek, keys[5]!, 12)).toBe('RATE_LIMITED'))
    }
    expect((await verifyApiKey(keys[5]!, { cost: 11 })).code).toBe('VALID')
  } finally {
    await late.stop()
  }
})
