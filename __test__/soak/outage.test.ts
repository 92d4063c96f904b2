import { setImmediate as immediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { startPeer } from '../support/peer.js'
import { Server } from '../support/postgres-server.js'
import { startTap, type Tap } from '../support/tap.js'
import type { Issued } from '../support/setting.js'

const { close, configure, createApiKey, getApiKey, onEvent, verifyApiKey } = addon

/** More than two deadlines, after which an outage is noticed. */
const STALENESS_SECONDS = 10

let server: Server
let tap: Tap
let alerts: string[]
let stop: () => void
beforeEach(async () => {
  server = await Server.start()
  tap = await startTap(server.url)
  alerts = []
  stop = onEvent(({ type }) => void (type.startsWith('database.') && alerts.push(type)))
  configure({ databaseUrl: tap.url, stalenessSeconds: STALENESS_SECONDS, ...cheapHashing })
})
afterEach(async () => {
  stop()
  await close().catch(() => {})
  await tap.close()
  await server.remove()
})

/** Begins an outage; answers what ends it. */
type Begin = () => Promise<() => Promise<void>>
const outages: [string, Begin][] = [
  [
    'stopped',
    async () => {
      await server.stop()
      return () => server.restart()
    },
  ],
  [
    'frozen',
    async () => {
      const { thaw } = await server.freeze()
      return async () => thaw()
    },
  ],
  [
    'black-holed',
    async () => {
      tap.freeze()
      return async () => tap.thaw()
    },
  ],
]

/** Milliseconds that answers took, by what they were. */
class Times {
  private readonly taken = new Map<string, number[]>()

  add(what: string, ms: number): void {
    const list = this.taken.get(what)
    if (list) list.push(ms)
    else this.taken.set(what, [ms])
  }

  count(what: string): number {
    return this.taken.get(what)?.length ?? 0
  }

  get kinds(): string[] {
    return [...this.taken.keys()].sort()
  }

  toString(): string {
    const line = (what: string): string => {
      const sorted = this.taken.get(what)!.toSorted((a, b) => a - b)
      const at = (part: number): string =>
        sorted[Math.floor((sorted.length - 1) * part)]!.toFixed(3)
      return `  ${what}: ${sorted.length}, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`
    }
    return this.kinds.map(line).join('\n')
  }
}

/** Verifies without a pause, and sorts the answers by the phase in which they were asked for. */
function load(warm: Issued[], cold: Issued[]) {
  const times = new Times()
  let phase = 'before'
  let ended = false
  const ask = async (kind: string, { id, key }: Issued): Promise<string> => {
    const asked = phase
    const start = performance.now()
    const answer = await verifyApiKey(key).catch((fault: { code: string }) => fault)
    const right =
      answer.code === 'DATABASE_UNAVAILABLE' || ('keyId' in answer && answer.keyId === id)
    if (!right) throw new Error(`Wrong: ${kind} ${asked} ${answer.code}`)
    times.add(`${kind} ${asked} ${answer.code}`, performance.now() - start)
    return answer.code
  }
  const askWarm = async (): Promise<void> => {
    for (let n = 0; !ended; n++) {
      await ask('warm', warm[n % warm.length]!)
      if (n % 64 === 0) await immediate()
    }
  }
  const left = [...cold]
  /** A key is cold until it has been accepted once. */
  const askCold = async (): Promise<void> => {
    for (let key = left.pop(); key && !ended; key = left.pop()) {
      while (!ended && (await ask('cold', key)) !== 'VALID') await immediate()
      // A few a second are enough, and leave some for the outage.
      await eventually(() => {
        if (!ended && Date.now() % 100 > 20) throw new Error('later')
      })
    }
  }
  const running = Promise.all([askWarm(), ...Array.from({ length: 8 }, askCold)])
  return {
    times,
    enter: (next: string) => void (phase = next),
    end: async () => {
      ended = true
      await running
    },
    running,
  }
}

const wait = (ms: number, load: Promise<unknown>): Promise<unknown> =>
  Promise.race([load, new Promise((resolve) => setTimeout(resolve, ms))])

describe.each(outages)('Postgres is %s', (_how, begin) => {
  test.each([
    ['less', STALENESS_SECONDS * 300],
    ['more', STALENESS_SECONDS * 2_000],
  ])('for %s than the staleness bound: no wrong answer', async (length, ms) => {
    const create = (): Promise<Issued> => createApiKey({ name: 'n', clientId: 'c' })
    const warm = await Promise.all(Array.from({ length: 100 }, create))
    const maker = await startPeer({ databaseUrl: server.url, ...cheapHashing })
    const cold = await maker.run(({ api }) =>
      Promise.all(
        Array.from({ length: 2_000 }, () => api.createApiKey({ name: 'n', clientId: 'c' })),
      ),
    )
    await maker.stop()
    await Promise.all(warm.map(({ key }) => verifyApiKey(key)))
    await eventually(async () => expect((await addon.health()).status).toBe('ok'))

    const loaded = load(warm, cold)
    await wait(1_000, loaded.running)
    expect(alerts).toEqual([])
    loaded.enter('at first')
    const mend = await begin()
    await eventually(() => expect(alerts).toEqual(['database.unavailable']), 60_000)
    loaded.enter('in the outage')
    const before = loaded.times.count('warm in the outage DATABASE_UNAVAILABLE')
    await wait(ms, loaded.running)
    loaded.enter('afterwards')
    const mended = performance.now()
    await mend()
    await eventually(() => expect(alerts).toHaveLength(2), 60_000)
    await eventually(() => getApiKey(warm[0]!.id), 60_000)
    const recovered = performance.now() - mended
    await wait(1_000, loaded.running)
    await loaded.end()

    console.log(`${loaded.times}\n  recovered after ${recovered.toFixed(0)} ms`)
    expect(alerts).toEqual(['database.unavailable', 'database.recovered'])
    const { times } = loaded
    expect(times.count('warm before DATABASE_UNAVAILABLE')).toBe(0)
    expect(times.count('warm in the outage VALID')).toBeGreaterThan(1_000)
    expect(times.count('cold in the outage DATABASE_UNAVAILABLE')).toBeGreaterThan(100)
    expect(times.count('cold in the outage VALID')).toBe(0)
    expect(times.count('warm afterwards VALID')).toBeGreaterThan(1_000)
    expect(times.count('cold afterwards VALID')).toBeGreaterThan(0)
    const refused = times.count('warm in the outage DATABASE_UNAVAILABLE') - before
    if (length === 'less') expect(refused).toBe(0)
    else expect(refused).toBeGreaterThan(1_000)
  })
})

test('resting connections are killed a thousand times: no caller notices', async () => {
  const { id } = await createApiKey({ name: 'n', clientId: 'c' })
  for (let time = 0; time < 1_000; time++) {
    await server.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND state = 'idle'`,
    )
    expect(await getApiKey(id)).toMatchObject({ id })
  }
  expect(alerts).toEqual([])
})
