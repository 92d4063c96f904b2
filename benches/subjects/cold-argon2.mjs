/** (c) The first verify of a key in a process without cold digests: one SELECT and one argon2id. */
import addon from '../../index.js'
import { issueKeys } from '../keys.mjs'

const CALLS = 8

export async function open({ databaseUrl, rounds }) {
  // The first round warms up.
  const keys = await issueKeys({ databaseUrl, coldDigest: 'off' }, CALLS * (rounds + 1))
  return [
    {
      title: 'cold verify: SELECT and argon2id (7 MiB, 5 iterations)',
      call: (turn) => addon.verifyApiKey(keys[turn]),
      accepts: (answer) => answer.valid,
      calls: CALLS,
    },
  ]
}
