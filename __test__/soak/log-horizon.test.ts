import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.js'
import { useSetting, type Issued } from '../support/setting.js'

// A high bound, so that nothing but the log itself says that something was missed.
const setting = useSetting({ stalenessSeconds: 3_600 })

const ROWS = 2_000_000
/** Changes are kept for ten minutes. Then a part of 10,000 of them is pruned in each round, of which there is one a second. */
const PRUNED_MS = 25 * 60_000

const codeThere = ({ key }: Issued): Promise<string> =>
  setting.peer.run(async ({ api }, key) => (await api.verifyApiKey(key)).code, key)

test('a process that was stopped while millions of changes were pruned misses no revocation', async () => {
  const [kept, revoked] = await setting.coldKeys(2)
  for (const issued of [kept!, revoked!]) expect(await codeThere(issued)).toBe('VALID')
  setting.peer.signal('SIGSTOP')
  await setting.sql(`UPDATE "ApiKey" SET "isActive" = false WHERE "id" = $1`, [revoked!.id])
  await setting.sql(
    `INSERT INTO sophra_api_keys.changes (key_id) SELECT 'gone' FROM generate_series(1, $1::int)`,
    [ROWS],
  )
  const left = async (): Promise<number> =>
    (await setting.sql(`SELECT 1 FROM sophra_api_keys.changes WHERE key_id = ANY ($1) LIMIT 1`, [
      ['gone', revoked!.id],
    ]))!.length
  expect(await left()).toBe(1)
  await eventually(async () => expect(await left()).toBe(0), PRUNED_MS)
  setting.peer.signal('SIGCONT')
  await eventually(async () => expect(await codeThere(revoked!)).toBe('DISABLED'))
  expect(await codeThere(kept!)).toBe('VALID')
})
