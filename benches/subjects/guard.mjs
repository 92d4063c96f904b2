/** (k) A route handler on the Web's `Request` and `Response`, without a server, beside the same one behind `withApiKey`. */
import next from '../../next.js'
import { FAST_HASH, GUARDED, IP, KEYS, SCOPES, issueKeys, warmUp } from '../keys.mjs'

export async function open({ databaseUrl }) {
  const keys = await issueKeys({ databaseUrl, trustedHops: 1, ...FAST_HASH }, KEYS, GUARDED)
  await warmUp(keys, { ip: IP, scopes: SCOPES })
  const requests = keys.map((key) => {
    const headers = { 'x-api-key': key, 'x-forwarded-for': IP }
    return new Request('http://localhost/api/search?q=shoes', { headers })
  })
  const bare = async () =>
    Response.json({ clientId: 'client-0' }, { headers: { 'Cache-Control': 'no-store' } })
  const guarded = next.withApiKey(
    (_request, { apiKey }) => Response.json({ clientId: apiKey.clientId }),
    { scopes: SCOPES },
  )
  return [
    { title: 'route handler, bare', call: bare },
    { title: 'route handler behind `withApiKey`', call: guarded },
  ].map(({ title, call }) => ({
    title,
    call: (turn) => call(requests[turn % KEYS], {}),
    accepts: (response) => response.status === 200,
  }))
}
