/** The keys of the addon, and the contexts that they are verified with. */
import addon from '../index.js'
import native from '../native.js'

/** The number of keys that take turns, as in a service with many clients, so that no row profits from a single hot key. */
export const KEYS = 1024

/** The calls at a time, where many are made at once. */
export const TOGETHER = 64

/** Keys with every kind of check: a limit that is never reached, an allow-list and scopes. */
export const GUARDED = {
  rateLimit: 1_000_000,
  allowedIps: ['203.0.113.0/24', '2001:db8::/32'],
  scopes: ['documents:read', 'search:*'],
}
export const IP = '203.0.113.7'
export const SCOPES = ['documents:read']

/** Cheap hashing to make keys quickly: a warm verify never hashes. */
export const FAST_HASH = { argon2MemoryKib: 8, argon2Iterations: 1 }

/** With this secret, the rows of keys have digests by default. */
export const JWT_SECRET = 'the secret of the benchmark, of 32 bytes or more'

/** Issues keys with these options, then restarts the addon, so that none of them is cached. */
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

/** The hashes computed since the addon was started. */
export const hashes = () => JSON.parse(native.stats()).hashes

/** Restarts the addon, which empties its cache. */
export async function restart(options) {
  await addon.close()
  addon.configure(options)
}

/** Works through the keys in parts: the hashing pool rejects work that would wait for more than about two seconds. */
async function inBatches(count, work) {
  const results = []
  while (results.length < count) {
    const size = Math.min(32, count - results.length)
    const batch = Array.from({ length: size }, (_, index) => work(results.length + index))
    results.push(...(await Promise.all(batch)))
  }
  return results
}
