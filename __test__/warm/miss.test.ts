import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { remade, withWrongSecret } from '../support/forge.js'
import { insertOldKey } from '../support/old-rows.js'
import { promptly } from '../support/promptly.js'
import { LOOKUP, useSetting, type Issued } from '../support/setting.js'
import { stats } from '../support/stats.js'
import { printTimes } from '../support/times.js'

const { flush, getApiKey, verifyApiKey } = addon

const signingKey = randomBytes(32).toString('base64')
// Without digests, so that each first verify shows that it costs a hash, and one only.
const setting = useSetting({ signingKeys: [signingKey], coldDigest: 'off' })

const readsIn = (statements: string[]): string[] => statements.filter((text) => LOOKUP.test(text))

/** Takes the row away, and knows how to put the very same one back. */
async function takeAway({ id }: Issued): Promise<() => Promise<unknown>> {
  const [taken] = await setting.sql(
    `DELETE FROM "ApiKey" WHERE "id" = $1 RETURNING to_jsonb("ApiKey") AS row`,
    [id],
  )
  return () =>
    setting.sql(
      `INSERT INTO "ApiKey" SELECT * FROM jsonb_populate_record(NULL::"ApiKey", $1::jsonb)`,
      [JSON.stringify(taken!.row)],
    )
}

describe('a cold key', () => {
  test('costs one statement and one hash, however many ask at once', async () => {
    const [cold] = await setting.coldKeys(1)
    const cost = await setting.cost(async () => {
      const answers = await Promise.all(
        Array.from({ length: 1_000 }, () => verifyApiKey(cold!.key)),
      )
      expect(new Set(answers.map(({ valid }) => valid))).toEqual(new Set([true]))
    })
    expect(cost).toMatchObject({ selects: 1, hashes: 1 })
    expect(readsIn(cost.statements)).toHaveLength(1)
    await flush()
    expect((await getApiKey(cold!.id))!.usageCount).toBe(1_000)
  })

  test('is judged for each of them by what it asks', async () => {
    const [cold] = await setting.coldKeys(1, { scopes: ['read'], allowedIps: ['10.0.0.0/8'] })
    const asked = [
      { context: { ip: '10.1.2.3', scopes: ['read'] }, code: 'VALID' },
      { context: { ip: '10.1.2.3', scopes: ['write'] }, code: 'INSUFFICIENT_SCOPE' },
      { context: { ip: '11.1.2.3', scopes: ['read'] }, code: 'IP_NOT_ALLOWED' },
      { context: { ip: '::ffff:10.0.0.1' }, code: 'VALID' },
      { context: undefined, code: 'IP_NOT_ALLOWED' },
    ]
    const many = Array.from({ length: 50 }, () => asked).flat()
    const cost = await setting.cost(async () => {
      const answers = await Promise.all(many.map(({ context }) => verifyApiKey(cold!.key, context)))
      expect(answers.map(({ code }) => code)).toEqual(many.map(({ code }) => code))
    })
    expect(cost).toMatchObject({ selects: 1, hashes: 1 })
  })

  test('holds its limit across simultaneous verifies', async () => {
    const perDay = { rateLimit: 100, rateLimitWindowSeconds: 86_400 }
    const [cold] = await setting.coldKeys(1, perDay)
    const answers = await Promise.all(Array.from({ length: 500 }, () => verifyApiKey(cold!.key)))
    expect(answers.filter(({ valid }) => valid)).toHaveLength(100)
  })

  test('is not mixed up with others that are as cold', async () => {
    const cold = await setting.coldKeys(200)
    const cost = await setting.cost(async () => {
      const twice = [...cold, ...cold.toReversed()]
      const answers = await Promise.all(twice.map(({ key }) => verifyApiKey(key)))
      expect(answers.map(({ keyId }) => keyId)).toEqual(twice.map(({ id }) => id))
    })
    expect(cost).toMatchObject({ selects: 200, hashes: 200 })
  })
})

