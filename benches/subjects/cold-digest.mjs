/** (c) The first verify of a key in a process, if the row of the key holds a cold digest. */
import { randomBytes } from 'node:crypto'
import addon from '../../index.js'
import { FAST_HASH, issueKeys, restart, warmUp } from '../keys.mjs'

const CALLS = 64

export async function open({ databaseUrl, rounds }) {
  const signingKeys = [randomBytes(32).toString('base64')]
  const options = { databaseUrl, signingKeys, coldDigest: 'on', ...FAST_HASH }
  // The first round warms up.
  const keys = await issueKeys(options, CALLS * (rounds + 1))
  await warmUp(keys)
  await restart(options)
  return [
    {
      title: 'cold verify: SELECT and digest (`API_KEYS_COLD_DIGEST=on`)',
      call: (turn) => addon.verifyApiKey(keys[turn]),
      accepts: (answer) => answer.valid,
      calls: CALLS,
    },
  ]
}
