/** (c) The first verify of a key in a process that has no secret to compare a digest by: one SELECT and one argon2id. */
import addon from '../../index.js'
import { issueKeys } from '../keys.mjs'

const CALLS = 8

export async function open({ databaseUrl, rounds }) {
  // The first round warms up.
  const keys = await issueKeys({ databaseUrl }, CALLS * (rounds + 1))
  return [
    {
      title: 'cold verify without a secret: SELECT and argon2id (7 MiB, 5 iterations)',
      call: (turn) => addon.verifyApiKey(keys[turn]),
      accepts: (answer) => answer.valid,
      calls: CALLS,
    },
  ]
}
