import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, flush, verifyApiKey } = addon

/** Throttling is off, so that every attempt with a wrong key is counted by itself. */
const database = useAddon({ throttle: 0 })

const PER_SECOND = 50_000
const SECONDS = 10
const STEP_MS = 10
const MIB = 1 << 20

test('a flood of refusals: every attempt is counted, and memory stays flat', async () => {
  const { key } = await createApiKey({ name: 'n', clientId: 'c', allowedIps: ['192.0.2.1'] })
  await verifyApiKey(key)
  await flush()
  await database.sql('TRUNCATE sophra_api_keys.audit')

  let attempts = 0
  const memory: number[] = []
  const start = performance.now()
  while (attempts < PER_SECOND * SECONDS) {
    const due = Math.min(PER_SECOND * SECONDS, ((performance.now() - start) / 1_000) * PER_SECOND)
    for (; attempts < due; attempts++) {
      const ip = `10.${(attempts >> 16) & 255}.${(attempts >> 8) & 255}.${attempts & 255}`
      const presented = attempts % 2 === 0 ? key : `nonsense ${attempts}`
      if ((await verifyApiKey(presented, { ip, path: `/${attempts}` })).valid) throw new Error(ip)
    }
    memory.push(process.memoryUsage.rss())
    await delay(STEP_MS)
  }
  const seconds = (performance.now() - start) / 1_000
  await flush()

  const [row] = await database.sql(
    `SELECT count(*)::int AS entries, sum(count)::int AS counted FROM sophra_api_keys.audit WHERE type = 'key.refused'`,
  )
  const warm = memory[memory.length >> 2]!
  const grown = (Math.max(...memory) - warm) / MIB
  console.log(
    `${attempts} refusals in ${seconds.toFixed(1)} s: ${row!.entries} entries that count ${row!.counted},` +
      ` memory grown by ${grown.toFixed(0)} MiB after a quarter`,
  )
  expect(row!.counted).toBe(attempts)
  expect(row!.entries).toBeLessThan(1_002 * 2 * (seconds + 2))
  expect(grown).toBeLessThan(64)
})
