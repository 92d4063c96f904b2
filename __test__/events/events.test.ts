import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { root } from '../support/child.js'
import { eventually } from '../support/eventually.js'
import { thrownBy } from '../support/faults.js'
import { samples } from '../support/prometheus.js'
import { useAddon } from '../support/use-addon.js'

const { close, configure, createApiKey, onEvent, verifyApiKey } = addon

type Event = Parameters<Parameters<typeof onEvent>[0]>[0]
type Key = Awaited<ReturnType<typeof createApiKey>>

const settings = { suspensionSeconds: 600, flushIntervalMs: 50, jwtSecret: 'x'.repeat(32) }
const database = useAddon(settings)

const create = (name = 'Busy'): Promise<Key> =>
  createApiKey({ name, clientId: 'c', rateLimit: 1, rateLimitWindowSeconds: 86_400 })

/** Makes an event of each key. */
async function exceed(...keys: Key[]): Promise<void> {
  for (const { key } of keys) {
    await verifyApiKey(key)
    expect((await verifyApiKey(key)).code).toBe('RATE_LIMITED')
  }
}

const stops: (() => void)[] = []
/** A listener of the test, that does not outlive it. Administration and refused attempts are not its matter. */
function listen(callback: (event: Event) => void = () => {}): { events: Event[]; stop(): void } {
  const events: Event[] = []
  const stop = onEvent((event) => {
    if (event.severity === 'info') return
    events.push(event)
    return callback(event)
  })
  stops.push(stop)
  return { events, stop }
}
afterEach(() => stops.splice(0).forEach((stop) => stop()))

const heard = (events: Event[], count: number): Promise<void> =>
  eventually(() => expect(events).toHaveLength(count))

test('the event of a suspension has the key, the instant and the end', async () => {
  const before = Date.now()
  // The start has a warning of its own.
  const key = await create()
  const { events } = listen()
  await exceed(key)
  await heard(events, 1)
  const [event] = events
  expect(event).toEqual({
    type: 'key.suspended',
    severity: 'warning',
    at: expect.any(Date),
    keyId: key.id,
    name: 'Busy',
    clientId: 'c',
    suspendedUntil: expect.any(Date),
  })
  expect(event!.at.getTime()).toBeGreaterThanOrEqual(before)
  const { suspendedUntil } = event as Event & { suspendedUntil: Date }
  expect(suspendedUntil).toEqual((await addon.getApiKey(key.id))!.suspendedUntil)
  expect(Object.isFrozen(event)).toBe(true)
})

test('all listeners get the event until they are removed; removing one twice is harmless', async () => {
  const [one, two] = [listen(), listen()]
  await exceed(await create())
  await heard(one.events, 1)
  await heard(two.events, 1)
  one.stop()
  one.stop()
  await exceed(await create())
  await heard(two.events, 2)
  expect(one.events).toHaveLength(1)
})

test('a callback that is registered twice is called twice, and removed one registration at a time', async () => {
  const told = vi.fn()
  const callback = (event: Event): void => void (event.type === 'key.suspended' && told())
  const [first, second] = [onEvent(callback), onEvent(callback)]
  stops.push(first, second)
  await exceed(await create())
  await eventually(() => expect(told).toHaveBeenCalledTimes(2))
  first()
  first()
  await exceed(await create())
  await eventually(() => expect(told).toHaveBeenCalledTimes(3))
})

test('a listener may remove itself, or add another one, while it is called', async () => {
  const last = listen()
  const once = listen(() => {
    once.stop()
    listen()
  })
  await exceed(await create(), await create())
  await heard(last.events, 2)
  expect(once.events).toHaveLength(1)
})

