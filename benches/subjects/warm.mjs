/** (b) The call that a route makes, for a key with every check and for one without any. */
import addon from '../../index.js'
import { FAST_HASH, GUARDED, IP, KEYS, SCOPES, issueKeys, warmUp } from '../keys.mjs'

export async function open({ databaseUrl }) {
  const options = { databaseUrl, ...FAST_HASH }
  const plain = await issueKeys(options, KEYS)
  const guarded = await issueKeys(options, KEYS, GUARDED)
  await warmUp(plain)
  await warmUp(guarded, { ip: IP, scopes: SCOPES })
  return [
    {
      title: 'warm verify with limit, allow-list, scopes and usage',
      call: (turn) => addon.verifyApiKey(guarded[turn % KEYS], { ip: IP, scopes: SCOPES }),
      accepts: (answer) => answer.valid && answer.rateLimit.limit === GUARDED.rateLimit,
      together: true,
    },
    {
      title: 'warm verify of a key with none of these but usage',
      call: (turn) => addon.verifyApiKey(plain[turn % KEYS]),
      accepts: (answer) => answer.valid && answer.rateLimit === null,
      together: true,
    },
  ]
}
