import { setTimeout as delay } from 'node:timers/promises'

/**
 * Repeats `attempt` until it no longer throws, and answers what it answered. After `deadlineMs` its
 * last error is the outcome: a test waits for a condition and never for a length of time.
 */
export async function eventually<T>(
  attempt: () => T | Promise<T>,
  deadlineMs = 10_000,
): Promise<T> {
  const deadline = Date.now() + deadlineMs
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (Date.now() >= deadline) throw error
      await delay(20)
    }
  }
}
