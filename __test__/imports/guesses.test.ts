import { scryptSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useSetting } from '../support/setting.js'

// Guesses of the secret behind a prefix that anybody may know.

const { importApiKeys, verifyApiKey } = addon
const setting = useSetting({ throttle: 3 })

const SALT = 'a salt of bytes!'
const item = (prefix: string) =>
  ({
    name: 'Old',
    clientId: 'acme',
    prefix,
    hash: {
      algorithm: 'scrypt',
      encoding: 'hex',
      value: scryptSync(`${prefix}.the-secret-of-it`, SALT, 32, { N: 1024, r: 8, p: 1 }).toString(
        'hex',
      ),
      salt: Buffer.from(SALT).toString('hex'),
      parameters: { N: 1024, r: 8, p: 1 },
      part: { separator: '.', hashed: 'whole', before: 'row' },
    },
  }) as const

test('each guess costs a hash, whether or not the prefix exists, and the address is throttled', async () => {
  expect(await importApiKeys([item('first'), item('second')])).toMatchObject({ imported: 2 })
  // What is remembered of wrong keys ends with the news of new ones.
  await setting.caughtUp()
  const guess = (key: string, ip: string) => verifyApiKey(key, { ip })
  const known = await setting.cost(() => guess('first.a-wrong-secret-1', '10.0.0.1'))
  const unknown = await setting.cost(() => guess('nobody.a-wrong-secret', '10.0.0.2'))
  expect([known.hashes, unknown.hashes]).toEqual([1, 1])
  // Remembered for some seconds.
  const again = await setting.cost(() => guess('first.a-wrong-secret-1', '10.0.0.3'))
  expect(again).toMatchObject({ hashes: 0, selects: 0 })

  for (const number of [2, 3]) await guess(`first.a-wrong-secret-${number}`, '10.0.0.1')
  expect(await guess('first.a-wrong-secret-4', '10.0.0.1')).toMatchObject({ code: 'THROTTLED' })
  // Nothing is found out from there, but the owner is elsewhere.
  expect(await guess('second.the-secret-of-it', '10.0.0.1')).toMatchObject({ code: 'THROTTLED' })
  expect(await guess('first.the-secret-of-it', '10.0.0.4')).toMatchObject({ valid: true })
})

test('a wrong secret behind the prefix of a key that is ours by now is no fault of its row', async () => {
  const told: unknown[] = []
  const stop = addon.onEvent(({ type }) => void told.push(type))
  try {
    expect(await verifyApiKey('first.the-secret-of-it')).toMatchObject({ valid: true })
    expect(await verifyApiKey('first.another-wrong-secret')).toMatchObject({ valid: false })
    expect(told).not.toContain('key.unreadable')
  } finally {
    stop()
  }
})

test('slow foreign hashes fill the queue as the hashes do that take as long', async () => {
  const part = { separator: '#', hashed: 'whole', before: 'row' } as const
  const { hash, ...rest } = item('slow')
  const parameters = { N: 32_768, r: 8, p: 1 }
  const slow = { ...rest, hash: { ...hash, parameters, part, value: 'ab'.repeat(32) } }
  expect(await importApiKeys([slow])).toMatchObject({ imported: 1 })
  await setting.caughtUp()
  const guesses = Array.from({ length: 300 }, (_, number) => `nobody#a-wrong-secret-${number}`)
  const answers = await Promise.allSettled(guesses.map((key) => verifyApiKey(key)))
  const refused = answers.filter(({ status }) => status === 'rejected')
  // Each takes some thousand times as long as a hash of ours in this test.
  expect(refused.length).toBeGreaterThan(150)
  for (const answer of refused) expect(answer).toMatchObject({ reason: { code: 'OVERLOADED' } })
  // They count for what they are, and do not make the others look slow.
  expect(await addon.createApiKey({ name: 'New', clientId: 'acme' })).toMatchObject({ name: 'New' })
})
