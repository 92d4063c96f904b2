/** (b) The call that a route makes, for a key with every check, for one without any, and for one whose client has limits and a quota. */
import addon from '../../index.js'
import { FAST_HASH, GUARDED, IP, KEYS, SCOPES, issueKeys, warmUp } from '../keys.mjs'

export async function open({ databaseUrl }) {
  const options = { databaseUrl, ...FAST_HASH }
  const plain = await issueKeys(options, KEYS)
  const guarded = await issueKeys(options, KEYS, GUARDED)
  const limits = await keysOfLimitedClient(options, 'limited')
  const quotas = await keysOfLimitedClient(options, 'metered', [QUOTA])
  await warmUp(plain)
  await warmUp(limits, { ip: IP, scopes: SCOPES })
  await warmUp(quotas, { ip: IP, scopes: SCOPES })
  await warmUp(guarded, { ip: IP, scopes: SCOPES })
  return [
    {
      title: 'warm verify with limit, allow-list, scopes and usage',
      call: (turn) => addon.verifyApiKey(guarded[turn % KEYS], { ip: IP, scopes: SCOPES }),
      accepts: (answer) => answer.valid && answer.rateLimit.limit === GUARDED.rateLimit,
      together: true,
    },
    {
      title: 'the same with a client that has two limits more',
      call: (turn) => addon.verifyApiKey(limits[turn % KEYS], { ip: IP, scopes: SCOPES }),
      accepts: (answer) => answer.valid && answer.limits.length === 3,
      together: true,
    },
    {
      title: 'the same with a client that has two limits more and a quota',
      call: (turn) => addon.verifyApiKey(quotas[turn % KEYS], { ip: IP, scopes: SCOPES }),
      accepts: (answer) => answer.valid && answer.limits.length === 3,
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

/** Never used up. */
const QUOTA = { name: 'calls', amount: 1_000_000_000_000, period: 'month' }

/** Keys with every check, of a client with two limits that are never reached, and perhaps a quota. */
async function keysOfLimitedClient(options, clientId, quotas = []) {
  const keys = await issueKeys(options, KEYS, { ...GUARDED, clientId })
  const limit = { limit: 1_000_000, windowSeconds: 1 }
  await addon.setClient({
    clientId,
    limits: ['requests', 'tokens'].map((name) => ({ name, ...limit })),
    quotas,
  })
  return keys
}
