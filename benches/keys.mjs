/** Keys of the addon, and what is presented with them. */
import addon from '../index.js'

/** So many keys take turns, as in a service with clients: no row lives on one hot key. */
export const KEYS = 1024

/** Everything that can be checked: a limit that is never reached, an allow-list, scopes. */
export const GUARDED = {
  rateLimit: 1_000_000,
  allowedIps: ['203.0.113.0/24', '2001:db8::/32'],
  scopes: ['documents:read', 'search:*'],
}
export const IP = '203.0.113.7'
export const SCOPES = ['documents:read']

/** A warm verify never hashes, so its keys may be made fast. */
export const FAST_HASH = { argon2MemoryKib: 8, argon2Iterations: 1 }

/** Issues keys under these options, then starts the addon anew: it has seen none of them. */
export async function issueKeys(options, count, fields) {
  addon.configure(options)
  const keys = await inBatches(count, async (index) => {
    const input = { name: `Key ${index}`, clientId: `client-${index}`, ...fields }
    return (await addon.createApiKey(input)).key
  })
  await restart(options)
  return keys
}

/** Verifies each key once. */
export async function warmUp(keys, context) {
  await inBatches(keys.length, async (index) => {
    const { valid, code } = await addon.verifyApiKey(keys[index], context)
    if (!valid) throw new Error(`A new key was refused: ${code}`)
  })
}

/** What the process knew of keys is gone. */
export async function restart(options) {
  await addon.close()
  addon.configure(options)
}

/** Not all at once: the hashing pool refuses what it cannot do in about two seconds. */
async function inBatches(count, work) {
  const results = []
  while (results.length < count) {
    const size = Math.min(32, count - results.length)
    const batch = Array.from({ length: size }, (_, index) => work(results.length + index))
    results.push(...(await Promise.all(batch)))
  }
  return results
}