test('an error of a listener becomes a warning, and the other listeners are called', async () => {
  const warnings: string[] = []
  const onWarning = (warning: Error): number => warnings.push(`${warning.name}: ${warning.message}`)
  process.on('warning', onWarning)
  listen(() => {
    throw new Error('Thrown')
  })
  listen(() => Promise.reject(new Error('Rejected')) as never)
  // A value that cannot be converted to text.
  listen(() => {
    throw Object.create(null)
  })
  listen(() => {
    throw {
      toString() {
        throw new Error('Never')
      },
    }
  })
  listen(() => {
    throw Symbol('thrown')
  })
  const { events } = listen()
  await exceed(await create(), await create())
  await heard(events, 2)
  await eventually(() => expect(warnings).toHaveLength(10))
  process.off('warning', onWarning)
  expect(warnings.filter((text) => /^ApiKeyWarning: .*Thrown/.test(text))).toHaveLength(2)
  expect(warnings.filter((text) => /^ApiKeyWarning: .*Rejected/.test(text))).toHaveLength(2)
})

test.each([undefined, null, 5, 'text', {}, [], Symbol('s'), 1n])(
  '%o is no listener',
  (callback) => {
    const fault = thrownBy(() => onEvent(callback as never))
    expect(fault).toMatchObject({
      code: 'INVALID_INPUT',
      status: 400,
      issues: [{ path: 'callback', message: expect.any(String) }],
    })
  },
)

test('listeners outlast close() and configure()', async () => {
  const { events } = listen()
  await exceed(await create())
  await heard(events, 1)
  await close()
  configure({ databaseUrl: database.url(), ...cheapHashing, ...settings })
  // The new start has weak parameters.
  await exceed(await create())
  await eventually(() =>
    expect(events.map(({ type }) => type)).toEqual([
      'key.suspended',
      'configuration.warning',
      'key.suspended',
    ]),
  )
})

describe('a thread', () => {
  const file = JSON.stringify(fileURLToPath(new URL('../../index.js', import.meta.url)))
  const source = `
    const { parentPort } = require('node:worker_threads')
    const api = require(${file})
    api.onEvent((event) => {
      if (event.type === 'key.suspended')
        parentPort.postMessage([event.keyId, event.at instanceof Date])
    })
    setInterval(() => {}, 1_000)
    parentPort.postMessage('listens')`

  test('is called too, and the others go on when the thread is terminated', async () => {
    const { events } = listen()
    for (let round = 1; round <= 3; round++) {
      const worker = new Worker(source, { eval: true })
      const messages: unknown[] = []
      worker.on('message', (message) => messages.push(message))
      await eventually(() => expect(messages).toEqual(['listens']))
      const key = await create()
      await exceed(key)
      await eventually(() => expect(messages).toEqual(['listens', [key.id, true]]))
      // In the middle of events.
      const more = [await create(), await create(), await create()]
      await Promise.all([exceed(...more), worker.terminate()])
      await exceed(await create())
      await heard(events, 5 * round)
    }
  })

  test('that blocks gets what fits its queue, and the rest is dropped and counted', async () => {
    const FIT = 1_024
    const dropped = (): number =>
      samples(addon.metrics()).get('sophra_api_key_events_dropped_total')!
    const before = dropped()
    const keys: Awaited<ReturnType<typeof create>>[] = []
    // Not all at once: what is queued for too long is told to come later.
    while (keys.length < FIT + 500)
      keys.push(...(await Promise.all(Array.from({ length: 127 }, () => create()))))
    for (const { key } of keys) await verifyApiKey(key)
    const { events } = listen()
    for (const { key } of keys) void verifyApiKey(key)
    // Other threads store and tell all of them while this one does nothing.
    const ids = JSON.stringify(keys.map(({ id }) => id))
    execFileSync(process.execPath, ['-e', UNTIL_SUSPENDED, database.url(), ids], { cwd: root })
    // Others of the same moment are in the queue too.
    await eventually(() => expect(events.length).toBeGreaterThan(FIT / 4))
    const last = await create()
    await exceed(last)
    await eventually(() => expect(events.at(-1)).toMatchObject({ keyId: last.id }))
    expect(events.length).toBeLessThanOrEqual(FIT + 1)
    // Beside the last one. What is no suspension may have been dropped too.
    expect(dropped() - before).toBeGreaterThanOrEqual(keys.length - (events.length - 1))
  })
})

