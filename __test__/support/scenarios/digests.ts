import { randomBytes } from 'node:crypto'
import { addon, cheapHashing } from '../addon.js'
import type { Database } from '../database.js'
import { withWrongSecret } from '../forge.js'
import { startPeer, type Peer } from '../peer.js'
import { randomFrom, type Random } from '../random.js'
import type { Options } from '../setting.js'

// Keys that are rotated, verified and hashed anew by several processes, whose peppers change all the time.

interface Key {
  id: string
  current: string
  previous?: string
}

const KEYS = 8
const STEPS_PER_CONFIGURATION = 40

const secrets = ['a', 'b'].map((name) => name.repeat(40))
const others = Array.from({ length: 3 }, () => randomBytes(32).toString('base64'))

/** What a process may be configured with. The stored signing key signs always, so that every tag is accepted. */
function anyOptions(random: Random, stored: string): Options {
  const shuffled = others
    .map((key) => ({ key, at: random(1_000) }))
    .sort((one, other) => one.at - other.at)
    .map(({ key }) => key)
  return {
    jwtSecret: [undefined, ...secrets][random(3)],
    signingKeys: random(2) ? undefined : [stored, ...shuffled.slice(random(4))],
    coldDigest: random(8) ? 'on' : 'off',
    argon2Iterations: 1 + random(2),
  }
}

/** One process, whichever it is. */
interface Process {
  restart(options: Options): Promise<void>
  verify(key: string): Promise<string>
  rotate(id: string, gracePeriodSeconds: number): Promise<string>
  endGrace(id: string): Promise<void>
}

const here = (settings: Options): Process => ({
  restart: async (options) => {
    await addon.close()
    addon.configure({ ...settings, ...options })
  },
  verify: async (key) => (await addon.verifyApiKey(key)).code,
  rotate: async (id, gracePeriodSeconds) =>
    (await addon.updateApiKey({ id, regenerateKey: true, gracePeriodSeconds })).key!,
  endGrace: async (id) => void (await addon.patchApiKey({ id, previousKeyExpiresAt: null })),
})

const there = (peer: Peer, settings: Options): Process => ({
  restart: (options) =>
    peer.run(
      async ({ api }, options) => {
        await api.close()
        api.configure(options)
      },
      { ...settings, ...options },
    ),
  verify: (key) => peer.run(async ({ api }, key) => (await api.verifyApiKey(key)).code, key),
  rotate: (id, gracePeriodSeconds) =>
    peer.run(
      async ({ api }, id, gracePeriodSeconds) =>
        (await api.updateApiKey({ id, regenerateKey: true, gracePeriodSeconds })).key!,
      id,
      gracePeriodSeconds,
    ),
  endGrace: (id) =>
    peer.run(async ({ api }, id) => {
      await api.patchApiKey({ id, previousKeyExpiresAt: null })
    }, id),
})

/** Answers that were wrong, in so many steps. */
export async function wrongAnswers(
  database: Database,
  steps: number,
  seed: number,
): Promise<string[]> {
  const random = randomFrom(seed)
  const any = <T>(list: T[]): T => list[random(list.length)]!
  // A cache of one key, so that nearly every verify is a first one.
  const settings = {
    databaseUrl: database.url,
    ...cheapHashing,
    cacheCapacity: 1,
    statementTimeoutMs: 20_000,
    suspensionSeconds: 0,
  }
  addon.configure(settings)
  const keys: Key[] = []
  for (let n = 0; n < KEYS; n++) {
    const { id, key } = await addon.createApiKey({ name: `${n}`, clientId: 'c' })
    keys.push({ id, current: key })
  }
  const [row] = await database.sql(
    `SELECT encode(key, 'base64') AS key FROM sophra_api_keys.signing_keys WHERE key IS NOT NULL`,
  )
  const stored = row!.key as string
  const peers = [await startPeer(settings), await startPeer(settings)]
  const processes = [here(settings), ...peers.map((peer) => there(peer, settings))]
  const wrong: string[] = []
  const retired: string[] = []
  const judge = (what: string, code: string, ...expected: string[]): void => {
    if (!expected.includes(code)) wrong.push(`${what}: ${code}`)
  }

  const step = async (): Promise<void> => {
    const key = any(keys)
    const { id, current, previous } = key
    const change = any(['none', 'none', 'none', 'grace', 'at once', 'end'])
    const by = any(processes)
    const changed = {
      none: async () => key,
      grace: async () => ({ id, current: await by.rotate(id, 600), previous: current }),
      'at once': async () => ({ id, current: await by.rotate(id, 0) }),
      end: async () => {
        await by.endGrace(id)
        return { id, current }
      },
    }[change]!()
    const maybe = (isKept: boolean): string[] => (isKept ? ['VALID'] : ['VALID', 'INVALID_KEY'])
    const made = withWrongSecret(current, stored)
    const [next] = await Promise.all([
      changed as Promise<Key>,
      any(processes)
        .verify(current)
        .then((code) => judge(`current, ${change}`, code, ...maybe(change !== 'at once'))),
      any(processes)
        .verify(made)
        .then((code) => judge('wrong', code, 'INVALID_KEY')),
      previous &&
        any(processes)
          .verify(previous)
          .then((code) => judge(`previous, ${change}`, code, ...maybe(change === 'none'))),
    ])
    for (const before of [current, previous]) {
      if (before && before !== next.current && before !== next.previous) retired.push(before)
    }
    Object.assign(key, { previous: undefined }, next)
    judge('next', await any(processes).verify(key.current), 'VALID')
    if (key.previous) judge('moved', await any(processes).verify(key.previous), 'VALID')
  }

  for (let done = 0; done < steps; done++) {
    if (done % STEPS_PER_CONFIGURATION === 0) {
      const begun = processes[(done / STEPS_PER_CONFIGURATION) % processes.length]!
      await begun.restart(anyOptions(random, stored))
      // It knows nothing from before.
      for (const key of retired.splice(0)) judge('retired', await begun.verify(key), 'INVALID_KEY')
      for (const { current } of keys) judge('restarted', await begun.verify(current), 'VALID')
    }
    await step()
  }
  for (const peer of peers) await peer.stop()
  return wrong
}
