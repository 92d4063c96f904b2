import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useSetting } from '../support/setting.js'
import { oldKey } from '../support/old-rows.js'

const { verifyApiKey } = addon

// Hashing as by default: so many hashes would be more than the queue takes.
const setting = useSetting({ argon2MemoryKib: 7_168, argon2Iterations: 5 })

test('many strings in the shape of old keys do not keep valid keys from being hashed', async () => {
  const [cold] = await setting.coldKeys(1)
  const strangers = Array.from({ length: 1_000 }, () => verifyApiKey(oldKey()))
  expect(await verifyApiKey(cold!.key)).toMatchObject({ valid: true })
  for (const { code } of await Promise.all(strangers)) expect(code).toBe('INVALID_KEY')
})
