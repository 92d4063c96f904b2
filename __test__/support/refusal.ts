import { setImmediate as immediate } from 'node:timers/promises'
import { addon } from './addon.js'
import { promptly } from './promptly.js'

const AGAIN = 20

/**
 * Settles when this process refuses the key, with the milliseconds since `start`. Fails if it is
 * accepted once more after that.
 */
export async function refusalOf(key: string, start?: number): Promise<number> {
  const isRefused = async (): Promise<boolean> => !(await addon.verifyApiKey(key)).valid
  const time = await promptly('the key is refused', isRefused, start)
  for (let again = 0; again < AGAIN; again++) {
    if (!(await isRefused())) throw new Error('The key was accepted once more')
    await immediate()
  }
  return time
}
