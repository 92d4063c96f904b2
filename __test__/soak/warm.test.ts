import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { dump } from '../support/leaks.js'
import { forgedKeys } from '../support/scenarios/forged.js'
import { othersRevocations, ownRevocations } from '../support/scenarios/interleavings.js'
import { changesWithoutHashes } from '../support/scenarios/revalidated.js'
import { withWrongSecret } from '../support/forge.js'
import { useSetting } from '../support/setting.js'

const { updateApiKey, verifyApiKey } = addon

const signingKey = randomBytes(32).toString('base64')
const setting = useSetting({ signingKeys: [signingKey] })

test('a million forged keys cost no statement and no hash, and leave what is warm', async () => {
  await forgedKeys(setting, 1_000_000)
})

test('a rename, a new limit and a reconnect of the listener cost ten thousand warm keys no hash', async () => {
  await changesWithoutHashes(setting, 10_000)
})

test('ten thousand revocations among verifies: none begun after it accepts', async () => {
  await ownRevocations(setting, 10_000)
})

test('ten thousand revocations elsewhere: none begun after the first refusal accepts', async () => {
  await othersRevocations(setting, 10_000)
})

test('a hundred thousand wrong secrets for a warm key: none is accepted', async () => {
  const [right] = await setting.warmKeys(1)
  for (let batch = 0; batch < 1_000; batch++) {
    const wrong = Array.from({ length: 100 }, () => withWrongSecret(right!.key, signingKey))
    const answers = await Promise.all(wrong.map((key) => verifyApiKey(key)))
    for (const { code } of answers) expect(code).toBe('INVALID_KEY')
  }
  const cost = await setting.cost(async () => {
    expect((await verifyApiKey(right!.key)).valid).toBe(true)
  })
  expect(cost).toMatchObject({ selects: 0, hashes: 0 })
})

test('nothing that is stored is accepted as a key', async () => {
  for (const { id } of await setting.warmKeys(50)) {
    await updateApiKey({ id, regenerateKey: true, gracePeriodSeconds: 600 })
  }
  const rows = await setting.sql(`SELECT to_jsonb("ApiKey") AS row FROM "ApiKey" LIMIT 2000`)
  const values = rows.flatMap(({ row }) => Object.values(row as object))
  const texts = [...new Set(values.filter((value): value is string => typeof value === 'string'))]
  expect(texts.length).toBeGreaterThan(1_000)
  const words = (await dump(setting.sql)).split(/[(),"{}\s]+/).slice(0, 100_000)
  for (const text of [...texts, ...words]) expect((await verifyApiKey(text)).valid).toBe(false)
})
