import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { useSetting } from '../support/setting.js'

const { kept } = createRequire(import.meta.url)('../../lib/templates.js') as {
  kept(): { templates: number; slots: number; bytes: number }
}

const BYTES_MAX = 64 * 1024 * 1024
/** 8 KiB of JSON that take up more than ten times as much as JavaScript values. */
const bulky = { a: Array.from({ length: 2_700 }, () => []) }

// Large rows, on whatever machine: no statement is given up.
const statementTimeoutMs = 60_000
const setting = useSetting({
  suspensionSeconds: 1,
  flushIntervalMs: 50,
  cacheCapacity: 1_000_000,
  statementTimeoutMs,
})

async function verified(key: string): Promise<string> {
  // The first one may be cold: only a warm one uses a template.
  await addon.verifyApiKey(key)
  return (await addon.verifyApiKey(key)).code
}

/** The templates, once the given keys have been verified. */
async function keptFor(keys: string[]): Promise<{ templates: number; slots: number }> {
  for (const key of keys) expect(await verified(key)).toBe('VALID')
  const { templates, slots } = kept()
  return { templates, slots }
}

test('a key that is edited again and again keeps one template', async () => {
  const [issued] = await setting.warmKeys(1, { metadata: bulky })
  const before = await keptFor([issued!.key])
  for (let edit = 0; edit < 5; edit++) {
    await addon.patchApiKey({ id: issued!.id, name: `Key ${edit}` })
    expect(await keptFor([issued!.key])).toEqual(before)
  }
  expect(await addon.verifyApiKey(issued!.key)).toMatchObject({ name: 'Key 4', metadata: bulky })
})

test('a change of all keys replaces their templates', async () => {
  const keys = (await setting.warmKeys(5, { metadata: bulky })).map(({ key }) => key)
  const before = await keptFor(keys)
  for (let round = 0; round < 3; round++) {
    await setting.sql(`INSERT INTO sophra_api_keys.changes (key_id) VALUES (NULL)`)
    await setting.caughtUp()
    expect(await keptFor(keys)).toEqual(before)
  }
})

test('a suspension replaces the template of its key', async () => {
  const [issued] = await setting.warmKeys(1, { metadata: bulky, rateLimit: 1 })
  await addon.verifyApiKey(issued!.key)
  const before = kept()
  for (let round = 0; round < 3; round++) {
    await addon.verifyApiKey(issued!.key)
    await addon.verifyApiKey(issued!.key)
    await addon.flush()
    await addon.patchApiKey({ id: issued!.id, suspendedUntil: null })
  }
  expect(kept().templates - before.templates).toBeLessThanOrEqual(1)
})

test('the templates of all keys stay below a bound in bytes', async () => {
  const keys = (await setting.warmKeys(5)).map(({ key }) => key)
  // Larger than this package would store, so that few keys suffice.
  await setting.sql(
    `UPDATE "ApiKey" SET "metadata" = jsonb_build_object('a', repeat('x', 9000000))
     WHERE "id" IN (SELECT "id" FROM "ApiKey" ORDER BY "createdAt" DESC LIMIT 5)`,
  )
  await setting.caughtUp()
  for (let round = 0; round < 2; round++) {
    await keptFor(keys)
    const { templates, slots, bytes } = kept()
    expect(bytes).toBeLessThanOrEqual(BYTES_MAX)
    expect(bytes).toBeGreaterThan(BYTES_MAX / 2)
    expect(templates).toBeLessThan(keys.length)
    expect(slots).toBe(templates)
  }
})
