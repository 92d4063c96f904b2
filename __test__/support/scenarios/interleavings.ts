import { setImmediate as immediate } from 'node:timers/promises'
import { expect } from 'vitest'
import { addon } from '../addon.js'
import type { Issued, Setting } from '../setting.js'

const { deleteApiKey, patchApiKey, updateApiKey, verifyApiKey } = addon

const AT_ONCE = 8
const VERIFIERS = 4
/** Verifies by each of them after the revocation. */
const AFTER = 5

type Revoke = (id: string) => Promise<unknown>

const own: Revoke[] = [
  (id) => patchApiKey({ id, isActive: false }),
  (id) => deleteApiKey(id),
  (id) => updateApiKey({ id, regenerateKey: true }),
  (id) => updateApiKey({ id, expiresAt: new Date(0), name: 'Expired' }),
]

/** While a key is verified without pause it is revoked here: no verify begun after that accepts it. */
export async function ownRevocations(setting: Setting, rounds: number): Promise<void> {
  let wrong = 0
  await eachRound(setting, rounds, async (round, { id, key }) => {
    let revoked = false
    const verifier = async (): Promise<void> => {
      for (let after = 0; after < AFTER;) {
        const begunAfter = revoked
        const { valid } = await verifyApiKey(key)
        if (begunAfter) after++
        if (begunAfter && valid) wrong++
        await immediate()
      }
    }
    const verifiers = Promise.all(Array.from({ length: VERIFIERS }, verifier))
    await aMoment(round)
    await own[round % own.length]!(id)
    revoked = true
    await verifiers
  })
  expect(wrong).toBe(0)
}

/** The same with a revocation elsewhere: once one verify has refused, none begun after that accepts. */
export async function othersRevocations(setting: Setting, rounds: number): Promise<void> {
  const others: Revoke[] = [
    (id) => setting.sql(`UPDATE "ApiKey" SET "isActive" = false WHERE "id" = $1`, [id]),
    (id) => setting.sql(`DELETE FROM "ApiKey" WHERE "id" = $1`, [id]),
    (id) => setting.peer.run(({ api }, id) => api.updateApiKey({ id, regenerateKey: true }), id),
  ]
  let wrong = 0
  await eachRound(setting, rounds, async (round, { id, key }) => {
    let refused = false
    const verifier = async (): Promise<void> => {
      for (let after = 0; after < AFTER;) {
        const begunAfter = refused
        const { valid } = await verifyApiKey(key)
        refused ||= !valid
        if (begunAfter) after++
        if (begunAfter && valid) wrong++
        await immediate()
      }
    }
    const verifiers = Promise.all(Array.from({ length: VERIFIERS }, verifier))
    await aMoment(round)
    await others[round % others.length]!(id)
    // Makes it stale once more, so that it is read again while it is refused.
    await setting.sql(`UPDATE "ApiKey" SET "name" = 'Once more' WHERE "id" = $1`, [id])
    await verifiers
  })
  expect(wrong).toBe(0)
}

/** Keys that are cold, warm or stale when their round begins, several at once. */
async function eachRound(
  setting: Setting,
  rounds: number,
  play: (round: number, key: Issued) => Promise<void>,
): Promise<void> {
  const BATCH = 200
  for (let begun = 0; begun < rounds; begun += BATCH) {
    const keys = await setting.coldKeys(Math.min(BATCH, rounds - begun))
    let next = 0
    const player = async (): Promise<void> => {
      for (let at = next++; at < keys.length; at = next++) {
        const { id, key } = keys[at]!
        const state = at % 3
        if (state > 0) await verifyApiKey(key)
        if (state > 1) {
          await setting.sql(`UPDATE "ApiKey" SET "name" = 'Stale' WHERE "id" = $1`, [id])
        }
        await play(begun + at, keys[at]!)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, player))
  }
}

/** Not the same one each time. */
async function aMoment(round: number): Promise<void> {
  for (let turn = 0; turn < (round * 7) % 11; turn++) await immediate()
}
