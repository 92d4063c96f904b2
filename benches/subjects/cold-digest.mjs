/** (c) The first verify of a key in a process, by default: one SELECT, and a digest to compare with. */
import addon from '../../index.js'
import {
  FAST_HASH,
  JWT_SECRET,
  KEYS,
  TOGETHER,
  hashes,
  issueKeys,
  restart,
  warmUp,
} from '../keys.mjs'

export async function open({ databaseUrl }) {
  const options = { databaseUrl, jwtSecret: JWT_SECRET, ...FAST_HASH }
  const keys = await issueKeys(options, KEYS)
  // They open the connections.
  const others = await issueKeys(options, TOGETHER)
  let before
  return [
    {
      title: 'cold verify by default: SELECT and digest',
      role: 'cold',
      // Each sample takes every key once, in a process that has seen none of them.
      calls: KEYS,
      prepare: async () => {
        await restart(options)
        await warmUp(others)
        before = hashes()
      },
      call: (turn) => addon.verifyApiKey(keys[turn % KEYS]),
      accepts: (answer) => answer.valid,
      check: () => {
        if (hashes() !== before) throw new Error('A cold verify has computed a hash')
      },
      together: true,
    },
  ]
}
