import { afterAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { runScript } from '../support/child.js'
import { eventually } from '../support/eventually.js'
import { useSetting } from '../support/setting.js'

const { close, configure, createApiKey, flush, listAuditEvents, metrics, onEvent, verifyApiKey } =
  addon

// A statement may take longer than close() waits.
const setting = useSetting({ statementTimeoutMs: 30_000 })

const defects: unknown[] = []
const stop = onEvent((event) => {
  if (event.type === 'internal.error') defects.push(event)
})
afterAll(() => stop())

const dropped = (): number =>
  Number(/^sophra_api_key_audit_dropped_total (.+)$/m.exec(metrics())![1])

test('a background flush whose answer never comes loses nothing, and the closed addon has no defect', async () => {
  await flush()
  const before = dropped()
  const held = setting.tap.hold(/INSERT INTO sophra_api_keys\.audit /)
  const ip = '192.0.2.77'
  for (let attempt = 0; attempt < 7; attempt++) await verifyApiKey('nonsense', { ip })
  const { release } = await held
  await close()
  release()
  configure(setting.options)
  await eventually(async () => {
    const { events } = await listAuditEvents({ type: 'key.refused' })
    const mine = events.filter((event) => event.ip === ip)
    expect(mine.reduce((sum, { count }) => sum + count, 0)).toBe(7)
  })
  expect(dropped()).toBe(before)
  expect(defects).toEqual([])
})

test('close() leaves nothing of what was started, however long the flush interval', async () => {
  const [KEYS, CYCLES] = [16, 100]
  // As large as keys can be: a service that lived on would hold more than 0.25 MiB of them.
  const metadata = { text: 'x'.repeat(8_000) }
  const scopes = Array.from({ length: 100 }, (_, number) => `${number}`.padEnd(100, ':'))
  const create = () => createApiKey({ name: 'n', clientId: 'c', metadata, scopes })
  const keys = await Promise.all(Array.from({ length: KEYS }, async () => (await create()).key))
  const options = { ...setting.options, databaseUrl: setting.database.url }
  const { reports, code, stderr } = await runScript(
    `const keys = ${JSON.stringify(keys)}
     const cycle = async () => {
       api.configure({ ...${JSON.stringify(options)}, flushIntervalMs: 3_600_000 })
       const verified = await Promise.all(keys.map((key) => api.verifyApiKey(key)))
       if (!verified.every(({ valid }) => valid)) throw new Error('refused')
       await api.close()
     }
     const usedMiB = () => process.memoryUsage.rss() / 2 ** 20
     for (let time = 0; time < 10; time++) await cycle()
     const before = usedMiB()
     for (let time = 0; time < ${CYCLES}; time++) await cycle()
     report(usedMiB() - before)`,
    { timeoutMs: 280_000 },
  )
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const [grownMiB] = reports as number[]
  console.log(`${CYCLES} cycles: ${grownMiB!.toFixed(1)} MiB more`)
  expect(grownMiB).toBeLessThan(CYCLES / 4)
}, 300_000)
