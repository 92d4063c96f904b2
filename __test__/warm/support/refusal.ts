import { setImmediate as immediate } from 'node:timers/promises'
import { addon } from '../../support/addon.js'

/** Longer than any revocation takes to arrive: who waits that long waits for ever. */
const NEVER_MS = 15_000
const AGAIN = 20

/**
 * Settles when this process refuses the key, with the milliseconds since `start`. Fails if it is
 * accepted once more after that.
 */
export async function refusalOf(key: string, start = performance.now()): Promise<number> {
  while ((await addon.verifyApiKey(key)).valid) {
    if (performance.now() - start > NEVER_MS) throw new Error('The key is still accepted')
    await immediate()
  }
  const time = performance.now() - start
  for (let again = 0; again < AGAIN; again++) {
    if ((await addon.verifyApiKey(key)).valid) throw new Error('The key was accepted once more')
    await immediate()
  }
  return time
}
