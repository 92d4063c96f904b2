import { onEvent, type ApiKeyEvent } from '@sophra/api-keys'

const TRIES = 6
const FIRST_PAUSE_MS = 500
const TIMEOUT_MS = 5_000
/** Alerts on their way; of more the newest are only logged. */
const WAITING_MAX = 100

/** What an admin wants to be told at once: that a key is suspended, that the database is away, and that it is back. */
const isAlert = ({ type, severity }: ApiKeyEvent): boolean =>
  severity !== 'info' || type === 'database.recovered'

/** Sends alerts to `ALERT_WEBHOOK_URL` as JSON; without it they are printed. */
export function forwardAlerts(): void {
  const url = process.env.ALERT_WEBHOOK_URL
  let waiting = 0
  // One after the other, so that an all-clear does not overtake its alert.
  let last = Promise.resolve()
  onEvent((event) => {
    if (!isAlert(event)) return
    if (!url || waiting >= WAITING_MAX) return void console.error(JSON.stringify(event))
    waiting++
    last = last.then(() => deliver(url, event)).finally(() => void waiting--)
  })
}

/** Tries again with exponential backoff and full jitter, for about half a minute. */
async function deliver(url: string, event: ApiKeyEvent): Promise<void> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    if (await post(url, event)) return
    const pause = Math.random() * FIRST_PAUSE_MS * 2 ** attempt
    await new Promise((resolve) => setTimeout(resolve, pause).unref())
  }
  console.error('The alert could not be delivered:', JSON.stringify(event))
}

async function post(url: string, event: ApiKeyEvent): Promise<boolean> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(event),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    return response.ok
  } catch {
    return false
  }
}
