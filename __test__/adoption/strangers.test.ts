import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useSetting } from '../support/setting.js'
import { oldKey } from '../support/old-rows.js'

const { verifyApiKey } = addon

const STRANGERS = 200

// So slow that hashes for all strangers would be more than the queue takes.
const setting = useSetting({ argon2MemoryKib: 16_384, argon2Iterations: 10 })

test('many strings in the shape of old keys do not keep valid keys from being hashed', async () => {
  const [cold] = await setting.coldKeys(1)
  const strangers = Array.from({ length: STRANGERS }, () => verifyApiKey(oldKey()))
  expect(await verifyApiKey(cold!.key)).toMatchObject({ valid: true })
  for (const { code } of await Promise.all(strangers)) expect(code).toBe('INVALID_KEY')
})
