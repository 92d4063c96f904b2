/** HTTP load. */
import autocannon from 'autocannon'
import { Failure } from '../scripts/processes.mjs'

const SECONDS = 2

/**
 * Seconds per request, by the clock and as CPU time of all threads of the server. By the clock alone, the cost of a check could
 * disappear in the time that the server waits for a slower client.
 */
export async function requests({ title, load, sample }) {
  const cpuBefore = await sample()
  const { requests, duration, ...result } = await autocannon({ duration: SECONDS, ...load })
  const cpu = (await sample()) - cpuBefore
  const { errors, timeouts, non2xx } = result
  if (errors + timeouts + non2xx > 0) {
    throw new Failure(`${title} refused requests: ${JSON.stringify({ errors, timeouts, non2xx })}`)
  }
  return { clock: duration / requests.total, cpu: cpu / requests.total }
}
