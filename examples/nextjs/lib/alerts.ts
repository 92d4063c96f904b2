import { onEvent, type ApiKeyEvent } from '@sophra/api-keys'

const MAX_ATTEMPTS = 6
const FIRST_PAUSE_MS = 500
const TIMEOUT_MS = 5_000
/** Alerts that wait for delivery at a time. Any further alert is only printed. */
const MAX_WAITING = 100

/** Alerts are what an operator wants to know at once: a suspended key, an outage of the database, and its end. */
const isAlert = ({ type, severity }: ApiKeyEvent): boolean =>
  severity !== 'info' || type === 'database.recovered'

/** Sends alerts to `ALERT_WEBHOOK_URL` as JSON, or prints them if there is no such URL. */
export function forwardAlerts(): void {
  const url = process.env.ALERT_WEBHOOK_URL
  let waiting = 0
  // Alerts are sent one after the other, so that the end of an outage cannot arrive before its beginning.
  let last = Promise.resolve()
  onEvent((event) => {
    if (!isAlert(event)) return
    if (!url || waiting >= MAX_WAITING) return void console.error(JSON.stringify(event))
    waiting++
    last = last.then(() => deliver(url, event)).finally(() => void waiting--)
  })
}

/** Retries with exponential backoff and full jitter, for about half a minute. */
async function deliver(url: string, event: ApiKeyEvent): Promise<void> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
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
