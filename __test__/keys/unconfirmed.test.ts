import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { faultOf } from '../support/faults.js'
import { useSetting } from '../support/setting.js'

// A creation with an idempotency key that is stored, and whose answer is lost.

const { createApiKey, verifyApiKey } = addon

const setting = useSetting({ flushIntervalMs: 100, statementTimeoutMs: 5_000 })

const INSERT = /idempotency_keys AS used/
const SWEEP = /AS created \(id, hash\)/

const input = () => ({ name: randomUUID(), clientId: 'c', idempotencyKey: randomUUID() })
const rowsOf = ({ name }: { name: string }) =>
  setting.sql(`SELECT "id" FROM "ApiKey" WHERE "name" = $1`, [name])

/** Settles once this process has looked for keys that nobody has. */
const swept = (mark: number) =>
  eventually(() => expect(setting.tap.statements.slice(mark).some((s) => SWEEP.test(s))).toBe(true))

test('is deleted, so that the same creation makes the key', async () => {
  const wanted = input()
  const held = setting.tap.hold(INSERT)
  const first = faultOf(() => createApiKey(wanted))
  const answer = await held
  expect(await first).toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
  await eventually(async () => expect(await rowsOf(wanted)).toEqual([]))
  answer.release()
  const { key } = await createApiKey(wanted)
  expect(await verifyApiKey(key)).toMatchObject({ valid: true })
  expect(await rowsOf(wanted)).toHaveLength(1)
})

test('is kept if its repetition was answered with the key meanwhile', async () => {
  const wanted = input()
  const held = setting.tap.hold(INSERT)
  const first = createApiKey(wanted)
  const answer = await held
  // Its row is there before its answer.
  await eventually(async () => expect(await rowsOf(wanted)).toHaveLength(1))
  const second = await createApiKey(wanted)
  expect(await first).toEqual(second)
  answer.release()
  await setting.caughtUp()
  expect(await verifyApiKey(second.key)).toMatchObject({ valid: true })
  expect(await rowsOf(wanted)).toHaveLength(1)
})

test('keeps its idempotency key if the key was rotated meanwhile', async () => {
  const wanted = input()
  const held = setting.tap.hold(INSERT)
  const first = faultOf(() => createApiKey(wanted))
  const answer = await held
  await eventually(async () => expect(await rowsOf(wanted)).toHaveLength(1))
  const rotated = await setting.peer.run(async ({ api }, wanted) => {
    const fault = await api.createApiKey(wanted).catch((fault: { keyId: string }) => fault)
    return api.updateApiKey({ id: (fault as { keyId: string }).keyId, regenerateKey: true })
  }, wanted)
  expect(await first).toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
  await swept(setting.tap.statements.length)
  answer.release()
  const repeated = await setting.peer.run(
    ({ api }, wanted) => api.createApiKey(wanted).catch((fault: { code: string }) => fault.code),
    wanted,
  )
  expect(repeated).toBe('CONFLICT')
  expect(await rowsOf(wanted)).toEqual([{ id: rotated.id }])
})

test('is repeated for real if the idempotency key is freed at that moment', async () => {
  const wanted = input()
  await createApiKey(wanted)
  const held = setting.tap.hold(INSERT)
  const second = createApiKey(wanted)
  const answer = await held
  await answer.answered
  await setting.sql(`DELETE FROM sophra_api_keys.idempotency_keys`)
  answer.release()
  const { id, key } = await second
  expect(await verifyApiKey(key)).toMatchObject({ valid: true, keyId: id })
  expect(await rowsOf(wanted)).toHaveLength(2)
})