describe('an async listener whose promises are pending', () => {
  const dropped = (): number => samples(addon.metrics()).get('sophra_api_key_events_dropped_total')!

  test('is called up to a bound, the rest is counted, and alerts have room', async () => {
    const key = await create()
    await verifyApiKey(key.key)
    await addon.flush()
    const [before, fine, hung] = [dropped(), [] as Event[], [] as Event[]]
    let release = (): void => {}
    const released = new Promise<void>((resolve) => (release = resolve))
    stops.push(onEvent((event) => void (isJunk(event) && fine.push(event))))
    const isOurs = (event: Event): boolean =>
      isJunk(event) || (event.type === 'key.suspended' && event.keyId === key.id)
    stops.push(onEvent((event) => isOurs(event) && (hung.push(event), released)))
    for (let round = 0; round < 3; round++) await refuse(round)
    expect(fine).toHaveLength(900)
    expect(hung).toEqual(fine.slice(0, 512))
    expect(dropped() - before).toBe(900 - 512)

    expect((await verifyApiKey(key.key)).code).toBe('RATE_LIMITED')
    await eventually(() => expect(hung.at(-1)).toMatchObject({ type: 'key.suspended' }))

    release()
    await released
    const now = hung.length
    await refuse(3)
    expect(hung).toHaveLength(now + 300)
  })

  /** Events of earlier refusals may come in between. */
  const isJunk = (event: Event): boolean =>
    event.type === 'key.refused' && event.reason === 'INVALID_KEY'

  /** 300 events, told in parts that nobody is behind with. */
  async function refuse(round: number): Promise<void> {
    const told: Event[] = []
    const stop = onEvent((event) => void (isJunk(event) && told.push(event)))
    for (let kind = 0; kind < 300; kind++) {
      await verifyApiKey('nonsense', { ip: `11.${round}.${kind >> 8}.${kind & 255}` })
    }
    await addon.flush()
    await eventually(() => expect(told).toHaveLength(300))
    stop()
  }
})

test('a flood of refused attempts leaves room for alerts', async () => {
  const all: Event[] = []
  stops.push(onEvent((event) => void all.push(event)))
  const { id, key } = await create()
  await verifyApiKey(key)
  // While this thread is busy, flushes tell of a thousand kinds each.
  for (let second = 0; second < 4; second++) {
    for (let kind = 0; kind < 1_000; kind++) {
      await verifyApiKey('nonsense', { ip: `10.${second}.${kind >> 8}.${kind & 255}` })
    }
    execFileSync(process.execPath, ['-e', UNTIL_TOLD, database.url(), `${second}`], { cwd: root })
  }
  expect((await verifyApiKey(key)).code).toBe('RATE_LIMITED')
  execFileSync(process.execPath, ['-e', UNTIL_SUSPENDED, database.url(), JSON.stringify([id])], {
    cwd: root,
  })
  // Its refusal is told as well, before or after it.
  const suspended = expect.objectContaining({ type: 'key.suspended', keyId: id })
  await eventually(() => expect(all).toContainEqual(suspended))
  expect(all.length).toBeLessThan(1_024)
})

/** Ends when all the keys are suspended, as the database knows it. */
const UNTIL_SUSPENDED = `
  const { Client } = require('pg')
  const [url, ids] = process.argv.slice(1)
  const statement = 'SELECT FROM "ApiKey" WHERE "suspendedUntil" IS NULL AND "id" = ANY ($1)'
  ;(async () => {
    const client = new Client({ connectionString: url })
    await client.connect()
    while ((await client.query(statement, [JSON.parse(ids)])).rowCount > 0);
    await client.end()
  })()`

/** Ends when the audit log has all attempts of a network 10.N.0.0/16. */
const UNTIL_TOLD = `
  const { Client } = require('pg')
  const [url, second] = process.argv.slice(1)
  const statement = "SELECT sum(count)::int AS sum FROM sophra_api_keys.audit WHERE event ->> 'ip' LIKE $1"
  ;(async () => {
    const client = new Client({ connectionString: url })
    await client.connect()
    const told = async () => (await client.query(statement, ['10.' + second + '.%'])).rows[0].sum
    while ((await told()) < 900);
    await client.end()
  })()`
