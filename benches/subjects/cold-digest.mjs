/** (c) The first verify of a key in a process, by the cold digest in its row. */
import { randomBytes } from 'node:crypto'
import addon from '../../index.js'
import { FAST_HASH, issueKeys } from '../keys.mjs'

const CALLS = 64

export async function open({ databaseUrl, rounds }) {
  const signingKeys = [randomBytes(32).toString('base64')]
  const options = { databaseUrl, signingKeys, ...FAST_HASH }
  // The first round warms up.
  const keys = await issueKeys(options, CALLS * (rounds + 1))
  return [
    {
      title: 'cold verify: SELECT and cold digest',
      call: (turn) => addon.verifyApiKey(keys[turn]),
      accepts: (answer) => answer.valid,
      calls: CALLS,
    },
  ]
}
