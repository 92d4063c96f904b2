import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { changesWithoutHashes } from '../support/scenarios/revalidated.js'
import { useSetting } from '../support/setting.js'

const { createApiKey, patchApiKey, updateApiKey, verifyApiKey } = addon

const setting = useSetting()

test('a rename, a new limit and a reconnect of the listener cost a thousand warm keys no hash', async () => {
  await changesWithoutHashes(setting, 1_000)
})

test("a change of this process's own is seen at once, and costs no hash", async () => {
  const { id, key } = await createApiKey({ name: '0', clientId: 'c' })
  await verifyApiKey(key)
  const cost = await setting.cost(async () => {
    for (let time = 1; time <= 200; time++) {
      const name = String(time)
      await (time % 2 ? patchApiKey({ id, name }) : updateApiKey({ id, name }))
      expect(await verifyApiKey(key)).toMatchObject({ valid: true, name })
    }
  })
  expect(cost.hashes).toBe(0)
})

test('a stale key that many ask for at once is read once', async () => {
  const [warm] = await setting.warmKeys(1)
  await setting.sql(`UPDATE "ApiKey" SET "name" = 'New' WHERE "id" = $1`, [warm!.id])
  await setting.caughtUp()
  const cost = await setting.cost(async () => {
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => verifyApiKey(warm!.key)))
    for (const answer of answers) expect(answer).toMatchObject({ valid: true, name: 'New' })
  })
  expect(cost).toMatchObject({ selects: 1, hashes: 0 })
})

test('only another hash in the row is hashed against', async () => {
  const [one, other] = await setting.warmKeys(2)
  await setting.sql(`UPDATE "ApiKey" SET "key" = "key" || '', "name" = 'New' WHERE "id" = $1`, [
    one!.id,
  ])
  await setting.caughtUp()
  expect(
    await setting.cost(async () => expect((await verifyApiKey(one!.key)).valid).toBe(true)),
  ).toMatchObject({ selects: 1, hashes: 0 })

  await setting.sql(
    `WITH gone AS (DELETE FROM "ApiKey" WHERE "id" = $2 RETURNING "key")
     UPDATE "ApiKey" SET "key" = gone."key" FROM gone WHERE "id" = $1`,
    [one!.id, other!.id],
  )
  await setting.caughtUp()
  expect(
    await setting.cost(async () => expect((await verifyApiKey(one!.key)).code).toBe('INVALID_KEY')),
  ).toMatchObject({ selects: 1, hashes: 1 })
})
