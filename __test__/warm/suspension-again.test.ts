import { afterEach, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { useSetting } from '../support/setting.js'

const { getApiKey, onEvent, verifyApiKey } = addon

type Event = Parameters<Parameters<typeof onEvent>[0]>[0]

// A statement may take longer than a suspension lasts.
const setting = useSetting({ suspensionSeconds: 3, statementTimeoutMs: 30_000 })

let stop = (): void => {}
afterEach(() => stop())

test('a suspension that begins while the one before it is being stored is stored too', async () => {
  const [created] = await setting.coldKeys(1, { rateLimit: 1, rateLimitWindowSeconds: 86_400 })
  const { id, key } = created!
  const events: Event[] = []
  stop = onEvent((event) => {
    if (event.type === 'key.suspended' && event.keyId === id) events.push(event)
  })
  const codeOf = async (): Promise<string> => (await verifyApiKey(key)).code
  expect(await codeOf()).toBe('VALID')
  const held = setting.tap.hold(/"suspendedUntil" = /)
  expect(await codeOf()).toBe('RATE_LIMITED')
  const { release } = await held
  expect(await codeOf()).toBe('SUSPENDED')
  // The first suspension ends while the answer to its UPDATE is on its way: this refusal begins the next one.
  await eventually(async () => expect(await codeOf()).toBe('RATE_LIMITED'))
  release()
  await eventually(() => expect(events).toHaveLength(2))
  const { suspendedUntil } = (await getApiKey(id))!
  expect(events).toMatchObject([{}, { suspendedUntil }])
})
