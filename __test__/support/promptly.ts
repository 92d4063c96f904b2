import { setImmediate as immediate } from 'node:timers/promises'

/** Longer than any change takes to arrive: who waits that long waits for ever. */
const NEVER_MS = 15_000

/** Asks without a pause until the answer is yes; settles with the milliseconds since `start`. */
export async function promptly(
  what: string,
  isSo: () => Promise<boolean>,
  start = performance.now(),
): Promise<number> {
  while (!(await isSo())) {
    if (performance.now() - start > NEVER_MS) throw new Error(`Not in time: ${what}`)
    await immediate()
  }
  return performance.now() - start
}
