import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { useSetting } from '../support/setting.js'

const { flush, getApiKey, patchApiKey, verifyApiKey } = addon

const setting = useSetting({ flushIntervalMs: 50, statementTimeoutMs: 1_000, poolMax: 4 })

/** Many flushes, and many deadlines of a statement. */
const ROUNDS = 40

test('a locked row holds up no other key, and loses no usage', async () => {
  const [locked, free, changed] = await setting.warmKeys(3)
  const cold = await setting.coldKeys(ROUNDS)
  await flush()
  const holder = new Client({ connectionString: setting.database.url })
  await holder.connect()
  await holder.query('BEGIN')
  await holder.query(`UPDATE "ApiKey" SET "name" = 'Held' WHERE "id" = $1`, [locked!.id])

  for (const [round, { key }] of cold.entries()) {
    for (const { key } of [locked!, free!]) expect((await verifyApiKey(key)).valid).toBe(true)
    expect((await verifyApiKey(key)).valid).toBe(true)
    const name = `Name ${round}`
    await patchApiKey({ id: changed!.id, name })
    expect(await verifyApiKey(changed!.key)).toMatchObject({ valid: true, name })
    await setting.sql(`UPDATE "ApiKey" SET "clientId" = 'other' WHERE "id" = $1`, [free!.id])
    // As long as a flush waits: the point is that they come one after the other.
    await delay(50)
  }

  await holder.query('COMMIT')
  await holder.end()
  await eventually(() => flush())
  for (const { id } of [locked!, free!, changed!]) {
    expect((await getApiKey(id))!.usageCount).toBe(ROUNDS + 1)
  }
  expect(await verifyApiKey(locked!.key)).toMatchObject({ valid: true, name: 'Held' })
})
