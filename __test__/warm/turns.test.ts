import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { faultOf } from '../support/faults.js'
import { withWrongSecret } from '../support/forge.js'
import { startPeer } from '../support/peer.js'
import { LOOKUP, useSetting } from '../support/setting.js'
import { startTap } from '../support/tap.js'

const signingKey = randomBytes(32).toString('base64')
const setting = useSetting({
  signingKeys: [signingKey],
  poolMax: 1,
  statementTimeoutMs: 1_000,
})

test('a verify whose statement is not answered reports an outage, and those that waited for it are answered, or told why not', async () => {
  const [held, ...waiting] = await setting.coldKeys(20)
  const answer = setting.tap.hold(LOOKUP)
  const first = faultOf(() => addon.verifyApiKey(held!.key))
  const { release } = await answer
  const codes = await Promise.all(
    waiting.map(({ key }) =>
      addon.verifyApiKey(key).then(
        ({ code }) => code,
        ({ code }: { code: string }) => code,
      ),
    ),
  )
  expect(await first).toMatchObject({ code: 'DATABASE_UNAVAILABLE', status: 503 })
  release()
  for (const code of codes) expect(['VALID', 'DATABASE_UNAVAILABLE', 'OVERLOADED']).toContain(code)
})

test('a verify that waits in vain while others are answered is overloaded, with the time to wait', async () => {
  const [issued] = await setting.coldKeys(1)
  const wrong = Array.from({ length: 10_000 }, () => withWrongSecret(issued!.key, signingKey))
  // However fast the machine is, few of the statements fit into the time that a verify may wait.
  const slow = await startTap(setting.database.url, { delayMs: 50 })
  const busy = await startPeer({
    ...setting.options,
    databaseUrl: slow.url,
    statementTimeoutMs: 3_000,
  })
  const codes = await busy.run(async ({ api }, keys) => {
    const codes: Record<string, number> = {}
    const count = (code: string): void => void (codes[code] = (codes[code] ?? 0) + 1)
    const ask = (key: string): Promise<void> =>
      api.verifyApiKey(key).then(
        ({ code }) => count(code),
        ({ code, retryAfterMs }: { code: string; retryAfterMs: number }) =>
          count(retryAfterMs > 0 ? code : 'no time told'),
      )
    await api.health()
    await Promise.all(keys.map(ask))
    return codes
  }, wrong)
  await busy.stop()
  await slow.close()
  // On a busy machine, a verify may get its connection and its statement still takes too long: that is an outage.
  const { DATABASE_UNAVAILABLE = 0, ...others } = codes
  expect(Object.keys(others).sort()).toEqual(['INVALID_KEY', 'OVERLOADED'])
  expect(DATABASE_UNAVAILABLE).toBeLessThan(codes.OVERLOADED! / 10)
})