describe('a key that there is not', () => {
  test('costs one statement, however many ask at once and afterwards', async () => {
    const [gone] = await setting.coldKeys(1)
    await takeAway(gone!)
    await setting.caughtUp()
    const cost = await setting.cost(async () => {
      const answers = await Promise.all(
        Array.from({ length: 1_000 }, () => verifyApiKey(gone!.key)),
      )
      for (const answer of answers) expect(answer.code).toBe('INVALID_KEY')
      for (let again = 0; again < 1_000; again++) {
        expect((await verifyApiKey(gone!.key)).code).toBe('INVALID_KEY')
      }
    })
    expect(cost.selects).toBe(1)
    // It takes as long as for a row that there is.
    expect(cost.hashes).toBe(1)
    expect(readsIn(cost.statements)).toHaveLength(1)
  })

  test('is accepted as soon as it is there', async () => {
    const times: number[] = []
    for (const issued of await setting.coldKeys(50)) {
      const putBack = await takeAway(issued)
      await setting.caughtUp()
      expect((await verifyApiKey(issued.key)).code).toBe('INVALID_KEY')
      const start = performance.now()
      await putBack()
      const isAccepted = async (): Promise<boolean> => (await verifyApiKey(issued.key)).valid
      times.push(await promptly('the key is accepted', isAccepted, start))
    }
    printTimes('created after a miss of the same key, until it is accepted', times)
  })

  test('is accepted though it came while its absence was on the way', async () => {
    const [issued] = await setting.coldKeys(1)
    const putBack = await takeAway(issued!)
    await setting.caughtUp()
    const held = setting.tap.hold(LOOKUP)
    const early = verifyApiKey(issued!.key)
    const { release } = await held
    await putBack()
    await setting.caughtUp()
    release()
    await early
    expect((await verifyApiKey(issued!.key)).valid).toBe(true)
  })
})

describe('a wrong secret', () => {
  test('can be made here', async () => {
    const [cold] = await setting.coldKeys(1)
    expect(remade(cold!.key, signingKey)).toBe(cold!.key)
  })

  test('is never accepted, and leaves the right one in memory', async () => {
    const [right] = await setting.warmKeys(1)
    // A few at a time: a queue of all of them is too long where the machine is busy.
    for (let round = 0; round < 100; round++) {
      const wrong = Array.from({ length: 10 }, () => withWrongSecret(right!.key, signingKey))
      for (const answer of await Promise.all(wrong.map((key) => verifyApiKey(key)))) {
        expect(answer).toMatchObject({ code: 'INVALID_KEY', status: 401 })
      }
    }
    const cost = await setting.cost(async () => {
      expect((await verifyApiKey(right!.key)).valid).toBe(true)
    })
    expect(cost).toEqual({ selects: 0, hashes: 0, statements: [] })
  })

  test('is not kept as a key', async () => {
    const [right] = await setting.coldKeys(1)
    const before = stats().cached
    const wrong = Array.from({ length: 100 }, () => withWrongSecret(right!.key, signingKey))
    await Promise.all(wrong.map((key) => verifyApiKey(key)))
    expect(stats().cached).toBe(before)
  })
})

test('where there is a legacy key, strings of its shape cost a statement once, and no hash', async () => {
  const { key } = await insertOldKey(setting.sql)
  await setting.caughtUp()
  expect(await verifyApiKey(key)).toMatchObject({ valid: true })
  const verifyAll = async (): Promise<void> => {
    for (let n = 0; n < 100; n++) {
      const answer = await verifyApiKey(`some-other-key-${n}-${'x'.repeat(30)}`)
      expect(answer).toMatchObject({ valid: false, code: 'INVALID_KEY' })
    }
  }
  expect(await setting.cost(verifyAll)).toMatchObject({ selects: 100, hashes: 0 })
  expect(await setting.cost(verifyAll)).toEqual({ selects: 0, hashes: 0, statements: [] })
})
